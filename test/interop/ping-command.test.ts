/**
 * The commands ping and traceroute against the kernel: what they print and how they end.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { CommandProcess, type Ended, runProgram } from './command-process.ts';
import { cannotRun, enterNewNetwork } from './network.ts';

const KERNEL = '10.65.0.1';
const FAR = '10.66.0.2';

describe('ping and traceroute over a TAP device', { skip: cannotRun(), timeout: 120_000 }, () => {
  let folder = '';
  const namespace = `et-${process.pid}-far`;
  const running: CommandProcess[] = [];

  beforeEach(() => {
    enterNewNetwork();
    folder = mkdtempSync(join(tmpdir(), 'ethertype-ping-'));
  });
  afterEach(async () => {
    for (const each of running.splice(0)) {
      each.child.kill('SIGKILL');
      await each.end();
    }
    runProgram('ip', 'netns', 'del', namespace);
    rmSync(folder, { recursive: true });
  });

  const start = (...args: string[]): CommandProcess => {
    const command = new CommandProcess({ runtime: folder }, ...args);
    running.push(command);
    return command;
  };
  const run = (...args: string[]): Promise<Ended> => start(...args).end();
  const ip = (...args: string[]): void => {
    const { status, err } = runProgram('ip', ...args);
    assert.equal(status, 0, err);
  };

  /** A host behind the kernel, which forwards. */
  const addFarHost = (mtu = 1500): void => {
    ip('netns', 'add', namespace);
    ip('link', 'add', 'near', 'mtu', String(mtu), 'type', 'veth', 'peer', 'name', 'far', 'netns', namespace);
    ip('address', 'add', '10.66.0.1/24', 'dev', 'near');
    ip('link', 'set', 'near', 'up');
    ip('-n', namespace, 'address', 'add', `${FAR}/24`, 'dev', 'far');
    ip('-n', namespace, 'link', 'set', 'far', 'mtu', String(mtu), 'up');
    ip('-n', namespace, 'route', 'add', 'default', 'via', '10.66.0.1');
    runProgram('sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward');
  };

  it('ping prints the lines of iputils', async () => {
    const { status, out } = await run('ping', '-c', '2', '-i', '0.1', KERNEL);
    assert.match(
      out,
      new RegExp(
        [
          '^PING 10\\.65\\.0\\.1 \\(10\\.65\\.0\\.1\\) 56\\(84\\) bytes of data\\.',
          '64 bytes from 10\\.65\\.0\\.1: icmp_seq=1 ttl=64 time=\\d+(\\.\\d+)? ms',
          '64 bytes from 10\\.65\\.0\\.1: icmp_seq=2 ttl=64 time=\\d+(\\.\\d+)? ms',
          '',
          '--- 10\\.65\\.0\\.1 ping statistics ---',
          '2 packets transmitted, 2 received, 0% packet loss, time \\d+ms',
          'rtt min/avg/max/mdev = (\\d+\\.\\d{3}/){3}\\d+\\.\\d{3} ms',
          '$',
        ].join('\n'),
      ),
    );
    assert.equal(status, 0);
  });

  it('4,000 bytes, a flood, and Ctrl-C', async () => {
    const large = await run('ping', '-c', '1', '-s', '4000', KERNEL);
    assert.match(large.out, /^4008 bytes from 10\.65\.0\.1: icmp_seq=1 ttl=64/m);
    const flood = await run('ping', '-f', '-c', '500', KERNEL);
    assert.match(flood.out, /\n500 packets transmitted, 500 received, 0% packet loss/);
    assert.match(flood.out, /, ipg\/ewma \d+\.\d{3}\/\d+\.\d{3} ms\n$/);
    assert.ok(flood.out.includes('.\b \b'), 'a dot, taken back');
    const endless = start('ping', KERNEL);
    await endless.until('out', /icmp_seq=1 /);
    const ended = await endless.end('SIGINT');
    assert.match(ended.out, /\n1 packets transmitted, 1 received, 0% packet loss/);
    assert.equal(ended.status, 0);
  });

  it('nobody answers, no way there, too big to send', async () => {
    const nobody = await run('ping', '-c', '1', '10.65.0.77');
    assert.match(nobody.out, /^From 10\.65\.0\.2 icmp_seq=1 Destination Host Unreachable$/m);
    assert.match(
      nobody.out,
      /\n1 packets transmitted, 0 received, \+1 errors, 100% packet loss, time \d+ms\n/,
    );
    assert.equal(nobody.status, 1);
    const noWay = await run('ping', '-q', '-c', '1', '192.0.2.1');
    assert.deepEqual(
      [noWay.status, noWay.out, noWay.err],
      [2, '', 'ethertype: cannot ping 192.0.2.1: connect: Network is unreachable\n'],
    );
    const tooBig = await run('ping', '-c', '1', '-s', '1473', '-M', 'do', KERNEL);
    assert.match(tooBig.err, /^ping: local error: message too long, mtu=1500$/m);
    assert.equal(tooBig.status, 1);
  });

  it('the kernel as a router: TTL exceeded, a narrow link, traceroute', async () => {
    addFarHost(1280);
    const gateway = ['--gateway', KERNEL];
    const near = await run('ping', '-c', '1', '-t', '1', FAR, ...gateway);
    assert.match(near.out, /^From 10\.65\.0\.1 icmp_seq=1 Time to live exceeded$/m);
    const narrow = await run('ping', '-c', '1', '-s', '1400', '-M', 'do', FAR, ...gateway);
    assert.match(narrow.out, /^From 10\.65\.0\.1 icmp_seq=1 Frag needed and DF set \(mtu = 1280\)$/m);
    const far = await run('ping', '-c', '1', FAR, ...gateway);
    assert.match(far.out, /^64 bytes from 10\.66\.0\.2: icmp_seq=1 ttl=63 /m);
    const way = await run('traceroute', FAR, ...gateway);
    const times = '( {2}\\d+\\.\\d{3} ms){3}';
    assert.match(
      way.out,
      new RegExp(
        '^traceroute to 10\\.66\\.0\\.2 \\(10\\.66\\.0\\.2\\), 30 hops max, 60 byte packets\n' +
          ` 1 {2}10\\.65\\.0\\.1 \\(10\\.65\\.0\\.1\\)${times}\n` +
          ` 2 {2}10\\.66\\.0\\.2 \\(10\\.66\\.0\\.2\\)${times}\n$`,
      ),
    );
    assert.equal(way.status, 0);
    const nowhere = await run('traceroute', '-n', '-q', '1', '192.0.2.1', ...gateway);
    assert.match(nowhere.out, /^ 1 {2}10\.65\.0\.1 {2}\d+\.\d{3} ms !N$/m);
  });
});
