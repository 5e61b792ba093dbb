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
import {
  AF_INET6,
  IP_RECVERR,
  IPV6_RECVERR,
  SCM_TIMESTAMPING,
  SOL_IP,
  SOL_IPV6,
  SOL_SOCKET,
} from './constants.ts';
import type { ControlMessage } from './control.ts';

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

/** The control messages that say what an entry is about, in Linux's order. */
export function noticeControl({ origin, code, info, data, atUs }: Notice, family: number): ControlMessage[] {
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
