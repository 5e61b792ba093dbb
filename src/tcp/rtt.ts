/**
 * Round-trip time and retransmission time-out: RFC 6298, with the refinements of Linux's tcp_rtt_estimator: the
 * deviation falls slowly and its floor is tcp_rto_min, so that a steady path does not time out on the first jitter.
 * @module
 */
import { seqGt } from '../base/seq.ts';
import type { Tcb } from './tcb.ts';

/**
 * Takes one measurement of a segment that was sent once (Karn's rule is the caller's). Ends the back-off. `leastUs` is
 * that of the newest segment of those acknowledged together, which the receiver has delayed least.
 */
export function updateRtt(tcb: Tcb, sampleUs: number, leastUs: number): void {
  const rttUs = Math.max(sampleUs, 1);
  if (tcb.minRttUs === 0 || leastUs < tcb.minRttUs) tcb.minRttUs = Math.max(leastUs, 1);
  if (tcb.srttUs === 0) firstSample(tcb, rttUs);
  else nextSample(tcb, rttUs);
  tcb.backoff = 0;
  setRto(tcb);
  tcb.congestion.onRtt(tcb, leastUs);
}

/** RTO = SRTT + deviation, doubled `backoff` times, at most tcp_rto_max. */
export function setRto(tcb: Tcb): void {
  if (tcb.srttUs === 0) return;
  tcb.rtoUs = Math.min(tcb.srttUs + tcb.rttvarUs, rtoMaxUs(tcb));
}

/** The time-out with its back-off (RFC 6298 section 5.5), in microseconds. */
export function backedOffRto(tcb: Tcb): number {
  return tcb.backoff === 0 ? tcb.rtoUs : Math.min(tcb.rtoUs * 2 ** tcb.backoff, rtoMaxUs(tcb));
}

/** tcp_rto_min in microseconds. */
export function rtoMinUs(tcb: Tcb): number {
  return tcb.context.host.sysctl.tcp_rto_min_ms * 1000;
}

/** tcp_rto_max in microseconds. */
export function rtoMaxUs(tcb: Tcb): number {
  return tcb.context.host.sysctl.tcp_rto_max_ms * 1000;
}

// mdevUs holds four times the mean deviation, as RFC 6298's RTO formula wants it (K = 4).

function firstSample(tcb: Tcb, rttUs: number): void {
  tcb.srttUs = rttUs;
  tcb.mdevUs = 2 * rttUs;
  tcb.rttvarUs = Math.max(tcb.mdevUs, rtoMinUs(tcb));
  tcb.mdevMaxUs = tcb.rttvarUs;
  tcb.rttSeq = tcb.sndNxt;
}

function nextSample(tcb: Tcb, rttUs: number): void {
  const error = rttUs - tcb.srttUs;
  tcb.srttUs = Math.round(tcb.srttUs + error / 8);
  let change = Math.abs(error) - tcb.mdevUs / 4;
  // A falling round-trip time must not raise the time-out as much as a rising one does.
  if (error < 0 && change > 0) change /= 8;
  tcb.mdevUs = Math.round(tcb.mdevUs + change);
  if (tcb.mdevUs > tcb.mdevMaxUs) {
    tcb.mdevMaxUs = tcb.mdevUs;
    if (tcb.mdevMaxUs > tcb.rttvarUs) tcb.rttvarUs = tcb.mdevMaxUs;
  }
  if (seqGt(tcb.sndUna, tcb.rttSeq)) {
    if (tcb.mdevMaxUs < tcb.rttvarUs) {
      tcb.rttvarUs = Math.round(tcb.rttvarUs - (tcb.rttvarUs - tcb.mdevMaxUs) / 4);
    }
    tcb.rttSeq = tcb.sndNxt;
    tcb.mdevMaxUs = rtoMinUs(tcb);
  }
}
