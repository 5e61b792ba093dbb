import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EHOSTUNREACH, EMSGSIZE } from '../../src/base/errno.ts';
import type { Sys } from '../../src/socket/calls.ts';
import * as C from '../../src/socket/constants.ts';
import type { InPktinfo, SockExtendedErr } from '../../src/socket/control.ts';
import type { EpollEvent } from '../../src/socket/epoll.ts';
import type { MsgHdr } from '../../src/socket/ops.ts';
import type { OptionValue } from '../../src/socket/options.ts';
import { out } from '../../src/socket/sockaddr.ts';
import { formatStrace } from '../../src/view/strace.ts';
import { bytes } from '../udp/fixture.ts';
import { calls, named, udpPair, udpSocket } from './fixture.ts';

const CLOSED = { address: '10.0.0.2', port: 53 };
const NOBODY = { address: '10.0.0.9', port: 53 };

function recvErr(sys: Sys): number {
  const fd = udpSocket(sys, 0);
  assert.equal(sys.setsockopt(fd, C.SOL_IP, C.IP_RECVERR, 1), 0);
  return fd;
}

function readError(sys: Sys, fd: number): { msg: MsgHdr; text: string; error: SockExtendedErr } {
  const msg: MsgHdr = { msg_iov: [new Uint8Array(100)] };
  const length = sys.recvmsg(fd, msg, C.MSG_ERRQUEUE);
  assert.ok(length >= 0, String(named(length)));
  const control = msg.msg_control?.find(({ cmsg_type }) => cmsg_type === C.IP_RECVERR);
  const text = new TextDecoder().decode(msg.msg_iov[0]?.subarray(0, length));
  return { msg, text, error: control?.cmsg_data as SockExtendedErr };
}

function events(sys: Sys, fd: number): number {
  const fds = [{ fd, events: C.POLLIN, revents: 0 }];
  sys.poll(fds);
  return fds[0]?.revents ?? 0;
}

