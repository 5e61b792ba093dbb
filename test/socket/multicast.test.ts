import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EADDRINUSE, EADDRNOTAVAIL, EAGAIN, EINVAL, ENODEV, ENOPROTOOPT } from '../../src/base/errno.ts';
import { turn } from '../../src/node/turn.ts';
import { World } from '../../src/sim/world.ts';
import * as C from '../../src/socket/constants.ts';
import type { OptionValue } from '../../src/socket/options.ts';
import { out, type Sockaddr } from '../../src/socket/sockaddr.ts';
import type { Stack } from '../../src/stack/stack.ts';

const PORT = 5353;
const bytes = new TextEncoder().encode('to many');

interface Family {
  readonly name: string;
  readonly domain: number;
  readonly group: string;
  readonly any: string;
  readonly level: number;
  readonly join: number;
  readonly leave: number;
  readonly ttl: number;
  readonly loop: number;
  membership(index: number): OptionValue;
}

const FAMILIES: readonly Family[] = [
  {
    name: 'IPv4',
    domain: C.AF_INET,
    group: '239.1.2.3',
    any: '0.0.0.0',
    level: C.SOL_IP,
    join: C.IP_ADD_MEMBERSHIP,
    leave: C.IP_DROP_MEMBERSHIP,
    ttl: C.IP_MULTICAST_TTL,
    loop: C.IP_MULTICAST_LOOP,
    membership: index => ({ imr_multiaddr: '239.1.2.3', imr_ifindex: index }),
  },
  {
    name: 'IPv6',
    domain: C.AF_INET6,
    group: 'ff15::123',
    any: '::',
    level: C.SOL_IPV6,
    join: C.IPV6_JOIN_GROUP,
    leave: C.IPV6_LEAVE_GROUP,
    ttl: C.IPV6_MULTICAST_HOPS,
    loop: C.IPV6_MULTICAST_LOOP,
    membership: index => ({ ipv6mr_multiaddr: 'ff15::123', ipv6mr_interface: index }),
  },
];

/** Three hosts on a switch. */
async function lan(): Promise<{ world: World; hosts: readonly [Stack, Stack, Stack] }> {
  const world = new World({ seed: 1, turn });
  const wire = world.switch('lan');
  const hosts = ['a', 'b', 'c'].map((name, i) => world.host(name, { address6: `fd00::${i + 1}/64` }));
  for (const host of hosts) world.connect(host, wire, { delayUs: 100 });
  await world.runFor(5_000_000);
  return { world, hosts: hosts as unknown as [Stack, Stack, Stack] };
}

