import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { turn } from '../../src/node/turn.ts';
import { World } from '../../src/sim/world.ts';
import type { EpollEvent } from '../../src/socket/epoll.ts';
import type { MsgHdr } from '../../src/socket/ops.ts';
import type { OptionValue } from '../../src/socket/options.ts';
import { out, type Sockaddr, type SockaddrInput } from '../../src/socket/sockaddr.ts';
import type { Stack } from '../../src/stack/stack.ts';

/** One call: which, on which host, and numbers to choose its arguments by. */
interface Call {
  readonly name: string;
  readonly host: number;
  readonly fd: number;
  readonly a: number;
  readonly b: number;
  readonly address: SockaddrInput;
  readonly bytes: Uint8Array;
  readonly value: OptionValue;
  readonly flags: number;
}

/** Descriptors that are likely to exist, and some that cannot. */
const fd = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 3, max: 10 }) },
  { weight: 1, arbitrary: fc.constantFrom(-1, 0, 2, 99, 2 ** 31, Number.NaN, 3.5, Number.POSITIVE_INFINITY) },
);
const number = fc.oneof(
  fc.integer({ min: 0, max: 20 }),
  fc.constantFrom(
    -1,
    64,
    128,
    2048,
    0o4000,
    65535,
    65536,
    2 ** 31,
    -(2 ** 31),
    Number.NaN,
    0.5,
    Number.POSITIVE_INFINITY,
  ),
);
const address = fc.record({
  address: fc.constantFrom(
    '10.0.0.1',
    '10.0.0.2',
    '127.0.0.1',
    '0.0.0.0',
    '10.0.0.255',
    '224.0.0.1',
    '9.9.9.9',
    'x',
    '::1',
  ),
  port: fc.oneof(fc.constantFrom(80, 80, 81, 0), fc.constantFrom(-1, 65536, 1.5, Number.NaN)),
}) as fc.Arbitrary<SockaddrInput>;
/** What a careless caller in JavaScript might pass in place of an object. */
const nothing = fc.constantFrom(null, undefined, 7, 'x', {}, []);
const value = fc.oneof(
  number,
  fc.constantFrom('cubic', 'reno', 'vegas', true, false),
  fc.record({ l_onoff: number, l_linger: number }),
  fc.record({ tv_sec: number, tv_usec: number }),
  nothing,
) as fc.Arbitrary<OptionValue>;

const NAMES = [
  'socket',
  'socket',
  'bind',
  'listen',
  'accept',
  'connect',
  'connect',
  'send',
  'send',
  'sendto',
  'sendmsg',
  'recv',
  'recvfrom',
  'recvmsg',
  'read',
  'write',
  'shutdown',
  'close',
  'getsockname',
  'getpeername',
  'setsockopt',
  'setsockopt',
  'getsockopt',
  'fcntl',
  'ioctl',
  'poll',
  'epoll_create1',
  'epoll_ctl',
  'epoll_wait',
  'time',
] as const;

const call = fc.record({
  name: fc.constantFrom(...NAMES),
  host: fc.nat(1),
  fd,
  a: number,
  b: number,
  address: fc.oneof(
    { weight: 9, arbitrary: address },
    { weight: 1, arbitrary: nothing as fc.Arbitrary<SockaddrInput> },
  ),
  bytes: fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(0, 1, 100, 5000, 70_000).map(length => new Uint8Array(length)) },
    { weight: 1, arbitrary: nothing as unknown as fc.Arbitrary<Uint8Array> },
  ),
  value,
  flags: fc.constantFrom(0, 0, 0, 1, 2, 0x20, 0x40, 0x8000, -1, 2 ** 31),
}) as fc.Arbitrary<Call>;

