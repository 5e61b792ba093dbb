/** The error queue of a stream: MSG_ZEROCOPY and SO_TIMESTAMPING; and TCP_INQ. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EAGAIN, EINVAL, ENOBUFS, ENOMSG, ENOPROTOOPT, EOPNOTSUPP } from '../../src/base/errno.ts';
import type { Sys } from '../../src/socket/calls.ts';
import * as C from '../../src/socket/constants.ts';
import type { ControlMessage, SockExtendedErr } from '../../src/socket/control.ts';
import type { MsgHdr } from '../../src/socket/ops.ts';
import { established, listening, stream } from './tcp-fixture.ts';

const STAMPS =
  C.SOF_TIMESTAMPING_TX_SCHED |
  C.SOF_TIMESTAMPING_TX_SOFTWARE |
  C.SOF_TIMESTAMPING_TX_ACK |
  C.SOF_TIMESTAMPING_SOFTWARE |
  C.SOF_TIMESTAMPING_OPT_ID;

/** The oldest entry of the error queue: flags of the message, and what it says; or -errno. */
function notice(
  sys: Sys,
  fd: number,
  room = 0,
): { msg: MsgHdr; error: SockExtendedErr; length: number } | number {
  const msg: MsgHdr = { msg_iov: [new Uint8Array(room)] };
  const length = sys.recvmsg(fd, msg, C.MSG_ERRQUEUE);
  if (length < 0) return length;
  const last = msg.msg_control?.at(-1);
  assert.deepEqual([last?.cmsg_level, last?.cmsg_type], [C.SOL_IP, C.IP_RECVERR]);
  return { msg, error: last?.cmsg_data as SockExtendedErr, length };
}

/** Numbers of the calls whose buffers are free again: [first, last], or -errno. */
function freed(sys: Sys, fd: number): [number, number] | number {
  const entry = notice(sys, fd);
  if (typeof entry === 'number') return entry;
  const { error, msg } = entry;
  assert.equal(error.ee_errno, 0);
  assert.equal(error.ee_origin, C.SO_EE_ORIGIN_ZEROCOPY);
  assert.equal(error.ee_code, C.SO_EE_CODE_ZEROCOPY_COPIED);
  assert.equal(msg.msg_flags, C.MSG_ERRQUEUE);
  return [error.ee_info, error.ee_data];
}

function set(sys: Sys, fd: number, level: number, name: number, value: number): void {
  assert.equal(sys.setsockopt(fd, level, name, value), 0);
}

function poll(sys: Sys, fd: number): number {
  const fds = [{ fd, events: C.POLLOUT, revents: 0 }];
  sys.poll(fds);
  return fds[0]?.revents ?? 0;
}

