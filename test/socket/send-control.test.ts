/**
 * Control data of sendmsg(2): the source, the interface and the header fields of one datagram.
 */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { World } from '../../src/node/index.ts';
import type { Sys } from '../../src/socket/calls.ts';
import * as C from '../../src/socket/constants.ts';
import type { ControlMessage, In6Pktinfo, InPktinfo, SockExtendedErr } from '../../src/socket/control.ts';
import type { MsgHdr } from '../../src/socket/ops.ts';
import type { Stack } from '../../src/stack/stack.ts';
import type { CallEvent } from '../../src/trace/events.ts';
import { TraceLog } from '../../src/trace/sink.ts';
import { formatStrace } from '../../src/view/strace.ts';
import { ip } from '../udp/fixture.ts';
import { named } from './fixture.ts';

const { SOL_IP, SOL_IPV6 } = C;

let world: World;
/** The client, and a server with two addresses of each family. */
let a: Stack;
let b: Stack;

beforeEach(async () => {
  world = new World({ seed: 1, sysctl: { dad_transmits: 0 } });
  a = world.host('a', { address: '10.0.0.1/24', address6: 'fd00::1/64' });
  b = world.host('b', { address: '10.0.0.2/24', address6: 'fd00::2/64' });
  world.connect(a, b, { delayUs: 100 });
  const netif = b.ip.netif('eth0');
  netif?.addAddress(ip('10.0.0.9'), 24);
  netif?.addAddress(ip('fd00::9'), 64);
  await world.runFor(3_000_000);
});
afterEach(() => world.close());

function socket({ sys }: Stack, domain: number, address: string, ...options: number[]): number {
  const fd = sys.socket(domain, C.SOCK_DGRAM, 0);
  const level = domain === C.AF_INET ? SOL_IP : SOL_IPV6;
  for (const option of options) assert.equal(sys.setsockopt(fd, level, option, 1), 0);
  assert.equal(sys.bind(fd, { address, port: 7 }), 0);
  return fd;
}

const control = (cmsg_level: number, cmsg_type: number, cmsg_data: unknown): ControlMessage =>
  ({ cmsg_level, cmsg_type, cmsg_data }) as ControlMessage;
const pktinfo = (address: string, ipi_ifindex = 0): ControlMessage =>
  control(SOL_IP, C.IP_PKTINFO, { ipi_ifindex, ipi_spec_dst: ip(address), ipi_addr: ip('0.0.0.0') });
const pktinfo6 = (address: string, ipi6_ifindex = 0): ControlMessage =>
  control(SOL_IPV6, C.IPV6_PKTINFO, { ipi6_ifindex, ipi6_addr: ip(address) });

const text = (words: string): Uint8Array => new TextEncoder().encode(words);

/** What sendmsg says. */
function send(sys: Sys, fd: number, address: string, ...messages: ControlMessage[]): string | number {
  const msg: MsgHdr = { msg_name: { address, port: 7 }, msg_iov: [text('data')], msg_control: messages };
  return named(sys.sendmsg(fd, msg));
}

/** The next datagram, with what came besides it. */
async function receive({ sys }: Stack, fd: number): Promise<MsgHdr> {
  const msg: MsgHdr = { msg_iov: [new Uint8Array(100)] };
  assert.ok((await world.run(sys.wait.recvmsg(fd, msg))) >= 0);
  return msg;
}

/** The numbers of its control data, and who sent it. */
async function heard(stack: Stack, fd: number): Promise<[from: string, ...numbers: number[]]> {
  const { msg_name, msg_control = [] } = await receive(stack, fd);
  const numbers = msg_control.map(({ cmsg_data }) => cmsg_data).filter(data => typeof data === 'number');
  return [`${msg_name?.address}`, ...numbers];
}