/** Makes the call; what it returns. */
function make({ sys }: Stack, each: Call): number {
  const { name, fd, a, b, address, bytes, value, flags } = each;
  const msg: MsgHdr = { msg_name: address, msg_iov: [bytes, bytes] };
  const event = { events: a, data: b } as unknown as EpollEvent;
  const domain = b === 10 ? 10 : 2;
  switch (name) {
    case 'socket':
      return sys.socket(domain, a === 2 || a === 1 ? a : 1, flags === 0 ? 0 : b);
    case 'bind':
      return sys.bind(fd, address);
    case 'listen':
      return sys.listen(fd, a);
    case 'accept':
      return sys.accept(fd, out<Sockaddr>());
    case 'connect':
      return sys.connect(fd, address);
    case 'send':
      return sys.send(fd, bytes, flags);
    case 'sendto':
      return sys.sendto(fd, bytes, flags, address);
    case 'sendmsg':
      return sys.sendmsg(fd, msg, flags);
    case 'recv':
      return sys.recv(fd, bytes, flags);
    case 'recvfrom':
      return sys.recvfrom(fd, bytes, flags, out<Sockaddr>());
    case 'recvmsg':
      return sys.recvmsg(fd, msg, flags);
    case 'read':
      return sys.read(fd, bytes);
    case 'write':
      return sys.write(fd, bytes);
    case 'shutdown':
      return sys.shutdown(fd, a);
    case 'close':
      return sys.close(fd);
    case 'getsockname':
      return sys.getsockname(fd, out<Sockaddr>());
    case 'getpeername':
      return sys.getpeername(fd, out<Sockaddr>());
    case 'setsockopt':
      return sys.setsockopt(fd, a % 2 === 0 ? 6 : 1, b, value);
    case 'getsockopt':
      return sys.getsockopt(fd, a % 2 === 0 ? 6 : 1, b, out<OptionValue>());
    case 'fcntl':
      return sys.fcntl(fd, a, b);
    case 'ioctl':
      return sys.ioctl(fd, a % 2 === 0 ? 0x541b : a, { value: b });
    case 'poll':
      return sys.poll([{ fd, events: a, revents: 0 }]);
    case 'epoll_create1':
      return sys.epoll_create1(flags);
    case 'epoll_ctl':
      return sys.epoll_ctl(fd, a, b, event);
    default:
      return sys.epoll_wait(fd, [], a);
  }
}

/** Nothing is left of what was done to these hosts. */
function assertClean(world: World, hosts: readonly Stack[]): void {
  for (const { sys } of hosts) sys.closeAll();
  world.clock.runUntilIdle();
  for (const { host, tcp } of hosts) {
    assert.equal(tcp.flows.size, 0, 'flows');
    assert.equal(tcp.context.blocks.inUse, 0, 'blocks');
    assert.equal(host.timers.size, 0, 'timers');
    assert.deepEqual([...tcp.allListeners()], [], 'listeners');
  }
  assert.equal(world.pool.inUse, 0, 'packets');
  world.close();
}

function twoHosts(): { world: World; hosts: [Stack, Stack] } {
  const world = new World({ turn, sysctl: { tcp_retries2: 5 } });
  const hosts: [Stack, Stack] = [world.host('a'), world.host('b')];
  world.connect(...hosts, { delayUs: 1000 });
  return { world, hosts };
}

test('any calls with any arguments: each returns an integer, none throws, nothing is left', () => {
  fc.assert(
    fc.property(fc.array(call, { minLength: 1, maxLength: 60 }), calls => {
      const { world, hosts } = twoHosts();
      for (const each of calls) {
        if (each.name === 'time') {
          world.clock.runFor(20_000);
          continue;
        }
        const result = make(hosts[each.host] as Stack, each);
        assert.ok(Number.isInteger(result) && result >= -200, `${each.name} gave ${result}`);
      }
      assertClean(world, hosts);
    }),
    { numRuns: 400 },
  );
});

test('the same on sockets that are connected', () => {
  fc.assert(
    fc.property(fc.array(call, { minLength: 1, maxLength: 60 }), calls => {
      const { world, hosts } = twoHosts();
      const [a, b] = hosts;
      const listener = a.sys.socket(2, 1);
      a.sys.bind(listener, { address: '10.0.0.1', port: 80 });
      a.sys.listen(listener, 5);
      for (let i = 0; i < 3; i++) b.sys.connect(b.sys.socket(2, 1), { address: '10.0.0.1', port: 80 });
      world.clock.runFor(20_000);
      for (let i = 0; i < 3; i++) assert.ok(a.sys.accept(listener) >= 0);
      for (const each of calls) {
        if (each.name === 'time') world.clock.runFor(20_000);
        else assert.ok(Number.isInteger(make(hosts[each.host] as Stack, each)), each.name);
      }
      assertClean(world, hosts);
    }),
    { numRuns: 400 },
  );
});
