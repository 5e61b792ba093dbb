/**
 * Round-trip time and retransmission time-out: RFC 6298, with the refinements of Linux's tcp_rtt_estimator: the
 * deviation falls slowly and its floor is tcp_rto_min, so that a steady path does not time out on the first jitter.
 * @module
 */
import { RunningExtreme } from '../base/running-extreme.ts';
import { seqGt } from '../base/seq.ts';
import type { Tcb } from './tcb.ts';

/** Longer round trips count as this one, 268 s: eight times as much is what a bit operation can hold. */
const SAMPLE_MAX_US = 2 ** 28 - 1;

/**
 * Takes one measurement of a segment that was sent once (Karn's rule is the caller's). Ends the back-off. `newestUs` is
 * that of the newest segment of those that the acknowledgement tells of, which the receiver has delayed least; when it
 * may have been delayed all the same, it is no reason to think the path longer than it was.
 */
export function updateRtt(tcb: Tcb, sampleUs: number, newestUs: number, maybeDelayed: boolean): void {
  if (!maybeDelayed || tcb.minRttUs === 0 || newestUs <= tcb.minRttUs) noteMinRtt(tcb, newestUs);
  estimate(tcb, Math.min(sampleUs, SAMPLE_MAX_US));
  setRto(tcb);
  tcb.backoff = 0;
}

/** The least round-trip time of the last tcp_min_rtt_wlen seconds: routes change. */
function noteMinRtt(tcb: Tcb, sampleUs: number): void {
  const rttUs = Math.max(sampleUs, 1);
  const { host } = tcb.context;
  const second = Math.floor(host.nowUs / 1e6);
  if (tcb.minRttUs === 0) {
    tcb.minRttUs = rttUs;
    return;
  }
  if (tcb.minRtt === null) {
    tcb.minRtt = new RunningExtreme('least');
    tcb.minRtt.reset(second, tcb.minRttUs);
  }
  tcb.minRttUs = tcb.minRtt.add(host.sysctl.tcp_min_rtt_wlen, second, rttUs);
}

/** RTO = SRTT + deviation, doubled `backoff` times, at most tcp_rto_max. */
export function setRto(tcb: Tcb): void {
  if (tcb.srttUs === 0) return;
  tcb.rtoUs = Math.min(tcb.srttUs + tcb.rttvarUs, rtoMaxUs(tcb));
}

/** RFC 6298 section 5.5: twice the time-out, until something new is measured. */
export function backOff(tcb: Tcb): void {
  tcb.backoff++;
  tcb.rtoUs = Math.min(tcb.rtoUs * 2, rtoMaxUs(tcb));
}

/** Until the next probe of a closed window: doubles with each (and on top of what time-outs have doubled, as Linux). */
export function probeWaitUs(tcb: Tcb): number {
  const doublings = Math.min(tcb.backoff, Math.floor(Math.log2(rtoMaxUs(tcb) / rtoMinUs(tcb))) + 1);
  return Math.min(Math.max(tcb.rtoUs, rtoMinUs(tcb)) * 2 ** doublings, rtoMaxUs(tcb));
}

/** TCP_RTO_MIN_US or tcp_rto_min in microseconds. */
export function rtoMinUs(tcb: Tcb): number {
  return tcb.settings.rtoMinUs || tcb.context.host.sysctl.tcp_rto_min_us;
}

/** TCP_RTO_MAX_MS or tcp_rto_max, in microseconds. */
export function rtoMaxUs(tcb: Tcb): number {
  return (tcb.settings.rtoMaxMs || tcb.context.host.sysctl.tcp_rto_max_ms) * 1000;
}

/** Linux's tcp_rtt_estimator, in its units: eighths of the round trip, quarters of its deviation (RFC 6298's K = 4). */
function estimate(tcb: Tcb, sampleUs: number): void {
  if (tcb.srtt8Us === 0) {
    tcb.srtt8Us = sampleUs << 3;
    tcb.mdevUs = sampleUs << 1;
    tcb.rttvarUs = Math.max(tcb.mdevUs, rtoMinUs(tcb));
    tcb.mdevMaxUs = tcb.rttvarUs;
    tcb.rttSeq = tcb.sndNxt;
  } else {
    const error = sampleUs - (tcb.srtt8Us >> 3);
    tcb.srtt8Us += error;
    deviate(tcb, error);
  }
  // 0 would mean that nothing was measured yet.
  tcb.srtt8Us = Math.max(tcb.srtt8Us, 1);
}

/** The deviation rises at once, and falls by a quarter of what it is too large by, once a round trip. */
function deviate(tcb: Tcb, error: number): void {
  let change = Math.abs(error) - (tcb.mdevUs >> 2);
  // A falling round-trip time must not raise the time-out as much as a rising one does.
  if (error < 0 && change > 0) change >>= 3;
  tcb.mdevUs += change;
  if (tcb.mdevUs > tcb.mdevMaxUs) {
    tcb.mdevMaxUs = tcb.mdevUs;
    if (tcb.mdevMaxUs > tcb.rttvarUs) tcb.rttvarUs = tcb.mdevMaxUs;
  }
  if (!seqGt(tcb.sndUna, tcb.rttSeq)) return;
  if (tcb.mdevMaxUs < tcb.rttvarUs) tcb.rttvarUs -= (tcb.rttvarUs - tcb.mdevMaxUs) >> 2;
  tcb.rttSeq = tcb.sndNxt;
  tcb.mdevMaxUs = rtoMinUs(tcb);
}
