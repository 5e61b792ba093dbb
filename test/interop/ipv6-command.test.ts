/**
 * The commands over IPv6 against the kernel: addresses that were given, from a router, of the link alone; and one that
 * somebody else has.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { bytesOf, CommandBench, curl, HOST6, ip, KERNEL6, TIMEOUT_MS } from './command-bench.ts';
import { runProgram } from './command-process.ts';
import { cannotRun, missing } from './network.ts';

const skip = cannotRun('curl');
/** Behind the kernel. */
const FAR = 'fd66::2';

describe('commands over IPv6 on a TAP device', { skip, timeout: TIMEOUT_MS }, () => {
  const bench = new CommandBench();

  it('serve is fetched from by curl, and by an address of the link', async () => {
    const content = bytesOf(1_000_000);
    const www = bench.file('a.bin', content);
    const command = await bench.start('serve', www, '--gateway', 'fe80::1').ready();
    assert.ok(curl('-g', `http://[${HOST6}]/a.bin`).bytes.equals(content));
    await command.until('out', /^\[fd65::1\]:\d+ "GET \/a\.bin HTTP\/1\.1" 200 1000000$/m);
    // The link-local gateway is the kernel's side, too.
    assert.match(runProgram('ip', '-6', 'addr', 'show', 'dev', 'tap0').out, /inet6 fe80::1\/64/);
  });

  it('get fetches from the kernel, by each kind of address', async () => {
    const server = createServer((request, response) => response.end(request.headers.host)).listen(0, '::');
    await once(server, 'listening');
    bench.onEnd(() => server.close());
    const { port } = server.address() as AddressInfo;
    const verbose = await bench.run('get', '-v', '-q', `http://[${KERNEL6}]:${port}/`);
    assert.equal(verbose.out, `[${KERNEL6}]:${port}`);
    assert.match(
      verbose.err,
      new RegExp(
        `^\\*   Trying \\[${KERNEL6}\\]:${port}\\.\\.\\.\n\\* Connected to ${KERNEL6} \\(${KERNEL6}\\) port ${port} `,
      ),
    );
    // Of the link alone: its zone is not part of the Host field.
    const gateway = ['--gateway', 'fe80::1', '-q'];
    const zoned = await bench.run('get', `http://[fe80::1%25tap0]:${port}/`, ...gateway);
    assert.deepEqual([zoned.out, zoned.err], [`[fe80::1]:${port}`, '']);
    const plain = await bench.run('get', `[fe80::1]:${port}`, ...gateway);
    assert.equal(plain.out, `[fe80::1]:${port}`);
    const other = await bench.run('get', `[fe80::1%tap9]:${port}`, ...gateway);
    assert.match(other.err, /^ethertype: 'fe80::1%tap9' is on another link: this stack is on tap0 alone\n$/);
    assert.equal(other.status, 2);
  });

  it('nc connects and is connected to; flood sends what sink checks', async () => {
    const listener = bench.start('nc', '-l', '-v', '7000');
    await listener.ready();
    await listener.until('err', /Listening on :: 7000/);
    const socket = connect({ host: HOST6, port: 7000 });
    socket.end('hello');
    listener.child.stdin.end('answer');
    const [piece] = await once(socket, 'data');
    assert.equal(String(piece), 'answer');
    const ended = await listener.end();
    assert.deepEqual([ended.status, ended.out], [0, 'hello']);
    assert.match(ended.err, /^Connection received on fd65::1 \d+$/m);
    // Two stacks with the kernel as the router between them.
    ip('link', 'set', 'lo', 'up');
    runProgram('sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding');
    const there = ['--tap', 'tap1', '--address', 'fd67::2/64', '--gateway', 'fd67::1'];
    const sink = await bench.start('sink', '7001', '--check', '--once', ...there).ready();
    const flood = await bench.run('flood', 'fd67::2', '7001', '--bytes', '20M', '--gateway', KERNEL6);
    assert.equal(flood.status, 0, flood.err);
    const received = await sink.end();
    assert.equal(received.status, 0, received.err);
    assert.match(received.out, / 20\.0 MB .* received in all\n$/);
  });

  it('ping6 and traceroute6: a router, a narrow link, no way', async () => {
    farHost(1280);
    const gateway = ['--gateway', KERNEL6, '-q'];
    const near = await bench.run('ping6', '-c', '1', KERNEL6);
    assert.match(
      near.out,
      /^PING fd65::1\(fd65::1\) 56 data bytes\n64 bytes from fd65::1: icmp_seq=1 ttl=64 time=\d/,
    );
    const far = await bench.run('ping', '-6', '-c', '1', FAR, ...gateway.slice(0, 2));
    assert.match(far.out, /^64 bytes from fd66::2: icmp_seq=1 ttl=63 /m);
    const hops = await bench.run('ping', '-c', '1', '-t', '1', FAR, ...gateway.slice(0, 2));
    assert.match(hops.out, /^From fd65::1 icmp_seq=1 Time exceeded: Hop limit$/m);
    const narrow = await bench.run('ping', '-c', '1', '-s', '1400', '-M', 'do', FAR, ...gateway.slice(0, 2));
    assert.match(narrow.out, /^From fd65::1 icmp_seq=1 Packet too big: mtu=1280$/m);
    const way = await bench.run('traceroute6', FAR, '--gateway', KERNEL6);
    const times = '( {2}\\d+\\.\\d{3} ms){3}';
    assert.match(
      way.out,
      new RegExp(
        '^traceroute to fd66::2 \\(fd66::2\\), 30 hops max, 80 byte packets\n' +
          ` 1 {2}fd65::1 \\(fd65::1\\)${times}\n 2 {2}fd66::2 \\(fd66::2\\)${times}\n$`,
      ),
    );
    const nowhere = await bench.run('traceroute', '-n', '-q', '1', '2001:db8::1', '--gateway', KERNEL6);
    assert.match(nowhere.out, /^ 1 {2}fd65::1 {2}\d+\.\d{3} ms !N$/m);
    const noWay = await bench.run('ping', '-c', '1', '2001:db8::1', '-q');
    assert.deepEqual(
      [noWay.status, noWay.err],
      [2, 'ethertype: cannot ping 2001:db8::1: connect: Network is unreachable\n'],
    );
    const link = await bench.run('ping', '-c', '1', 'fe80::1', '--gateway', 'fe80::1');
    assert.match(link.out, /^64 bytes from fe80::1%tap0: icmp_seq=1 /m);
  });

  it('an address from radvd, with --slaac', { skip: missing('radvd') }, async () => {
    const prefix = wire();
    radvd();
    const command = ['ping', '-c', '1', 'fd66::1', '--slaac', '--interface', 'veth1'];
    const ended = await bench.startIn(prefix, ...command).end();
    assert.equal(ended.status, 0, ended.err);
    assert.match(
      ended.err,
      new RegExp(
        '^SLAAC: (fd66::[0-9a-f:]+)/64 ; router fe80::[0-9a-f:]+%veth1 ; name servers fd66::53\n' +
          'This stack is \\1 ; on veth1, for others there\n$',
      ),
    );
    assert.match(ended.out, /^64 bytes from fd66::1: icmp_seq=1 /m);
  });

  it('an address that somebody else has ends the command with one line', async () => {
    const prefix = wire();
    const www = bench.file('index.html', 'hello');
    const args = ['serve', www, '-q', '--interface', 'veth1', '--address', 'fd66::1/64'];
    const ended = await bench.startIn(prefix, ...args).end();
    assert.deepEqual(
      [ended.status, ended.err],
      [1, 'ethertype: fd66::1 is in use by another host on veth1: take another --address\n'],
    );
  });

  it('IPv4 alone where the kernel has no IPv6', async () => {
    runProgram('sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6');
    const www = bench.file('index.html', 'hello');
    const command = await bench.start('serve', www).ready();
    assert.equal(command.err, 'Reach it at http://10.65.0.2/ ; kernel side tap0 10.65.0.1/24\n');
    assert.equal((await command.end('SIGINT')).status, 0);
    const asked = await bench.run('serve', www, '--address', 'fd65::2/64');
    assert.match(asked.err, /^ethertype: the kernel does not speak IPv6 on tap0: .*disable_ipv6=0.*\n$/);
    assert.equal(asked.status, 1);
    bench.isGone();
  });

  /** A host behind the kernel, which forwards. */
  function farHost(mtu: number): void {
    const far = namespace();
    ip('link', 'add', 'near', 'mtu', `${mtu}`, 'type', 'veth', 'peer', 'name', 'far', 'netns', far);
    ip('address', 'add', 'fd66::1/64', 'dev', 'near', 'nodad');
    ip('link', 'set', 'near', 'up');
    ip('-n', far, 'address', 'add', `${FAR}/64`, 'dev', 'far', 'nodad');
    ip('-n', far, 'link', 'set', 'far', 'mtu', `${mtu}`, 'up');
    ip('-n', far, 'route', 'add', 'default', 'via', 'fd66::1');
    runProgram('sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding');
  }

  /** A cable: veth0 is the kernel's, with fd66::1; veth1 is in another namespace, which the result enters. */
  function wire(): string[] {
    const other = namespace();
    ip('link', 'add', 'veth0', 'type', 'veth', 'peer', 'name', 'veth1', 'netns', other);
    ip('addr', 'add', 'fd66::1/64', 'dev', 'veth0', 'nodad');
    ip('link', 'set', 'veth0', 'up');
    ip('-n', other, 'link', 'set', 'veth1', 'up');
    return ['ip', 'netns', 'exec', other];
  }

  function namespace(): string {
    const name = `et-${process.pid}-6`;
    ip('netns', 'add', name);
    bench.onEnd(() => ip('netns', 'del', name));
    return name;
  }

  function radvd(): void {
    const file = join(bench.folder, 'radvd.conf');
    writeFileSync(
      file,
      `interface veth0 { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4;
        prefix fd66::/64 { }; RDNSS fd66::53 { }; };`,
    );
    runProgram('sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding');
    const args = ['-n', '-C', file, '-p', join(bench.folder, 'pid'), '-m', 'stderr'];
    const child = spawn('radvd', args, { stdio: 'ignore' });
    bench.onEnd(() => child.kill());
  }
});