describe('MSG_ZEROCOPY', () => {
  it('tells when the bytes are acknowledged, calls in a row as one', async () => {
    const { sysA, client, run } = await established();
    set(sysA, client, C.SOL_SOCKET, C.SO_ZEROCOPY, 1);
    for (let i = 0; i < 3; i++) {
      assert.equal(sysA.send(client, new Uint8Array(1000), C.MSG_ZEROCOPY), 1000);
      if (i === 0) assert.equal(poll(sysA, client) & C.POLLERR, 0);
      if (i === 0) assert.equal(freed(sysA, client), -EAGAIN);
      await run(100);
      assert.equal(poll(sysA, client), C.POLLOUT | C.POLLERR);
    }
    assert.deepEqual(freed(sysA, client), [0, 2]);
    assert.equal(freed(sysA, client), -EAGAIN);
    assert.equal(poll(sysA, client), C.POLLOUT);
  });

  it('counts for nothing without SO_ZEROCOPY', async () => {
    const { sysA, client, run } = await established();
    assert.equal(sysA.send(client, new Uint8Array(1000), C.MSG_ZEROCOPY), 1000);
    await run(100);
    assert.equal(freed(sysA, client), -EAGAIN);
  });

  it('gives the buffers back when the connection ends', async () => {
    const { sysA, client, run, pull } = await established({ tcp_retries2: 1 });
    set(sysA, client, C.SOL_SOCKET, C.SO_ZEROCOPY, 1);
    pull();
    sysA.send(client, new Uint8Array(1000), C.MSG_ZEROCOPY);
    await run(60_000);
    assert.deepEqual(freed(sysA, client), [0, 0]);
  });

  it('counts one call that waits for room as one', async () => {
    const { sysA, sysB, client, server, world, run } = await established();
    set(sysA, client, C.SOL_SOCKET, C.SO_ZEROCOPY, 1);
    set(sysA, client, C.SOL_SOCKET, C.SO_SNDBUF, 5000);
    const sent = sysA.wait.send(client, new Uint8Array(200_000), C.MSG_ZEROCOPY);
    const into = new Uint8Array(1 << 20);
    for (let got = 0; got < 200_000; ) got += await world.run(sysB.wait.recv(server, into));
    assert.equal(await world.run(sent), 200_000);
    await run(100);
    let last = -1;
    for (let range = freed(sysA, client); typeof range !== 'number'; range = freed(sysA, client))
      last = range[1];
    assert.equal(last, 0);
  });

  it('is refused when too many notices would wait (optmem_max)', async () => {
    const { sysA, client, pull } = await established({ optmem_max: 2000 });
    set(sysA, client, C.SOL_SOCKET, C.SO_ZEROCOPY, 1);
    pull();
    const send = (): number => sysA.send(client, new Uint8Array(10), C.MSG_ZEROCOPY | C.MSG_EOR);
    assert.deepEqual([send(), send(), send()], [10, 10, -ENOBUFS]);
  });

  it('is for streams alone', async () => {
    const { sysA, client } = await established();
    const udp = sysA.socket(C.AF_INET, C.SOCK_DGRAM);
    assert.equal(sysA.setsockopt(udp, C.SOL_SOCKET, C.SO_ZEROCOPY, 1), -EOPNOTSUPP);
    assert.equal(sysA.setsockopt(client, C.SOL_SOCKET, C.SO_ZEROCOPY, 2), -EINVAL);
    assert.equal(sysA.setsockopt(udp, C.SOL_SOCKET, C.SO_TIMESTAMPING, STAMPS), -ENOPROTOOPT);
  });
});

