/**
 * Room for what the user writes: how much memory may wait to be acknowledged, and when a writer is woken (Linux's
 * sk_stream_is_writeable and tcp_check_space).
 * @module
 */
import { POLLOUT } from '../../core/readiness.ts';
import type { Tcb } from '../tcb.ts';
import { CHRONO_SNDBUF_LIMITED, stopChrono } from './chrono.ts';
import { HEADER_SPACE, writeMemory } from './write-queue.ts';

/** What sk_buff and skb_shared_info take, aligned. */
const SKB_SIZE = 256;
const SHARED_INFO_SIZE = 320;

/** Bytes that may be written and not yet sent: TCP_NOTSENT_LOWAT, or the sysctl. */
function notSentLimit({ settings, context }: Tcb): number {
  return settings.notSentLowat || context.host.sysctl.tcp_notsent_lowat;
}

/** Whether a write may begin another piece. */
export function hasRoom(tcb: Tcb): boolean {
  return writeMemory(tcb) < tcb.sndBuf && tcb.unsent < notSentLimit(tcb);
}

/**
 * poll's POLLOUT: at least a third of the buffer is free, and less than half of what may wait to be sent waits, so that
 * a writer is not woken for crumbs.
 */
export function isWritable(tcb: Tcb): boolean {
  const queued = writeMemory(tcb);
  return queued < tcb.sndBuf && tcb.sndBuf - queued >= queued >> 1 && 2 * tcb.unsent < notSentLimit(tcb);
}

/** After something was sent or acknowledged: wakes a writer that waits, and gives it a larger buffer. */
export function checkSpace(tcb: Tcb): void {
  if (!tcb.writeBlocked) return;
  if (!tcb.settings.sndBufLocked && tcb.flight.inFlight < tcb.cwnd) expandSendBuffer(tcb);
  if (!isWritable(tcb)) return;
  tcb.writeBlocked = false;
  stopChrono(tcb, CHRONO_SNDBUF_LIMITED);
  tcb.output.ready(POLLOUT);
}

/** Twice (or what a model wants) of what the window takes, with the overhead of each segment (tcp_sndbuf_expand). */
export function expandSendBuffer(tcb: Tcb): void {
  const { sysctl } = tcb.context.host;
  if (tcb.settings.sndBufLocked) return;
  const perSegment = Math.max(tcb.peerMss, tcb.mss) + HEADER_SPACE + SHARED_INFO_SIZE;
  const segments = Math.max(sysctl.ethertype_init_cwnd, tcb.cwnd, tcb.reordering + 1);
  const windows = tcb.congestion.model?.sndbufExpand ?? 2;
  const wanted = windows * segments * (powerOfTwo(perSegment) + SKB_SIZE);
  if (wanted > tcb.sndBuf) tcb.sndBuf = Math.min(wanted, sysctl.tcp_wmem[2]);
}

/** The least power of two that is not below `n`. */
function powerOfTwo(n: number): number {
  return 1 << (32 - Math.clz32(n - 1));
}
