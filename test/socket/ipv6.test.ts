import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { EADDRINUSE, EAFNOSUPPORT, EINVAL, ENETUNREACH } from '../../src/base/errno.ts';
import { World } from '../../src/node/index.ts';
import {
  AF_INET,
  AF_INET6,
  IP_MTU_DISCOVER,
  IP_PMTUDISC_DONT,
  IP_TOS,
  IPPROTO_ICMPV6,
  IPV6_HOPLIMIT,
  IPV6_MTU,
  IPV6_PKTINFO,
  IPV6_RECVHOPLIMIT,
  IPV6_RECVPKTINFO,
  IPV6_RECVTCLASS,
  IPV6_TCLASS,
  IPV6_UNICAST_HOPS,
  IPV6_V6ONLY,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_IP,
  SOL_IPV6,
} from '../../src/socket/constants.ts';
import type { MsgHdr } from '../../src/socket/ops.ts';
import type { OptionValue } from '../../src/socket/options.ts';
import { out, type Sockaddr } from '../../src/socket/sockaddr.ts';
import type { Stack } from '../../src/stack/stack.ts';
import { ping } from '../../src/tools/ping.ts';
import { TRACE_PACKET } from '../../src/trace/events.ts';
import { traceTo } from '../../src/trace/sink.ts';

let world: World;
let a: Stack;
let b: Stack;

before(async () => {
  world = new World({ seed: 1 });
  a = world.host('a', { address: '10.0.0.1/24', address6: 'fd00::1/64' });
  b = world.host('b', { address: '10.0.0.2/24', address6: 'fd00::2/64' });
  world.connect(a, b, { delayUs: 100 });
  await world.runFor(3_000_000);
});
after(() => world.close());

function option(stack: Stack, fd: number, name: number): OptionValue | null | number {
  const value = out<OptionValue>();
  const result = stack.sys.getsockopt(fd, SOL_IPV6, name, value);
  return result < 0 ? result : value.value;
}

function nameOf(stack: Stack, fd: number): string {
  const name = out<Sockaddr>();
  stack.sys.getsockname(fd, name);
  return `${name.value?.family} ${name.value?.address} ${name.value?.port}`;
}

/** A socket of b that listens. */
function listener(family: number, address: string, port: number, v6only = false): number {
  const fd = b.sys.socket(family, SOCK_STREAM);
  if (v6only) assert.equal(b.sys.setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, 1), 0);
  const bound = b.sys.bind(fd, { address, port });
  if (bound < 0) {
    b.sys.close(fd);
    return bound;
  }
  return b.sys.listen(fd, 5) || fd;
}