describe('over IPv4', () => {
  test('an answer comes from the address that was asked, with what recvmsg gave', async () => {
    const [client, server] = [socket(a, C.AF_INET, '0.0.0.0'), socket(b, C.AF_INET, '0.0.0.0', C.IP_PKTINFO)];
    send(a.sys, client, '10.0.0.9');
    const question = await receive(b, server);
    const info = question.msg_control?.[0]?.cmsg_data as InPktinfo;
    assert.deepEqual([`${info.ipi_spec_dst}`, info.ipi_ifindex], ['10.0.0.9', 2]);
    assert.equal(b.sys.sendmsg(server, { ...question, msg_iov: [text('answer')] }), 6);
    assert.equal((await receive(a, client)).msg_name?.address.toString(), '10.0.0.9');
    // Without it, from the address that the route prefers.
    b.sys.sendmsg(server, { ...question, msg_control: [] });
    assert.equal((await receive(a, client)).msg_name?.address.toString(), '10.0.0.2');
  });

  test('TTL and TOS hold for one datagram, also of a connected socket, and in the waiting form', async () => {
    const client = socket(a, C.AF_INET, '0.0.0.0', C.IP_RECVTTL, C.IP_RECVTOS);
    const server = socket(b, C.AF_INET, '0.0.0.0');
    const messages = [control(SOL_IP, C.IP_TTL, 5), control(SOL_IP, C.IP_TOS, 0x20), pktinfo('10.0.0.9')];
    assert.equal(b.sys.connect(server, { address: '10.0.0.1', port: 7 }), 0);
    for (const name of [{ address: '10.0.0.1', port: 7 }, null]) {
      const msg: MsgHdr = { msg_name: name, msg_iov: [text('x')], msg_control: messages };
      assert.equal(await world.run(b.sys.wait.sendmsg(server, msg)), 1);
    }
    // A connected socket keeps its own address but for that.
    assert.equal(b.sys.send(server, text('plain')), 5);
    assert.deepEqual(await heard(a, client), ['10.0.0.9', 5, 0x20]);
    assert.deepEqual(await heard(a, client), ['10.0.0.9', 5, 0x20]);
    assert.deepEqual(await heard(a, client), ['10.0.0.2', 64, 0]);
  });

  test('what does not fit is refused', () => {
    const { sys } = a;
    const fd = socket(a, C.AF_INET, '0.0.0.0');
    const said = (...messages: ControlMessage[]) => send(sys, fd, '10.0.0.2', ...messages);
    assert.equal(said(control(SOL_IP, C.IP_TTL, 0)), 'EINVAL');
    assert.equal(said(control(SOL_IP, C.IP_TTL, 256)), 'EINVAL');
    assert.equal(said(control(SOL_IP, C.IP_TOS, -1)), 'EINVAL');
    assert.equal(said(control(SOL_IP, C.IP_TTL, 'five')), 'EINVAL');
    assert.equal(said(control(SOL_IP, C.IP_RECVERR, 1)), 'EINVAL');
    assert.equal(said(control(C.SOL_SOCKET, C.SO_TIMESTAMP, 1)), 'EINVAL');
    assert.equal(said(control(SOL_IP, C.IP_PKTINFO, { ipi_spec_dst: '10.0.0.1', ipi_ifindex: 0 })), 'EINVAL');
    assert.equal(said(pktinfo('10.0.0.2')), 'ENETUNREACH', 'not an address of ours');
    assert.equal(said(pktinfo('224.0.0.1')), 'EINVAL');
    assert.equal(said(pktinfo('0.0.0.0', 9)), 'ENODEV');
    assert.equal(said(null as never), 'EINVAL');
    const strange: MsgHdr = { msg_iov: [text('x')], msg_control: 'abc' as never };
    assert.equal(named(sys.sendmsg(fd, strange)), 'EFAULT');
    // Of another level: passed over. No address, no interface: left to the socket.
    assert.equal(said(control(SOL_IPV6, C.IPV6_HOPLIMIT, 999)), 4);
    assert.equal(said(pktinfo('0.0.0.0', 2), pktinfo('0.0.0.0')), 4);
  });

  test('a stream has no use for it', async () => {
    const server = b.listen({ port: 80 });
    const fd = a.sys.socket(C.AF_INET, C.SOCK_STREAM, 0);
    await world.run(a.sys.wait.connect(fd, { address: '10.0.0.2', port: 80 }));
    const msg: MsgHdr = { msg_iov: [text('x')], msg_control: [control(SOL_IP, C.IP_TTL, 0)] };
    assert.equal(a.sys.sendmsg(fd, msg), 1);
    server.close();
  });

  test('strace shows it', () => {
    const log = new TraceLog();
    a.trace = log;
    const fd = socket(a, C.AF_INET, '0.0.0.0');
    send(a.sys, fd, '10.0.0.2', pktinfo('10.0.0.1', 2), control(SOL_IP, C.IP_TTL, 5));
    const call = log.events.find(
      (event): event is CallEvent => event.type === 'call' && event.name === 'sendmsg',
    );
    assert.match(
      formatStrace(call ?? assert.fail()),
      /msg_control=\[\{cmsg_len=28, cmsg_level=SOL_IP, cmsg_type=IP_PKTINFO, cmsg_data=\{ipi_ifindex=2, ipi_spec_dst=.*10\.0\.0\.1.*\}\}, \{cmsg_len=20, cmsg_level=SOL_IP, cmsg_type=IP_TTL, cmsg_data=\[5\]\}\], msg_controllen=56,/,
    );
  });
});

