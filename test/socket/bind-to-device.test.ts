import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { World } from '../../src/node/index.ts';
import { AF_INET, SO_BINDTODEVICE, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET } from '../../src/socket/constants.ts';
import { out } from '../../src/socket/sockaddr.ts';
import type { Stack } from '../../src/stack/stack.ts';
import { named } from './fixture.ts';

/** A host with two interfaces, eth0 towards `a` and eth1 towards `b`. */
function middle(): { world: World; a: Stack; b: Stack; m: Stack } {
  const world = new World({ seed: 1 });
  const [a, b, m] = [
    world.host('a', { address: '10.0.1.2/24' }),
    world.host('b', { address: '10.0.2.2/24' }),
    world.host('m', { address: '10.0.1.1/24' }),
  ];
  world.connect(a, m);
  world.connect(b, m, { addresses: [undefined, '10.0.2.1/24'] });
  return { world, a, b, m };
}

function bound(stack: Stack, device: string, port: number): number {
  const { sys } = stack;
  const fd = sys.socket(AF_INET, SOCK_DGRAM, 0);
  assert.equal(sys.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device), 0);
  assert.equal(sys.bind(fd, { address: '0.0.0.0', port }), 0);
  return fd;
}

function received(stack: Stack, fd: number): string {
  const into = new Uint8Array(100);
  const length = stack.sys.recv(fd, into, 0);
  return length < 0 ? String(named(length)) : new TextDecoder().decode(into.subarray(0, length));
}

describe('SO_BINDTODEVICE', () => {
  it('receives by that interface alone; two sockets on two interfaces share a port', async () => {
    const { world, a, b, m } = middle();
    const [first, second] = [bound(m, 'eth0', 500), bound(m, 'eth1', 500)];
    const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
    await world.run(a.udp().send(bytes('by eth0'), { hostname: '10.0.1.1', port: 500 }));
    await world.run(b.udp().send(bytes('by eth1'), { hostname: '10.0.2.1', port: 500 }));
    await world.runFor(1e6);
    assert.equal(received(m, first), 'by eth0');
    assert.equal(received(m, second), 'by eth1');
    assert.equal(received(m, first), 'EAGAIN');
    world.close();
  });

  it('sends by that interface whatever the routes say', async () => {
    const { world, b, m } = middle();
    const there = bound(b, 'eth0', 600);
    const fd = bound(m, 'eth1', 0);
    const address = { address: '10.0.2.2', port: 600 };
    assert.equal(m.sys.sendto(fd, new TextEncoder().encode('x'), 0, address), 1);
    await world.runFor(1e6);
    assert.equal(received(b, there), 'x');
    m.sys.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, 'eth0');
    assert.equal(m.sys.sendto(fd, new TextEncoder().encode('y'), 0, address), 1);
    await world.runFor(10e6);
    assert.equal(received(b, there), 'EAGAIN');
    world.close();
  });

  it('is read back by name; -ENODEV for an unknown one, -ENOPROTOOPT on a stream', () => {
    const { world, m } = middle();
    const { sys } = m;
    const fd = bound(m, 'eth1', 0);
    const got = out<unknown>() as Parameters<typeof sys.getsockopt>[3];
    sys.getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, got);
    assert.equal(got.value, 'eth1');
    assert.equal(named(sys.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, 'eth7')), 'ENODEV');
    assert.equal(named(sys.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, 1)), 'EINVAL');
    assert.equal(sys.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, ''), 0);
    sys.getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, got);
    assert.equal(got.value, '');
    const stream = sys.socket(AF_INET, SOCK_STREAM, 0);
    assert.equal(named(sys.setsockopt(stream, SOL_SOCKET, SO_BINDTODEVICE, 'eth0')), 'ENOPROTOOPT');
    world.close();
  });
});
