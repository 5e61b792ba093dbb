/**
 * What held a connection back, and for how long: tcpi_busy_time, tcpi_rwnd_limited, tcpi_sndbuf_limited (Linux's
 * tcp_chrono). One clock runs at a time, the one that tells most.
 * @module
 */
import type { Tcb } from '../tcb.ts';
import { CHRONO_TIMES } from '../times.ts';

/** Nothing is to be sent. */
export const CHRONO_NONE = 0;
/** Something waits to be sent or acknowledged. */
export const CHRONO_BUSY = 1;
/** The peer's window holds it back. */
export const CHRONO_RWND_LIMITED = 2;
/** The send buffer is full, and all of it was sent. */
export const CHRONO_SNDBUF_LIMITED = 3;

/** What runs from now on, unless something that tells more runs already. */
export function startChrono(tcb: Tcb, kind: number): void {
  if (kind > tcb.chrono) setChrono(tcb, kind);
}

/** What no longer holds; the connection is busy as long as something is queued. */
export function stopChrono(tcb: Tcb, kind: number): void {
  const { chrono, flight, writeQueue } = tcb;
  if (chrono === CHRONO_NONE) return;
  if (flight.packetsOut === 0 && writeQueue.length === 0) setChrono(tcb, CHRONO_NONE);
  else if (kind === chrono) setChrono(tcb, CHRONO_BUSY);
}

function setChrono(tcb: Tcb, kind: number): void {
  const { chrono, times, nowUs } = tcb;
  if (kind === chrono) return;
  if (chrono !== CHRONO_NONE) times[CHRONO_TIMES + chrono] = chronoUs(tcb, chrono);
  times[CHRONO_TIMES] = nowUs;
  tcb.chrono = kind;
}

/** How long a clock has run so far, in microseconds. */
export function chronoUs({ chrono, times, nowUs }: Tcb, kind: number): number {
  const now = chrono === kind ? nowUs - (times[CHRONO_TIMES] as number) : 0;
  return (times[CHRONO_TIMES + kind] as number) + now;
}