describe('streams', () => {
  test('connect and accept name both ends in full', async () => {
    const server = listener(AF_INET6, '::', 80);
    const fd = a.sys.socket(AF_INET6, SOCK_STREAM);
    assert.equal(await world.run(a.sys.wait.connect(fd, { address: 'fd00::2', port: 80 })), 0);
    const peer = out<Sockaddr>();
    const accepted = await world.run(b.sys.wait.accept(server, peer));
    assert.equal(`${peer.value?.family} ${peer.value?.address}`, '10 fd00::1');
    assert.equal(nameOf(b, accepted), '10 fd00::2 80');
    assert.match(nameOf(a, fd), /^10 fd00::1 \d+$/);
    assert.equal(option(a, fd, IPV6_MTU), 1500);
    for (const [stack, one] of [
      [a, fd],
      [b, accepted],
      [b, server],
    ] as const)
      stack.sys.close(one);
  });

  test('a socket on :: takes IPv4, too, and shows the peer by a mapped address', async () => {
    const server = listener(AF_INET6, '::', 81);
    const fd = a.sys.socket(AF_INET, SOCK_STREAM);
    assert.equal(await world.run(a.sys.wait.connect(fd, { address: '10.0.0.2', port: 81 })), 0);
    const peer = out<Sockaddr>();
    const accepted = await world.run(b.sys.wait.accept(server, peer));
    assert.equal(String(peer.value?.address), '::ffff:10.0.0.1');
    assert.equal(nameOf(b, accepted), '10 ::ffff:10.0.0.2 81');
    for (const [stack, one] of [
      [a, fd],
      [b, accepted],
      [b, server],
    ] as const)
      stack.sys.close(one);
  });

  test('IPV6_V6ONLY: :: is IPv6 alone, and IPv4 has the port for itself', async () => {
    const six = listener(AF_INET6, '::', 82, true);
    const four = listener(AF_INET, '0.0.0.0', 82);
    assert.ok(six > 0 && four > 0);
    assert.equal(b.sys.setsockopt(six, SOL_IPV6, IPV6_V6ONLY, 0), -EINVAL, 'it is bound');
    assert.equal(option(b, six, IPV6_V6ONLY), 1);
    const both = listener(AF_INET6, '::', 82);
    assert.equal(both, -EADDRINUSE);
    for (const fd of [six, four]) b.sys.close(fd);
    const dual = listener(AF_INET6, '::', 82);
    assert.equal(listener(AF_INET, '0.0.0.0', 82), -EADDRINUSE);
    assert.equal(listener(AF_INET, '10.0.0.2', 82), -EADDRINUSE);
    b.sys.close(dual);
  });

  test('an IPv6 socket reaches IPv4 by a mapped address, unless it must not', async () => {
    const server = listener(AF_INET, '0.0.0.0', 83);
    const fd = a.sys.socket(AF_INET6, SOCK_STREAM);
    assert.equal(await world.run(a.sys.wait.connect(fd, { address: '::ffff:10.0.0.2', port: 83 })), 0);
    assert.match(nameOf(a, fd), /^10 ::ffff:10\.0\.0\.1 /);
    const only = a.sys.socket(AF_INET6, SOCK_STREAM);
    a.sys.setsockopt(only, SOL_IPV6, IPV6_V6ONLY, 1);
    assert.equal(a.sys.connect(only, { address: '::ffff:10.0.0.2', port: 83 }), -ENETUNREACH);
    assert.equal(a.sys.connect(only, { address: '10.0.0.2', port: 83 }), -EAFNOSUPPORT);
    for (const one of [fd, only]) a.sys.close(one);
    b.sys.close(server);
  });

  test('IP_TOS and IP_MTU_DISCOVER of an IPv6 stream count towards an IPv4 peer, and only there', async () => {
    const v4 = listener(AF_INET, '0.0.0.0', 85);
    const v6 = listener(AF_INET6, '::', 86, true);
    const fds = [a.sys.socket(AF_INET6, SOCK_STREAM), a.sys.socket(AF_INET6, SOCK_STREAM)] as const;
    for (const fd of fds) {
      assert.equal(a.sys.setsockopt(fd, SOL_IP, IP_TOS, 0x28), 0);
      assert.equal(a.sys.setsockopt(fd, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT), 0);
      assert.equal(a.sys.setsockopt(fd, SOL_IP, IP_MTU_DISCOVER, 99), -EINVAL);
    }
    const sent: Uint8Array[] = [];
    a.trace = traceTo(event => {
      if (event.type === 'packet' && event.direction === 'out')
        sent.push(Buffer.from(event.data, 'hex').subarray(14));
    }, TRACE_PACKET);
    assert.equal(await world.run(a.sys.wait.connect(fds[0], { address: '::ffff:10.0.0.2', port: 85 })), 0);
    assert.equal(await world.run(a.sys.wait.connect(fds[1], { address: 'fd00::2', port: 86 })), 0);
    a.trace = null;
    const [four] = sent.filter(packet => (packet[0] as number) >> 4 === 4);
    const [six] = sent.filter(packet => (packet[0] as number) >> 4 === 6 && packet[6] === 6);
    assert.equal(four?.[1], 0x28, 'type of service');
    assert.equal((four?.[6] as number) & 0x40, 0, "no don't fragment");
    assert.deepEqual([(six?.[0] as number) & 0xf, (six?.[1] as number) & 0xf0], [0, 0], 'traffic class');
    for (const fd of fds) a.sys.close(fd);
    for (const fd of [v4, v6]) b.sys.close(fd);
  });

  test('a link-local peer needs its zone, by name or by number', async () => {
    const server = listener(AF_INET6, '::', 84);
    const address = String(b.ip.netif('eth0')?.ipv6?.linkLocal?.withZone(0));
    const fd = a.sys.socket(AF_INET6, SOCK_STREAM);
    assert.equal(a.sys.connect(fd, { address, port: 84 }), -EINVAL);
    assert.equal(a.sys.connect(fd, { address: `${address}%eth9`, port: 84 }), -EINVAL);
    const to = { address: `${address}%eth0`, port: 84 };
    assert.equal(await world.run(a.sys.wait.connect(fd, to)), 0);
    const other = a.sys.socket(AF_INET6, SOCK_STREAM);
    const scoped = { address, port: 84, scope_id: 2 };
    assert.equal(await world.run(a.sys.wait.connect(other, scoped)), 0);
    const peer = out<Sockaddr>();
    a.sys.getpeername(other, peer);
    assert.deepEqual([peer.value?.address.zone, String(peer.value?.address)], [2, `${address}%2`]);
    for (const one of [fd, other]) a.sys.close(one);
    b.sys.close(server);
  });

  test('hop limit and traffic class', () => {
    const fd = a.sys.socket(AF_INET6, SOCK_STREAM);
    assert.equal(option(a, fd, IPV6_UNICAST_HOPS), 64);
    assert.equal(a.sys.setsockopt(fd, SOL_IPV6, IPV6_UNICAST_HOPS, 5), 0);
    assert.equal(option(a, fd, IPV6_UNICAST_HOPS), 5);
    assert.equal(a.sys.setsockopt(fd, SOL_IPV6, IPV6_UNICAST_HOPS, -1), 0);
    assert.equal(option(a, fd, IPV6_UNICAST_HOPS), 64);
    assert.equal(a.sys.setsockopt(fd, SOL_IPV6, IPV6_UNICAST_HOPS, 256), -EINVAL);
    assert.equal(a.sys.setsockopt(fd, SOL_IPV6, IPV6_TCLASS, 0x2f), 0);
    assert.equal(option(a, fd, IPV6_TCLASS), 0x2c, 'the ECN bits are TCP’s');
    a.sys.close(fd);
  });
});

