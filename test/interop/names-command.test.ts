/**
 * Hosts by name: the commands ask dnsmasq at the kernel's end of a TAP device.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CommandBench, ip, KERNEL, TIMEOUT_MS } from './command-bench.ts';
import { cannotRun } from './network.ts';
import { Dnsmasq } from './support/dnsmasq.ts';

const KERNEL6 = 'fd65::1';
const DNS = ['--dns', KERNEL];

describe('names', { skip: cannotRun('dnsmasq'), timeout: TIMEOUT_MS }, () => {
  const bench = new CommandBench();

  /** A device that is there before the commands, so that dnsmasq can be. */
  async function serve(): Promise<void> {
    ip('tuntap', 'add', 'tap0', 'mode', 'tap');
    ip('address', 'add', `${KERNEL}/24`, 'dev', 'tap0');
    ip('address', 'add', `${KERNEL6}/64`, 'dev', 'tap0', 'nodad');
    ip('link', 'set', 'tap0', 'up');
    const hosts = [
      `${KERNEL} kernel.example.test`,
      `${KERNEL} both.example.test`,
      `${KERNEL6} both.example.test`,
      // Nobody is there: the other address has to do.
      '10.65.0.77 half.example.test',
      `${KERNEL6} half.example.test`,
    ];
    const dnsmasq = new Dnsmasq([KERNEL, KERNEL6], hosts, ['--local=/example.test/']);
    bench.onEnd(() => void dnsmasq.close());
    await dnsmasq.ready();
  }

  it('get connects to the address that answers', async () => {
    await serve();
    const url = await bench.kernelHttp((request, response) => response.end(`${request.headers.host}\n`));
    const port = url.split(':').at(-1);
    const got = await bench.run('get', '-v', `http://kernel.example.test:${port}/`, ...DNS);
    assert.deepEqual([got.status, got.out], [0, `kernel.example.test:${port}\n`]);
    assert.match(got.err, new RegExp(`^\\* {3}Trying 10\\.65\\.0\\.1:${port}\\.\\.\\.$`, 'm'));
    assert.match(
      got.err,
      new RegExp(`^\\* Connected to kernel\\.example\\.test \\(10\\.65\\.0\\.1\\) port ${port} `, 'm'),
    );
    const refused = await bench.run('get', 'http://both.example.test:9/', ...DNS);
    assert.equal(refused.status, 7);
    assert.match(
      refused.err,
      /cannot connect to both\.example\.test:9: 10\.65\.0\.1: Connection refused, fd65::1: Connection refused$/m,
    );
    const unknown = await bench.run('get', 'http://no.example.test/', ...DNS);
    assert.equal(unknown.status, 6);
    assert.match(unknown.err, /cannot find the host 'no\.example\.test': there is no such name$/m);
    const nobody = await bench.run('get', 'http://no.example.test/');
    assert.match(nobody.err, /no name server is known: say which with --dns, as --dns 10\.65\.0\.1$/m);
  });

  it('nc tries the next address when one is silent', async () => {
    await serve();
    const port = await bench.kernelServer(socket => socket.pipe(socket), '::');
    const nc = bench.start('nc', '-v', 'half.example.test', port, ...DNS);
    nc.child.stdin.end('hello\n');
    const { status, out, err } = await nc.end();
    assert.deepEqual([status, out], [0, 'hello\n']);
    assert.match(
      err,
      new RegExp(
        `^Connection to half\\.example\\.test \\(fd65::1\\) ${port} port \\[tcp\\] succeeded!$`,
        'm',
      ),
    );
  });

  it('ping and traceroute', async () => {
    await serve();
    const four = await bench.run('ping', '-4', '-c', '1', 'both.example.test', ...DNS);
    assert.match(four.out, /^PING both\.example\.test \(10\.65\.0\.1\) 56\(84\) bytes of data\.$/m);
    assert.match(four.out, /^--- both\.example\.test ping statistics ---$/m);
    const six = await bench.run('ping6', '-c', '1', 'both.example.test', '--dns', KERNEL6);
    assert.match(six.out, /^PING both\.example\.test\(fd65::1\) 56 data bytes$/m);
    assert.deepEqual([four.status, six.status], [0, 0]);
    const none = await bench.run('ping', '-6', 'kernel.example.test', ...DNS);
    assert.equal(none.status, 2);
    assert.match(none.err, /cannot find the host 'kernel\.example\.test': the name has no such record$/m);
    const way = await bench.run('traceroute', '-4', '-q', '1', 'both.example.test', ...DNS);
    assert.match(
      way.out,
      /^traceroute to both\.example\.test \(10\.65\.0\.1\), 30 hops max, 60 byte packets$/m,
    );
    assert.match(way.out, /^ 1 {2}(kernel|both)\.example\.test \(10\.65\.0\.1\) {2}[\d.]+ ms$/m);
    const dig = await bench.run('dig', '@kernel.example.test', 'kernel.example.test', '+short', ...DNS);
    assert.equal(dig.out, `${KERNEL}\n`);
  });
});
