/**
 * The error queue of a stream (recvmsg with MSG_ERRQUEUE), and what asks for its entries: MSG_ZEROCOPY and
 * SO_TIMESTAMPING, as Linux's msg_zerocopy and timestamping documents have them.
 * @module
 */
import { EINVAL, ENOMSG } from '../base/errno.ts';
import {
  type Notice,
  ORIGIN_TIMESTAMPING,
  STAMP_OPT_ID,
  STAMP_OPT_ID_TCP,
  STAMP_OPT_TSONLY,
} from '../tcp/notices.ts';
import type { TcpEndpoint } from '../transport/tcp-layer.ts';
import {
  AF_INET6,
  IP_RECVERR,
  IPV6_RECVERR,
  MSG_ERRQUEUE,
  MSG_TRUNC,
  SCM_TIMESTAMPING,
  SOL_IP,
  SOL_IPV6,
  SOL_SOCKET,
  SOL_TCP,
  TCP_CM_INQ,
} from './constants.ts';
import { type ControlMessage, MessageOut } from './control.ts';
import type { Out, Sockaddr } from './sockaddr.ts';

/** Buffers that one packet can refer to (MAX_SKB_FRAGS), and bytes that each of them has at most. */
const FRAGMENTS_MAX = 17;
const FRAGMENT_SIZE = 4096;

/** Every bit of SO_TIMESTAMPING that Linux 6.18 knows. */
const STAMP_BITS = (1 << 19) - 1;
const STAMP_OPT_STATS = 1 << 12;

/** Where packets have to end when these buffers go out with MSG_ZEROCOPY: offsets, rising. */
export function zeroCopyCuts(buffers: readonly Uint8Array[]): number[] {
  const cuts: number[] = [];
  let at = 0;
  let fragments = 0;
  for (const { length } of buffers) {
    for (let left = length; left > 0; left -= FRAGMENT_SIZE) {
      if (fragments === FRAGMENTS_MAX) {
        cuts.push(at);
        fragments = 0;
      }
      fragments++;
      at += Math.min(left, FRAGMENT_SIZE);
    }
  }
  return cuts;
}

/** 0, or -EINVAL for a value of SO_TIMESTAMPING that makes no sense. */
export function checkTimestamping(flags: number): number {
  const idless = (flags & STAMP_OPT_ID_TCP) !== 0 && (flags & STAMP_OPT_ID) === 0;
  const statsless = (flags & STAMP_OPT_STATS) !== 0 && (flags & STAMP_OPT_TSONLY) === 0;
  return (flags & ~STAMP_BITS) !== 0 || idless || statsless ? -EINVAL : 0;
}

/** TCP_INQ: what is left to be read, and one more when the end of the stream is among it. */
export function inqControl(endpoint: TcpEndpoint | null): ControlMessage {
  const left = (endpoint?.readable ?? 0) + (endpoint?.finReceived === true ? 1 : 0);
  return { cmsg_level: SOL_TCP, cmsg_type: TCP_CM_INQ, cmsg_data: left };
}

/** MSG_ERRQUEUE: puts the bytes that a notice is about into into[start, end); returns what `receive` returns. */
export function readNotice(
  notice: Notice,
  family: number,
  into: Uint8Array,
  start: number,
  end: number,
  flags: number,
  from: Out<Sockaddr> | null,
): number {
  const { bytes } = notice;
  const count = Math.min(bytes.length, end - start);
  into.set(bytes.subarray(0, count), start);
  if (from !== null) from.value = null;
  if (from instanceof MessageOut) {
    from.flags |= MSG_ERRQUEUE;
    from.control.push(...noticeControl(notice, family));
  }
  return (flags & MSG_TRUNC) !== 0 ? bytes.length : count;
}

/** The control messages that say what an entry is about, in Linux's order. */
function noticeControl({ origin, code, info, data, atUs }: Notice, family: number): ControlMessage[] {
  const control: ControlMessage[] = [];
  if (atUs >= 0) {
    const us = atUs % 1e6;
    const time = { tv_sec: (atUs - us) / 1e6, tv_nsec: us * 1000 };
    control.push({ cmsg_level: SOL_SOCKET, cmsg_type: SCM_TIMESTAMPING, cmsg_data: time });
  }
  const ee_errno = origin === ORIGIN_TIMESTAMPING ? ENOMSG : 0;
  control.push({
    cmsg_level: family === AF_INET6 ? SOL_IPV6 : SOL_IP,
    cmsg_type: family === AF_INET6 ? IPV6_RECVERR : IP_RECVERR,
    cmsg_data: {
      ee_errno,
      ee_origin: origin,
      ee_type: 0,
      ee_code: code,
      ee_info: info,
      ee_data: data,
      offender: null,
    },
  });
  return control;
}
