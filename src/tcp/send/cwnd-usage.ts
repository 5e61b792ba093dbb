/**
 * How well the congestion window is used. It may grow only while it is what holds the sender back
 * (congestion/congestion.ts), and a window that nobody needs is no longer one that the path is known to take: it falls
 * back while it is not used up (RFC 2861, RFC 7661's concern), and after a silence (RFC 5681 section 4.1). Linux's
 * tcp_cwnd_validate and tcp_cwnd_restart; `tcp_slow_start_after_idle` turns the falling off.
 * @module
 */
import { seqGe } from '../../base/seq.ts';
import { isCwndLimited } from '../congestion/congestion.ts';
import { currentSsthresh } from '../recovery/ca-state.ts';
import type { Tcb } from '../tcb.ts';
import { CHRONO_SNDBUF_LIMITED, startChrono } from './chrono.ts';

/**
 * Something was sent, or could not be: keeps track of the strongest sign of this round trip that the window was full.
 * `deferred`: it would have been, but what still fits waits for more room.
 */
export function noteUsage(tcb: Tcb, sent: boolean, deferred: boolean): void {
  const { packetsOut, inFlight } = tcb.flight;
  const limited = deferred || inFlight >= tcb.cwnd;
  if (!sent && !limited) return;
  if (
    limited ||
    seqGe(tcb.sndUna, tcb.cwndUsageSeq) ||
    (!tcb.cwndLimited && packetsOut > tcb.maxPacketsOut)
  ) {
    tcb.cwndLimited = limited;
    tcb.maxPacketsOut = packetsOut;
    tcb.cwndUsageSeq = tcb.sndNxt;
  }
  if (isCwndLimited(tcb)) {
    tcb.cwndUsed = 0;
    tcb.cwndStampUs = tcb.nowUs;
  } else {
    noteStarving(tcb);
  }
}

/** The window is not the limit: the user is, or the peer's window, or our buffer. */
function noteStarving(tcb: Tcb): void {
  const { packetsOut } = tcb.flight;
  const { sysctl } = tcb.context.host;
  if (packetsOut > tcb.cwndUsed) tcb.cwndUsed = packetsOut;
  const fallsBack = sysctl.tcp_slow_start_after_idle && tcb.congestion.model === null;
  if (fallsBack && tcb.nowUs - tcb.cwndStampUs >= tcb.rtoUs) giveUpUnused(tcb);
  // A writer that waits, and nothing left to send: the buffer is too small.
  if (tcb.writeBlocked && tcb.writeQueue.length === 0) startChrono(tcb, CHRONO_SNDBUF_LIMITED);
}

/** For a whole time-out the window was not used up: half of what was not is given up. Not so in a recovery. */
function giveUpUnused(tcb: Tcb): void {
  if (tcb.caState === 'Open' && !tcb.writeBlocked && !tcb.orphan) {
    const used = Math.max(tcb.cwndUsed, tcb.context.host.sysctl.ethertype_init_cwnd);
    if (used < tcb.cwnd) {
      tcb.ssthresh = currentSsthresh(tcb);
      tcb.cwnd = (tcb.cwnd + used) >> 1;
    }
    tcb.cwndUsed = 0;
  }
  tcb.cwndStampUs = tcb.nowUs;
}

/**
 * New data, or room for it, after a silence longer than the time-out: the window falls back towards the initial one, by
 * half for each time-out.
 */
export function restartAfterIdle(tcb: Tcb): void {
  if (tcb.flight.packetsOut > 0 || tcb.lastSentUs === 0 || tcb.congestion.model !== null) return;
  const idleUs = tcb.nowUs - tcb.lastSentUs;
  const { sysctl } = tcb.context.host;
  if (idleUs <= tcb.rtoUs || !sysctl.tcp_slow_start_after_idle) return;
  const restart = Math.min(sysctl.ethertype_init_cwnd, tcb.cwnd);
  tcb.ssthresh = currentSsthresh(tcb);
  let { cwnd } = tcb;
  for (let left = idleUs - tcb.rtoUs; left > 0 && cwnd > restart; left -= tcb.rtoUs) cwnd >>= 1;
  tcb.cwnd = Math.max(cwnd, restart);
  tcb.cwndStampUs = tcb.nowUs;
  tcb.cwndUsed = 0;
}