describe('the error queue', () => {
  it('tells an unconnected socket with IP_RECVERR what became of its datagram', () => {
    const { clock, sysA } = udpPair();
    const fd = recvErr(sysA);
    sysA.sendto(fd, bytes('question'), 0, CLOSED);
    clock.runFor(1e6);
    assert.equal(events(sysA, fd), C.POLLERR);
    const { msg, text, error } = readError(sysA, fd);
    assert.equal(text, 'question');
    assert.equal(`${msg.msg_name?.address}:${msg.msg_name?.port}`, '10.0.0.2:53');
    assert.equal(msg.msg_flags, C.MSG_ERRQUEUE);
    const { offender, ...rest } = error;
    assert.deepEqual(rest, {
      ee_errno: 111,
      ee_origin: C.SO_EE_ORIGIN_ICMP,
      ee_type: 3,
      ee_code: 3,
      ee_info: 0,
      ee_data: 0,
    });
    assert.equal(String(offender?.address), '10.0.0.2');
    assert.equal(events(sysA, fd), 0);
    assert.equal(named(sysA.recvmsg(fd, { msg_iov: [] }, C.MSG_ERRQUEUE)), 'EAGAIN');
    // The pending error went with it.
    assert.equal(named(sysA.recv(fd, new Uint8Array(1))), 'EAGAIN');
  });

  it('without IP_RECVERR an unconnected socket hears nothing', () => {
    const { clock, sysA } = udpPair();
    const fd = udpSocket(sysA, 0);
    sysA.sendto(fd, bytes('x'), 0, CLOSED);
    clock.runFor(1e6);
    assert.equal(events(sysA, fd), 0);
    assert.equal(named(sysA.recv(fd, new Uint8Array(1))), 'EAGAIN');
  });

  it('the error is also the pending one, until it or the queue is read', () => {
    const { clock, sysA } = udpPair();
    const fd = recvErr(sysA);
    sysA.sendto(fd, bytes('1'), 0, CLOSED);
    sysA.sendto(fd, bytes('2'), 0, NOBODY);
    clock.runFor(5e6);
    assert.equal(named(sysA.recv(fd, new Uint8Array(1))), 'EHOSTUNREACH', 'the last one');
    assert.equal(named(sysA.recv(fd, new Uint8Array(1))), 'EAGAIN');
    assert.equal(events(sysA, fd), C.POLLERR);
    assert.equal(readError(sysA, fd).text, '1');
    const pending = out<OptionValue>();
    sysA.getsockopt(fd, C.SOL_SOCKET, C.SO_ERROR, pending);
    assert.equal(pending.value, EHOSTUNREACH, 'that of the next one in the queue');
    const { error } = readError(sysA, fd);
    assert.deepEqual([error.ee_errno, error.ee_type, error.ee_code], [EHOSTUNREACH, 3, 1]);
    assert.equal(String(error.offender?.address), '10.0.0.1', 'this host says so itself');
  });

  it('a datagram that is too big leaves the MTU', () => {
    const { sysA } = udpPair();
    const fd = recvErr(sysA);
    sysA.setsockopt(fd, C.SOL_IP, C.IP_MTU_DISCOVER, C.IP_PMTUDISC_DO);
    assert.equal(named(sysA.sendto(fd, new Uint8Array(1473), 0, CLOSED)), 'EMSGSIZE');
    const { error, text, msg } = readError(sysA, fd);
    assert.deepEqual(
      [error.ee_errno, error.ee_origin, error.ee_info],
      [EMSGSIZE, C.SO_EE_ORIGIN_LOCAL, 1500],
    );
    assert.equal(error.offender, null);
    assert.equal(text, '');
    assert.equal(String(msg.msg_name?.address), '10.0.0.2');
    sysA.setsockopt(fd, C.SOL_IP, C.IP_RECVERR, 0);
    assert.equal(named(sysA.sendto(fd, new Uint8Array(1473), 0, CLOSED)), 'EMSGSIZE');
    assert.equal(events(sysA, fd), 0);
  });

  it('is bounded by SO_RCVBUF, and emptied when IP_RECVERR is turned off', () => {
    const { clock, a, sysA } = udpPair();
    const fd = recvErr(sysA);
    sysA.setsockopt(fd, C.SOL_SOCKET, C.SO_RCVBUF, 2304);
    a.host.sysctl.ip_default_ttl = 64;
    for (let i = 0; i < 40; i++) sysA.sendto(fd, new Uint8Array(500), 0, NOBODY);
    clock.runFor(10e6);
    let count = 0;
    while (sysA.recvmsg(fd, { msg_iov: [] }, C.MSG_ERRQUEUE) >= 0) count++;
    // Of 756 bytes each in 4,608.
    assert.equal(count, 6);
    assert.ok(a.drops().includes('SOCKET_RCVBUFF'));
    sysA.recv(fd, new Uint8Array(1));
    sysA.sendto(fd, bytes('x'), 0, NOBODY);
    clock.runFor(10e6);
    sysA.setsockopt(fd, C.SOL_IP, C.IP_RECVERR, 0);
    assert.equal(named(sysA.recvmsg(fd, { msg_iov: [] }, C.MSG_ERRQUEUE)), 'EAGAIN');
  });

  it('is never waited for, and wakes epoll', async () => {
    const { clock, sysA } = udpPair();
    const fd = recvErr(sysA);
    const msg = { msg_iov: [new Uint8Array(1)] };
    assert.equal(named(await clock.finish(sysA.wait.recvmsg(fd, msg, C.MSG_ERRQUEUE))), 'EAGAIN');
    const epfd = sysA.epoll_create1();
    sysA.epoll_ctl(epfd, C.EPOLL_CTL_ADD, fd, { events: C.EPOLLIN, data: fd });
    const ready: EpollEvent[] = [];
    const waiting = sysA.wait.epoll_wait(epfd, ready, 1, -1);
    sysA.sendto(fd, bytes('x'), 0, CLOSED);
    assert.equal(await clock.finish(waiting), 1);
    assert.equal(ready[0]?.events, C.EPOLLERR);
  });

  it('of a stream holds no ICMP messages', () => {
    const { sysA } = udpPair();
    const fd = sysA.socket(C.AF_INET, C.SOCK_STREAM);
    assert.equal(named(sysA.recv(fd, new Uint8Array(1), C.MSG_ERRQUEUE)), 'EAGAIN');
    assert.equal(sysA.setsockopt(fd, C.SOL_IP, C.IP_RECVERR, 1), 0);
    assert.equal(named(sysA.recv(fd, new Uint8Array(1), C.MSG_ERRQUEUE)), 'EAGAIN');
  });

  it('holds the message of a ping socket, and only its own', () => {
    const { clock, sysA } = udpPair();
    const [fd, other] = [0, 0].map(() => sysA.socket(C.AF_INET, C.SOCK_DGRAM, C.IPPROTO_ICMP)) as [
      number,
      number,
    ];
    for (const each of [fd, other]) sysA.setsockopt(each, C.SOL_IP, C.IP_RECVERR, 1);
    const request = Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 5, 65, 66);
    sysA.sendto(other, Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 1), 0, CLOSED);
    sysA.sendto(fd, request, 0, NOBODY);
    clock.runFor(5e6);
    const { msg, error } = readError(sysA, fd);
    const [type, code, , , , , , sequence, ...data] = msg.msg_iov[0]?.subarray(0, 10) ?? [];
    assert.deepEqual([type, code, sequence, ...data], [8, 0, 5, 65, 66]);
    assert.equal(error.ee_errno, EHOSTUNREACH);
    assert.equal(events(sysA, other), C.POLLIN);
  });
});