describe('datagrams', () => {
  test('with hop limit, class and where they were sent to', async () => {
    const receiver = b.sys.socket(AF_INET6, SOCK_DGRAM);
    b.sys.bind(receiver, { address: '::', port: 90 });
    for (const name of [IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS]) {
      assert.equal(b.sys.setsockopt(receiver, SOL_IPV6, name, 1), 0);
    }
    const sender = a.sys.socket(AF_INET6, SOCK_DGRAM);
    a.sys.setsockopt(sender, SOL_IPV6, IPV6_UNICAST_HOPS, 9);
    a.sys.setsockopt(sender, SOL_IPV6, IPV6_TCLASS, 0x20);
    assert.equal(a.sys.sendto(sender, Uint8Array.of(1, 2), 0, { address: 'fd00::2', port: 90 }), 2);
    const msg: MsgHdr = { msg_iov: [new Uint8Array(10)] };
    assert.equal(await world.run(b.sys.wait.recvmsg(receiver, msg)), 2);
    assert.equal(String(msg.msg_name?.address), 'fd00::1');
    const control = (msg.msg_control ?? []).map(({ cmsg_type, cmsg_data }) => [cmsg_type, cmsg_data]);
    assert.deepEqual(control.slice(1), [
      [IPV6_HOPLIMIT, 9],
      [IPV6_TCLASS, 0x20],
    ]);
    assert.equal(control[0]?.[0], IPV6_PKTINFO);
    assert.deepEqual(JSON.parse(JSON.stringify(control[0]?.[1])), { ipi6_addr: 'fd00::2', ipi6_ifindex: 2 });
    a.sys.close(sender);
    b.sys.close(receiver);
  });

  test('both families come to a socket on ::, one comes to a V6ONLY one', async () => {
    const dual = b.udp({ hostname: '::', port: 91 });
    const four = a.udp();
    await world.run(four.send(Uint8Array.of(4), { hostname: '10.0.0.2', port: 91 }));
    const datagram = await world.run(dual.receive());
    assert.equal(datagram.hostname, '::ffff:10.0.0.1');
    await world.run(dual.send(Uint8Array.of(5), datagram));
    assert.deepEqual([...(await world.run(four.receive())).data], [5]);
    for (const socket of [dual, four]) socket.close();
    const only = b.sys.socket(AF_INET6, SOCK_DGRAM);
    b.sys.setsockopt(only, SOL_IPV6, IPV6_V6ONLY, 1);
    assert.equal(b.sys.bind(only, { address: '::', port: 92 }), 0);
    const other = b.sys.socket(AF_INET, SOCK_DGRAM);
    assert.equal(b.sys.bind(other, { address: '0.0.0.0', port: 92 }), 0);
    for (const fd of [only, other]) b.sys.close(fd);
  });

  test('a port on which nobody listens is refused', async () => {
    const fd = a.sys.socket(AF_INET6, SOCK_DGRAM);
    assert.equal(a.sys.connect(fd, { address: 'fd00::2', port: 9999 }), 0);
    a.sys.send(fd, Uint8Array.of(1));
    assert.equal(await world.run(a.sys.wait.recv(fd, new Uint8Array(1))), -111);
    a.sys.close(fd);
  });

  test('the largest datagram is 65527 bytes and arrives', async () => {
    const receiver = b.udp({ hostname: '::', port: 93 });
    const sender = a.udp({ hostname: '::' });
    const to = { hostname: 'fd00::2', port: 93 };
    await world.run(sender.send(new Uint8Array(65527).fill(7), to));
    assert.equal((await world.run(receiver.receive())).data.length, 65527);
    await assert.rejects(world.run(sender.send(new Uint8Array(65528), to)), { code: 'EMSGSIZE' });
    for (const socket of [receiver, sender]) socket.close();
  });
});