for (const family of FAMILIES) {
  const { domain, level, join, leave, ttl, loop, group } = family;

  describe(`multicast by sockets, ${family.name}`, () => {
    function listen({ sys }: Stack, index = 0): number {
      const fd = sys.socket(domain, C.SOCK_DGRAM | C.SOCK_NONBLOCK);
      sys.setsockopt(fd, C.SOL_SOCKET, C.SO_REUSEADDR, 1);
      assert.equal(sys.bind(fd, { address: family.any, port: PORT }), 0);
      assert.equal(sys.setsockopt(fd, level, join, family.membership(index)), 0);
      return fd;
    }

    function say({ sys }: Stack, change: (fd: number) => void = () => {}): void {
      const fd = sys.socket(domain, C.SOCK_DGRAM);
      change(fd);
      assert.equal(sys.sendto(fd, bytes, 0, { address: group, port: PORT }), bytes.length);
      sys.close(fd);
    }

    function heard({ sys }: Stack, fd: number): string | number {
      const buffer = new Uint8Array(100);
      const length = sys.recv(fd, buffer);
      return length < 0 ? length : new TextDecoder().decode(buffer.subarray(0, length));
    }

    test('members get what is sent to the group, others do not, until they leave', async () => {
      const { world, hosts } = await lan();
      const [a, b, c] = hosts;
      const member = listen(b);
      const other = c.sys.socket(domain, C.SOCK_DGRAM | C.SOCK_NONBLOCK);
      c.sys.bind(other, { address: family.any, port: PORT });
      say(a);
      await world.runFor(10_000);
      assert.equal(heard(b, member), 'to many');
      assert.equal(heard(c, other), -EAGAIN);
      assert.equal(b.sys.setsockopt(member, level, leave, family.membership(0)), 0);
      say(a);
      await world.runFor(10_000);
      assert.equal(heard(b, member), -EAGAIN);
      world.close();
    });

    test('each of several members on one host gets a copy; the last one that closes ends it', async () => {
      const { world, hosts } = await lan();
      const [a, b] = hosts;
      const [one, two] = [listen(b), listen(b)];
      say(a);
      await world.runFor(10_000);
      assert.deepEqual([heard(b, one), heard(b, two)], ['to many', 'to many']);
      b.sys.close(one);
      say(a);
      await world.runFor(10_000);
      assert.equal(heard(b, two), 'to many');
      b.sys.close(two);
      const before = b.mib.Udp.InDatagrams + b.mib.Udp6.InDatagrams;
      say(a);
      await world.runFor(10_000);
      assert.equal(b.mib.Udp.InDatagrams + b.mib.Udp6.InDatagrams, before);
      world.close();
    });

    test('members on the sending host get it, too, unless it is told not to', async () => {
      const { world, hosts } = await lan();
      const [a, b] = hosts;
      const members = [listen(a), listen(b)] as const;
      say(a);
      await world.runFor(10_000);
      assert.deepEqual([heard(a, members[0]), heard(b, members[1])], ['to many', 'to many']);
      say(a, fd => assert.equal(a.sys.setsockopt(fd, level, loop, 0), 0));
      await world.runFor(10_000);
      assert.deepEqual([heard(a, members[0]), heard(b, members[1])], [-EAGAIN, 'to many']);
      world.close();
    });

    test('goes no further than the link unless told to', async () => {
      const { world, hosts } = await lan();
      const [a, b] = hosts;
      const fd = listen(b);
      const [name, recv] =
        domain === C.AF_INET ? [C.IP_TTL, C.IP_RECVTTL] : [C.IPV6_HOPLIMIT, C.IPV6_RECVHOPLIMIT];
      b.sys.setsockopt(fd, level, recv, 1);
      const hops = async (set?: number): Promise<unknown> => {
        say(a, socket => {
          if (set !== undefined) assert.equal(a.sys.setsockopt(socket, level, ttl, set), 0);
        });
        await world.runFor(10_000);
        const from = out<Sockaddr>();
        const message = {
          msg_name: from,
          msg_iov: [new Uint8Array(100)],
          msg_control: [] as { cmsg_type: number; cmsg_data: unknown }[],
        };
        assert.ok(b.sys.recvmsg(fd, message as never) > 0);
        return message.msg_control.find(({ cmsg_type }) => cmsg_type === name)?.cmsg_data;
      };
      assert.equal(await hops(), 1);
      assert.equal(await hops(7), 7);
      world.close();
    });

    test('what cannot be is refused', async () => {
      const { world, hosts } = await lan();
      const [{ sys }] = hosts;
      const fd = sys.socket(domain, C.SOCK_DGRAM);
      const set = (name: number, value: OptionValue): number => sys.setsockopt(fd, level, name, value);
      assert.equal(set(leave, family.membership(0)), -EADDRNOTAVAIL);
      assert.equal(set(join, family.membership(2)), 0);
      assert.equal(set(join, family.membership(2)), -EADDRINUSE);
      assert.equal(set(join, family.membership(99)), -ENODEV);
      for (const wrong of [
        null,
        'x',
        5,
        {},
        { imr_multiaddr: '10.0.0.1' },
        { ipv6mr_multiaddr: 'fd00::1', ipv6mr_interface: 2 },
      ])
        assert.equal(set(join, wrong as never), -EINVAL, JSON.stringify(wrong));
      assert.equal(set(ttl, 256), -EINVAL);
      assert.equal(set(loop, 2), -EINVAL);
      const stream = sys.socket(domain, C.SOCK_STREAM);
      assert.equal(sys.setsockopt(stream, level, join, family.membership(2)), -ENOPROTOOPT);
      world.close();
    });
  });
}
