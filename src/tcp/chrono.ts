/**
 * What held a connection back, and for how long: tcpi_busy_time, tcpi_rwnd_limited, tcpi_sndbuf_limited (Linux's
 * tcp_chrono). One clock runs at a time, the one that tells most.
 * @module
 */
import type { Tcb } from './tcb.ts';

/** Nothing is to be sent. */
const CHRONO_NONE = 0;
/** Something waits to be sent or acknowledged. */
export const CHRONO_BUSY = 1;
/** The peer's window holds it back. */
export const CHRONO_RWND_LIMITED = 2;
/** The send buffer is full, and all of it was sent. */
export const CHRONO_SNDBUF_LIMITED = 3;

/** The clocks of one connection: which runs, since when, and how long each has run before, in microseconds. */
export interface Chrono {
  kind: number;
  startUs: number;
  readonly beforeUs: number[];
}

/** What runs from now on, unless something that tells more runs already. */
export function startChrono(tcb: Tcb, kind: number): void {
  tcb.chrono ??= { kind: CHRONO_NONE, startUs: 0, beforeUs: [0, 0, 0, 0] };
  if (kind > tcb.chrono.kind) setChrono(tcb.chrono, kind, tcb.nowUs);
}

/** What no longer holds; the connection is busy as long as something is queued. */
export function stopChrono(tcb: Tcb, kind: number): void {
  const { chrono, flight, writeQueue } = tcb;
  if (chrono === null) return;
  if (flight.packetsOut === 0 && writeQueue.length === 0) setChrono(chrono, CHRONO_NONE, tcb.nowUs);
  else if (kind === chrono.kind) setChrono(chrono, CHRONO_BUSY, tcb.nowUs);
}

function setChrono(chrono: Chrono, kind: number, nowUs: number): void {
  if (kind === chrono.kind) return;
  chrono.beforeUs[chrono.kind] = elapsed(chrono, chrono.kind, nowUs);
  chrono.startUs = nowUs;
  chrono.kind = kind;
}

/** How long a clock has run so far, in microseconds. */
export function chronoUs({ chrono, nowUs }: Tcb, kind: number): number {
  return chrono === null ? 0 : elapsed(chrono, kind, nowUs);
}

function elapsed({ kind: running, startUs, beforeUs }: Chrono, kind: number, nowUs: number): number {
  const now = running === kind && kind !== CHRONO_NONE ? nowUs - startUs : 0;
  return (beforeUs[kind] ?? 0) + now;
}