describe('SO_TIMESTAMPING', () => {
  it('tells when the last byte of each write was scheduled, sent and acknowledged', async () => {
    const { sysA, client, run, world } = await established();
    set(sysA, client, C.SOL_SOCKET, C.SO_TIMESTAMPING, STAMPS);
    const beganUs = world.nowUs;
    sysA.send(client, new Uint8Array(300));
    sysA.send(client, new Uint8Array(100), C.MSG_EOR);
    await run(500);
    const seen: [number, number, number][] = [];
    for (let entry = notice(sysA, client); typeof entry !== 'number'; entry = notice(sysA, client)) {
      const { msg, error } = entry;
      assert.equal(error.ee_errno, ENOMSG);
      assert.equal(error.ee_origin, C.SO_EE_ORIGIN_TIMESTAMPING);
      const time = msg.msg_control?.[0] as ControlMessage;
      assert.deepEqual([time.cmsg_level, time.cmsg_type], [C.SOL_SOCKET, C.SCM_TIMESTAMPING]);
      const { tv_sec, tv_nsec } = time.cmsg_data as { tv_sec: number; tv_nsec: number };
      assert.equal(
        msg.msg_flags,
        C.MSG_ERRQUEUE | C.MSG_TRUNC,
        'with the bytes, for which there was no room',
      );
      seen.push([error.ee_info, error.ee_data, Math.round((tv_sec * 1e6 + tv_nsec / 1e3 - beganUs) / 1000)]);
    }
    assert.deepEqual(seen, [
      [C.SCM_TSTAMP_SCHED, 299, 0],
      [C.SCM_TSTAMP_SND, 299, 0],
      // Nagle's rule holds the second one back until then.
      [C.SCM_TSTAMP_ACK, 299, 2],
      [C.SCM_TSTAMP_SCHED, 399, 2],
      [C.SCM_TSTAMP_SND, 399, 2],
      [C.SCM_TSTAMP_ACK, 399, 4],
    ]);
  });

  it('comes without the bytes with OPT_TSONLY, and with them otherwise', async () => {
    for (const only of [0, C.SOF_TIMESTAMPING_OPT_TSONLY]) {
      const { sysA, client, run } = await established();
      set(sysA, client, C.SOL_SOCKET, C.SO_TIMESTAMPING, STAMPS | only);
      sysA.send(client, Uint8Array.of(1, 2, 3));
      await run(100);
      const entry = notice(sysA, client, 10);
      assert.ok(typeof entry !== 'number');
      assert.equal(entry.length, only === 0 ? 3 : 0);
      if (only === 0) assert.deepEqual([...(entry.msg.msg_iov[0] ?? [])].slice(0, 3), [1, 2, 3]);
    }
  });

  it('numbers the bytes from the oldest that is not acknowledged, or with OPT_ID_TCP from the next', async () => {
    for (const [option, first] of [
      [0, 100 + 50 - 1],
      [C.SOF_TIMESTAMPING_OPT_ID_TCP, 50 - 1],
    ] as const) {
      const { sysA, client } = await established();
      set(sysA, client, C.SOL_TCP, C.TCP_NODELAY, 1);
      sysA.send(client, new Uint8Array(100));
      set(sysA, client, C.SOL_SOCKET, C.SO_TIMESTAMPING, STAMPS | option);
      sysA.send(client, new Uint8Array(50));
      const entry = notice(sysA, client);
      assert.equal(typeof entry === 'number' ? entry : entry.error.ee_data, first);
    }
  });

  it('refuses what makes no sense', async () => {
    const { sysA, client } = await established();
    const value = (fd: number, flags: number): number =>
      sysA.setsockopt(fd, C.SOL_SOCKET, C.SO_TIMESTAMPING, flags);
    assert.equal(value(client, 1 << 20), -EINVAL);
    assert.equal(value(client, C.SOF_TIMESTAMPING_OPT_ID_TCP), -EINVAL);
    assert.equal(value(stream(sysA), C.SOF_TIMESTAMPING_OPT_ID), -EINVAL, 'nothing can be numbered yet');
    assert.equal(value(listening(sysA, 99), C.SOF_TIMESTAMPING_OPT_ID), -EINVAL);
  });
});

describe('TCP_INQ', () => {
  it('says how much is left to read, and one more at the end of the stream', async () => {
    const { sysA, sysB, client, server, run } = await established();
    set(sysB, server, C.SOL_TCP, C.TCP_INQ, 1);
    sysA.send(client, new Uint8Array(1000));
    await run(10);
    const left = (length: number): unknown[] => {
      const msg: MsgHdr = { msg_iov: [new Uint8Array(length)] };
      const result = sysB.recvmsg(server, msg, 0);
      return [result, ...(msg.msg_control ?? [])];
    };
    const inq = (cmsg_data: number): object => ({
      cmsg_level: C.SOL_TCP,
      cmsg_type: C.TCP_CM_INQ,
      cmsg_data,
    });
    assert.deepEqual(left(300), [300, inq(700)]);
    assert.deepEqual(left(700), [700, inq(0)]);
    sysA.send(client, new Uint8Array(10));
    sysA.shutdown(client, C.SHUT_WR);
    await run(10);
    assert.deepEqual(left(4), [4, inq(7)]);
    assert.deepEqual(left(6), [6, inq(1)]);
    assert.deepEqual(left(1), [0, inq(1)]);
    assert.equal(sysB.setsockopt(server, C.SOL_TCP, C.TCP_INQ, 2), -EINVAL);
  });
});

describe('IP_FREEBIND', () => {
  it('binds to an address that is not this host’s', async () => {
    const { sysA } = await established();
    const fd = stream(sysA);
    assert.ok(sysA.bind(fd, { address: '10.9.9.9', port: 80 }) < 0);
    set(sysA, fd, C.SOL_IP, C.IP_FREEBIND, 1);
    assert.equal(sysA.bind(fd, { address: '10.9.9.9', port: 80 }), 0);
  });
});
