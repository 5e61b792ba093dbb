/**
 * The error queue of an IPv6 socket: what became of its datagrams, in ICMPv6's words.
 */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { ECONNREFUSED, EHOSTUNREACH, EMSGSIZE, ENETUNREACH } from '../../src/base/errno.ts';
import { World } from '../../src/node/index.ts';
import * as C from '../../src/socket/constants.ts';
import type { SockExtendedErr } from '../../src/socket/control.ts';
import type { MsgHdr } from '../../src/socket/ops.ts';
import type { Stack } from '../../src/stack/stack.ts';
import { ip } from '../udp/fixture.ts';
import { named } from './fixture.ts';

let world: World;
/** a fd00:1::1 -- router fd00:1::fe, fd00:2::fe -- b fd00:2::2, whose cable takes 1300 bytes. */
let a: Stack;
let fd: number;

beforeEach(async () => {
  world = new World({ seed: 1, sysctl: { dad_transmits: 0 } });
  a = world.host('a');
  const router = world.host('router', { sysctl: { forwarding: true } });
  const b = world.host('b');
  world.connect(a, router, { delayUs: 100, addresses6: ['fd00:1::1/64', 'fd00:1::fe/64'] });
  world.connect(router, b, { delayUs: 100, mtu: 1300, addresses6: ['fd00:2::fe/64', 'fd00:2::2/64'] });
  a.ip.routes.addDefault(ip('fd00:1::fe'));
  b.ip.routes.addDefault(ip('fd00:2::fe'));
  fd = a.sys.socket(C.AF_INET6, C.SOCK_DGRAM, 0);
  for (const option of [C.IPV6_RECVERR, C.IPV6_RECVHOPLIMIT])
    assert.equal(a.sys.setsockopt(fd, C.SOL_IPV6, option, 1), 0);
  await world.runFor(3_000_000);
});
afterEach(() => world.close());

/** Sends a datagram and reads what the queue says of it: origin, type, code, who says so, and the information. */
async function whatBecomesOf(address: string, length = 5): Promise<[number, ...unknown[]]> {
  a.sys.sendto(fd, new Uint8Array(length).fill(7), 0, { address, port: 53 });
  await world.runFor(4_000_000);
  const fds = [{ fd, events: C.POLLIN, revents: 0 }];
  a.sys.poll(fds);
  assert.equal(fds[0]?.revents, C.POLLERR);
  const buffer = new Uint8Array(2000);
  const msg: MsgHdr = { msg_iov: [buffer] };
  const got = a.sys.recvmsg(fd, msg, C.MSG_ERRQUEUE);
  assert.ok(got >= 0, String(named(got)));
  assert.equal(`${msg.msg_name?.address} ${msg.msg_name?.port}`, `${address} ${got === 0 ? 0 : 53}`);
  assert.deepEqual(buffer.subarray(0, got), new Uint8Array(got).fill(7));
  const [last] = (msg.msg_control ?? []).slice(-1);
  assert.deepEqual([last?.cmsg_level, last?.cmsg_type], [C.SOL_IPV6, C.IPV6_RECVERR]);
  const error = (last ?? assert.fail()).cmsg_data as SockExtendedErr;
  const { ee_errno, ee_origin, ee_type, ee_code, ee_info, offender } = error;
  return [ee_errno, ee_origin, ee_type, ee_code, offender === null ? null : `${offender.address}`, ee_info];
}

test('a port where nobody is', async () => {
  const said = [ECONNREFUSED, C.SO_EE_ORIGIN_ICMP6, 1, 4, 'fd00:2::2', 0];
  assert.deepEqual(await whatBecomesOf('fd00:2::2'), said);
});

test('nobody there: this host says so of a neighbour, a router of a host', async () => {
  const here = [EHOSTUNREACH, C.SO_EE_ORIGIN_ICMP6, 1, 3, 'fd00:1::1', 0];
  assert.deepEqual(await whatBecomesOf('fd00:1::77'), here);
  const there = [EHOSTUNREACH, C.SO_EE_ORIGIN_ICMP6, 1, 3, 'fd00:1::fe', 0];
  assert.deepEqual(await whatBecomesOf('fd00:2::77'), there);
});

test('no route, and a hop limit that is too small', async () => {
  const noRoute = [ENETUNREACH, C.SO_EE_ORIGIN_ICMP6, 1, 0, 'fd00:1::fe', 0];
  assert.deepEqual(await whatBecomesOf('2001:db8::1'), noRoute);
  a.sys.setsockopt(fd, C.SOL_IPV6, C.IPV6_UNICAST_HOPS, 1);
  const exceeded = [EHOSTUNREACH, C.SO_EE_ORIGIN_ICMP6, 3, 0, 'fd00:1::fe', 0];
  assert.deepEqual(await whatBecomesOf('fd00:2::2'), exceeded);
});

test('too big for the path, then, with that known, for this host', async () => {
  const tooBig = [EMSGSIZE, C.SO_EE_ORIGIN_ICMP6, 2, 0, 'fd00:1::fe', 1300];
  assert.deepEqual(await whatBecomesOf('fd00:2::2', 1400), tooBig);
  a.sys.setsockopt(fd, C.SOL_IPV6, C.IPV6_MTU_DISCOVER, C.IP_PMTUDISC_DO);
  const local = [EMSGSIZE, C.SO_EE_ORIGIN_LOCAL, 0, 0, null, 1300];
  assert.deepEqual(await whatBecomesOf('fd00:2::2', 1400), local);
});

test('turned off, it is empty, and an unconnected socket hears nothing', async () => {
  a.sys.sendto(fd, new Uint8Array(5), 0, { address: 'fd00:2::2', port: 53 });
  await world.runFor(1_000_000);
  assert.equal(a.sys.setsockopt(fd, C.SOL_IPV6, C.IPV6_RECVERR, 0), 0);
  assert.equal(named(a.sys.recvmsg(fd, { msg_iov: [] }, C.MSG_ERRQUEUE)), 'EAGAIN');
});