describe('over IPv6', () => {
  test('an answer comes from the address that was asked, the group’s and the link’s members included', async () => {
    const client = socket(a, C.AF_INET6, '::');
    const server = socket(b, C.AF_INET6, '::', C.IPV6_RECVPKTINFO);
    const own = b.ip.netif('eth0')?.ipv6?.linkLocal?.withZone(0);
    for (const asked of ['fd00::9', 'fd00::2', `${own}%eth0`]) {
      send(a.sys, client, asked);
      const question = await receive(b, server);
      assert.equal(b.sys.sendmsg(server, { ...question, msg_iov: [text('answer')] }), 6);
      const from = `${(await receive(a, client)).msg_name?.address}`;
      assert.equal(from.replace('%2', '%eth0'), asked);
    }
  });

  test('hop limit and traffic class hold for one datagram', async () => {
    const client = socket(a, C.AF_INET6, '::', C.IPV6_RECVHOPLIMIT, C.IPV6_RECVTCLASS);
    const server = socket(b, C.AF_INET6, '::');
    const hops = (value: number) => control(SOL_IPV6, C.IPV6_HOPLIMIT, value);
    const tclass = (value: number) => control(SOL_IPV6, C.IPV6_TCLASS, value);
    send(b.sys, server, 'fd00::1', hops(3), tclass(0xb8), pktinfo6('fd00::9'));
    send(b.sys, server, 'fd00::1', hops(-1), tclass(-1));
    assert.deepEqual(await heard(a, client), ['fd00::9', 3, 0xb8]);
    assert.deepEqual(await heard(a, client), ['fd00::2', 64, 0]);
  });

  test('IPV6_DONTFRAG, as control data and as an option: too big is refused, not cut', () => {
    const { sys } = a;
    const fd = socket(a, C.AF_INET6, '::');
    const msg = (...msg_control: ControlMessage[]): MsgHdr => ({
      msg_name: { address: 'fd00::2', port: 7 },
      msg_iov: [new Uint8Array(3000)],
      msg_control,
    });
    const dontFrag = control(SOL_IPV6, C.IPV6_DONTFRAG, 1);
    assert.equal(named(sys.sendmsg(fd, msg(dontFrag))), 'EMSGSIZE');
    assert.equal(sys.sendmsg(fd, msg(control(SOL_IPV6, C.IPV6_DONTFRAG, 0))), 3000);
    assert.equal(named(sys.sendmsg(fd, msg(control(SOL_IPV6, C.IPV6_DONTFRAG, 2)))), 'EINVAL');
    assert.equal(sys.setsockopt(fd, SOL_IPV6, C.IPV6_DONTFRAG, 1), 0);
    assert.equal(named(sys.sendmsg(fd, msg())), 'EMSGSIZE');
    assert.equal(sys.setsockopt(fd, SOL_IPV6, C.IPV6_DONTFRAG, 0), 0);
    assert.equal(sys.sendmsg(fd, msg()), 3000);
  });

  test('what does not fit is refused', () => {
    const { sys } = b;
    const fd = socket(b, C.AF_INET6, '::');
    const said = (...messages: ControlMessage[]) => send(sys, fd, 'fd00::1', ...messages);
    const linkLocal = `${b.ip.netif('eth0')?.ipv6?.linkLocal?.withZone(0)}`;
    assert.equal(said(control(SOL_IPV6, C.IPV6_HOPLIMIT, 256)), 'EINVAL');
    assert.equal(said(control(SOL_IPV6, C.IPV6_TCLASS, -2)), 'EINVAL');
    assert.equal(said(control(SOL_IPV6, C.IPV6_RECVERR, 1)), 'EINVAL');
    assert.equal(said(pktinfo6('fd00::1')), 'EINVAL', 'not an address of ours');
    assert.equal(said(pktinfo6(linkLocal)), 'EINVAL', 'of which link?');
    assert.equal(said(pktinfo6('::', 9)), 'ENODEV');
    assert.equal(said(pktinfo6(linkLocal, 2)), 4);
    assert.equal(said(control(SOL_IP, C.IP_TTL, 999)), 4);
    assert.equal(sys.setsockopt(fd, C.SOL_SOCKET, C.SO_BINDTODEVICE, 'eth0'), 0);
    assert.equal(said(pktinfo6('::', 1)), 'EINVAL', 'another interface than it is bound to');
    assert.equal(said(pktinfo6('::', 2)), 4);
  });

  test('a socket for both families is told of IPv4 in its own words, and answers so', async () => {
    const client = socket(a, C.AF_INET, '0.0.0.0', C.IP_RECVTTL);
    const server = socket(b, C.AF_INET6, '::', C.IPV6_RECVPKTINFO, C.IPV6_RECVHOPLIMIT);
    send(a.sys, client, '10.0.0.9');
    const question = await receive(b, server);
    assert.equal(question.msg_control?.length, 1);
    const info = question.msg_control?.[0]?.cmsg_data as In6Pktinfo;
    assert.deepEqual([`${info.ipi6_addr}`, info.ipi6_ifindex], ['::ffff:10.0.0.9', 2]);
    const msg_control = [
      ...(question.msg_control ?? []),
      // That of the datagram's own family counts.
      control(SOL_IP, C.IP_TTL, 9),
      control(SOL_IPV6, C.IPV6_HOPLIMIT, 8),
    ];
    assert.equal(b.sys.sendmsg(server, { ...question, msg_iov: [text('answer')], msg_control }), 6);
    assert.deepEqual(await heard(a, client), ['10.0.0.9', 9]);
    assert.equal(send(b.sys, server, '::ffff:10.0.0.1', pktinfo6('fd00::9')), 'EINVAL');
  });

  test('an error about IPv4 is in its queue in its own words, too', async () => {
    const fd = socket(a, C.AF_INET6, '::', C.IPV6_RECVERR);
    send(a.sys, fd, '::ffff:10.0.0.2');
    await world.runFor(1_000_000);
    const msg: MsgHdr = { msg_iov: [new Uint8Array(100)] };
    assert.equal(a.sys.recvmsg(fd, msg, C.MSG_ERRQUEUE), 4);
    assert.equal(`${msg.msg_name?.address}`, '::ffff:10.0.0.2');
    const [error] = msg.msg_control ?? [];
    assert.deepEqual([error?.cmsg_level, error?.cmsg_type], [SOL_IPV6, C.IPV6_RECVERR]);
    const { offender, ee_origin } = (error ?? assert.fail()).cmsg_data as SockExtendedErr;
    assert.deepEqual([`${offender?.address}`, ee_origin], ['::ffff:10.0.0.2', C.SO_EE_ORIGIN_ICMP]);
  });
});

test('an echo request has it, too', async () => {
  const { sys } = b;
  const fd = sys.socket(C.AF_INET6, C.SOCK_DGRAM, C.IPPROTO_ICMPV6);
  const msg: MsgHdr = {
    msg_name: { address: 'fd00::1', port: 0 },
    msg_iov: [Uint8Array.of(128, 0, 0, 0, 0, 0, 0, 1)],
    msg_control: [pktinfo6('fd00::9')],
  };
  assert.equal(sys.sendmsg(fd, msg), 8);
  assert.equal(sys.setsockopt(fd, SOL_IPV6, C.IPV6_RECVPKTINFO, 1), 0);
  const reply = await receive(b, fd);
  const info = reply.msg_control?.[0]?.cmsg_data as In6Pktinfo | undefined;
  assert.equal(`${info?.ipi6_addr}`, 'fd00::9');
});