function pktinfo(msg: MsgHdr): InPktinfo {
  const found = msg.msg_control?.find(({ cmsg_type }) => cmsg_type === C.IP_PKTINFO);
  assert.ok(found !== undefined);
  return found.cmsg_data as InPktinfo;
}

describe('control messages', () => {
  it('come with a datagram when they are asked for', () => {
    const { clock, sysA, sysB } = udpPair();
    const server = udpSocket(sysB, 53);
    const client = udpSocket(sysA, 4000);
    sysA.setsockopt(client, C.SOL_IP, C.IP_TTL, 33);
    sysA.setsockopt(client, C.SOL_IP, C.IP_TOS, 0x10);
    sysA.sendto(client, bytes('1'), 0, CLOSED);
    clock.runFor(1e6);
    const msg: MsgHdr = { msg_iov: [new Uint8Array(9)] };
    sysB.recvmsg(server, msg);
    assert.deepEqual(msg.msg_control, []);
    for (const option of [C.IP_RECVTTL, C.IP_RECVTOS, C.IP_PKTINFO]) {
      assert.equal(sysB.setsockopt(server, C.SOL_IP, option, 1), 0);
    }
    sysB.setsockopt(server, C.SOL_SOCKET, C.SO_TIMESTAMP, 1);
    const sentUs = clock.nowUs;
    sysA.sendto(client, bytes('2'), 0, CLOSED);
    clock.runFor(1e6);
    sysB.recvmsg(server, msg);
    const [time, , ...rest] = msg.msg_control ?? [];
    const atUs = sentUs + 100;
    assert.deepEqual(time, {
      cmsg_level: C.SOL_SOCKET,
      cmsg_type: C.SO_TIMESTAMP,
      cmsg_data: { tv_sec: Math.floor(atUs / 1e6), tv_usec: atUs % 1e6 },
    });
    const { ipi_ifindex, ipi_spec_dst, ipi_addr } = pktinfo(msg);
    assert.deepEqual([ipi_ifindex, String(ipi_spec_dst), String(ipi_addr)], [2, '10.0.0.2', '10.0.0.2']);
    assert.deepEqual(rest, [
      { cmsg_level: C.SOL_IP, cmsg_type: C.IP_TTL, cmsg_data: 33 },
      { cmsg_level: C.SOL_IP, cmsg_type: C.IP_TOS, cmsg_data: 0x10 },
    ]);
  });

  it('of a broadcast name the address to answer from', () => {
    const { clock, sysA, sysB } = udpPair();
    const server = udpSocket(sysB, 53);
    sysB.setsockopt(server, C.SOL_IP, C.IP_PKTINFO, 1);
    const client = udpSocket(sysA, 0);
    sysA.setsockopt(client, C.SOL_SOCKET, C.SO_BROADCAST, 1);
    sysA.sendto(client, bytes('x'), 0, { address: '10.0.0.255', port: 53 });
    clock.runFor(1e6);
    const msg: MsgHdr = { msg_iov: [new Uint8Array(9)] };
    assert.equal(sysB.recvmsg(server, msg), 1);
    const { ipi_spec_dst, ipi_addr } = pktinfo(msg);
    assert.deepEqual([String(ipi_spec_dst), String(ipi_addr)], ['10.0.0.2', '10.0.0.255']);
  });

  it('are shown as strace shows them', () => {
    const { a, clock, sysA } = udpPair();
    const fd = recvErr(sysA);
    sysA.setsockopt(fd, C.SOL_IP, C.IP_RECVTTL, 1);
    sysA.sendto(fd, bytes('x'), 0, CLOSED);
    clock.runFor(1e6);
    sysA.recvmsg(fd, { msg_iov: [new Uint8Array(9)] }, C.MSG_ERRQUEUE);
    const shown = calls(a).map(call => formatStrace(call));
    assert.equal(
      shown.find(line => line.includes('IP_RECVERR, [1]')),
      'setsockopt(3, SOL_IP, IP_RECVERR, [1], 4) = 0',
    );
    assert.equal(
      shown.at(-1),
      'recvmsg(3, {msg_name={sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("10.0.0.2")}, ' +
        'msg_namelen=16, msg_iov=[{iov_base="x", iov_len=1}], msg_iovlen=1, ' +
        'msg_control=[{cmsg_len=20, cmsg_level=SOL_IP, cmsg_type=IP_TTL, cmsg_data=[64]}, ' +
        '{cmsg_len=48, cmsg_level=SOL_IP, cmsg_type=IP_RECVERR, cmsg_data={ee_errno=111, ee_origin=2, ee_type=3, ' +
        'ee_code=3, ee_info=0, ee_data=0, offender={sa_family=AF_INET, sin_port=htons(0), ' +
        'sin_addr=inet_addr("10.0.0.2")}}}], msg_controllen=72, msg_flags=MSG_ERRQUEUE}, MSG_ERRQUEUE) = 1',
    );
  });
});