describe('the high-level API', () => {
  test('connect to [address]:port, listen on ::', async () => {
    const server = b.listen({ hostname: '::', port: 8080 });
    const socket = a.connect('[fd00::2]:8080');
    const info = await world.run(socket.opened);
    assert.equal(info.remoteAddress, '[fd00::2]:8080');
    assert.match(info.localAddress, /^\[fd00::1\]:/);
    const accepted = await world.run(server.accept());
    const writer = socket.writable.getWriter();
    void writer.write(Uint8Array.of(1, 2, 3));
    const reader = accepted.readable.getReader();
    assert.deepEqual([...((await world.run(reader.read())).value ?? [])], [1, 2, 3]);
    const rows = b
      .sockets()
      .filter(({ local }) => local.endsWith(':8080'))
      .map(({ local, peer }) => `${local} ${peer.replace(/\d+$/, 'N')}`);
    assert.deepEqual(rows, ['*:8080 *:*', '[fd00::2]:8080 [fd00::1]:N']);
    socket.abort();
    accepted.abort();
    server.close();
  });

  test('a host talks to itself by ::1', async () => {
    const server = a.listen({ hostname: '::1', port: 8081 });
    const socket = a.connect('[::1]:8081');
    assert.equal((await world.run(socket.opened)).remoteAddress, '[::1]:8081');
    socket.abort();
    server.close();
  });
});

describe('ping', () => {
  test('an ICMPv6 socket sends echo requests and gets the replies', async () => {
    const fd = a.sys.socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6);
    const request = Uint8Array.of(128, 0, 0, 0, 0, 0, 0, 7, 1, 2, 3);
    assert.equal(a.sys.sendto(fd, request, 0, { address: 'fd00::2', port: 0 }), 11);
    const reply = new Uint8Array(20);
    assert.equal(await world.run(a.sys.wait.recv(fd, reply)), 11);
    assert.deepEqual([reply[0], reply[7], ...reply.subarray(8, 11)], [129, 7, 1, 2, 3]);
    assert.equal(
      a.sys.sendto(fd, Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 7), 0, { address: 'fd00::2', port: 0 }),
      -EINVAL,
    );
    a.sys.close(fd);
  });

  test('the tool speaks IPv6', async () => {
    const events: string[] = [];
    const run = async (): Promise<void> => {
      for await (const event of ping(a, 'fd00::2', { count: 2 })) {
        events.push(event.type === 'reply' ? `${event.from} ${event.ttl}` : event.type);
      }
    };
    await world.run(run());
    assert.deepEqual(events, ['fd00::2 64', 'fd00::2 64']);
  });
});
