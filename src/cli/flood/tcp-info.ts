import type { Sys } from '../../socket/calls.ts';
import { SOL_TCP, TCP_INFO } from '../../socket/constants.ts';
import type { OptionValue } from '../../socket/options.ts';
import { out } from '../../socket/sockaddr.ts';

/** The part of TCP_INFO that a report shows. */
export interface ConnectionInfo {
  /** Segments that were sent again, so far. */
  readonly retransmits: number;
  /** The congestion window in segments, and one segment in bytes. */
  readonly cwnd: number;
  readonly mss: number;
  /** The smoothed round-trip time in microseconds. */
  readonly rttUs: number;
}

/** TCP_INFO of a descriptor, without a line in the trace; null when it has none (any more). */
export function tcpInfoOf(sys: Sys, fd: number): ConnectionInfo | null {
  sys.context.host.refreshNow();
  const info = out<OptionValue>();
  if (sys.ops.getsockopt(fd, SOL_TCP, TCP_INFO, info) < 0 || typeof info.value !== 'object') return null;
  const fields = info.value as unknown as { readonly [name: string]: number | undefined } | null;
  if (fields?.['snd_cwnd'] === undefined) return null;
  return {
    retransmits: fields['total_retrans'] ?? 0,
    cwnd: fields['snd_cwnd'],
    mss: fields['snd_mss'] ?? 0,
    rttUs: fields['rtt'] ?? 0,
  };
}
