import { RunningExtreme } from '../../base/running-extreme.ts';
import type { RateSample } from '../send/rate-sample.ts';
import { Aggregation } from './bbr-aggregation.ts';
import { Policer } from './bbr-policer.ts';
import { BW_UNIT, bytesPerSecond, GAIN_UNIT } from './bbr-units.ts';
import { type ModelInfo, type PathModel, type PathState, SSTHRESH_INFINITE } from './congestion.ts';

/** The bandwidth is the largest of so many round trips: a whole gain cycle, and two. */
const BANDWIDTH_ROUNDS = 10;
/** The least round-trip time is looked for anew when none was seen for so long; and how long that takes. */
const MIN_RTT_WINDOW_US = 10_000_000;
const PROBE_RTT_US = 200_000;
/** Gains, in 1/256. 2 / ln 2: the least that doubles the rate each round trip; and its inverse. */
const HIGH_GAIN = Math.floor((GAIN_UNIT * 2885) / 1000) + 1;
const DRAIN_GAIN = Math.floor((GAIN_UNIT * 1000) / 2885);
const CWND_GAIN = 2 * GAIN_UNIT;
/** A round trip each: more, to find out whether there is more; less, to drain what that has queued; then even. */
const PACING_CYCLE = [320, 192, 256, 256, 256, 256, 256, 256] as const;
/** A cycle begins anywhere but where the queue is drained, so that flows do not probe in step. */
const CYCLE_RANDOM = 7;
/** The window that keeps the acknowledgements coming: at the least round-trip time's probe, and in any case. */
const CWND_MIN = 4;
/** The pipe is full when the bandwidth has grown by less than a quarter for three round trips. */
const FULL_GROWTH = 320;
const FULL_ROUNDS = 3;
/** Below this rate, in bytes a second, segments leave one by one. */
const SINGLE_RATE = 1_200_000 / 8;
/** The window to begin with, in segments (TCP_INIT_CWND); and the round trip to begin with when none is known. */
const INITIAL_WINDOW = 10;
const INITIAL_RTT_US = 1000;
/** What leaves in 1/1024 s makes a super-segment: at most so many bytes and segments. */
const TSO_SHARE = 1024;
const TSO_BYTES_MAX = 65536 - 1 - 320;
const TSO_SEGMENTS_MAX = 127;
const UNKNOWN_US = 0xffffffff;

/**
 * Where BBR stands: it looks for the bandwidth, drains the queue that this has made, then cruises and probes around
 * the bandwidth; now and then it leaves the pipe nearly empty to see how short the way is.
 */
export type BbrMode = 'STARTUP' | 'DRAIN' | 'PROBE_BW' | 'PROBE_RTT';

/**
 * BBR version 1 (draft-cardwell-iccrg-bbr-congestion-control-00) as Linux has it. It models the path by two figures
 * that cannot be seen at the same time, the bandwidth of its bottleneck and its round-trip time without a queue, sends
 * at the one, and keeps about twice their product in flight. Loss is no signal. Times are in microseconds.
 */
export class Bbr implements PathModel {
  readonly name = 'bbr';
  readonly model: PathModel = this;
  readonly sndbufExpand = 3;
  mode: BbrMode = 'STARTUP';
  private pacingGain = HIGH_GAIN;
  private cwndGain = HIGH_GAIN;
  // Bandwidth.
  private readonly bandwidths = new RunningExtreme('largest');
  private readonly policer = new Policer();
  private readonly aggregation = new Aggregation();
  /** A round trip ends when what was sent at its begin is delivered: `delivered` then; rounds so far. */
  private roundEnd = 0;
  private rounds = 0;
  private roundStart = false;
  // Round-trip time.
  private minRttUs = UNKNOWN_US;
  private minRttAtUs = 0;
  private hasSeenRtt = false;
  /** When the probe of the round-trip time is over, 0 while the pipe is not empty; a round trip has passed in it. */
  private probeRttDoneUs = 0;
  private probeRttRound = false;
  // Startup.
  private fullBandwidth = 0;
  private fullCount = 0;
  private pipeFull = false;
  // The gain cycle.
  private cycle = 0;
  private cycleUs = 0;
  // Loss recovery.
  private priorCwnd = 0;
  private priorState: PathState['caState'] = 'Open';
  private conserve = false;
  /** Data is sent after a silence: that is no reason to empty the pipe. */
  private restarted = false;

  onStart(state: PathState): void {
    state.ssthresh = SSTHRESH_INFINITE;
    this.mode = 'STARTUP';
    this.pacingGain = this.cwndGain = HIGH_GAIN;
    this.roundEnd = state.delivered;
    this.rounds = 0;
    this.roundStart = false;
    this.bandwidths.reset(0, 0);
    this.minRttUs = state.minRttUs || UNKNOWN_US;
    this.minRttAtUs = state.nowUs;
    this.hasSeenRtt = false;
    this.probeRttDoneUs = 0;
    this.probeRttRound = false;
    this.fullBandwidth = this.fullCount = 0;
    this.pipeFull = false;
    this.cycle = 0;
    this.cycleUs = 0;
    this.priorCwnd = 0;
    this.priorState = 'Open';
    this.conserve = false;
    this.restarted = false;
    this.policer.reset(state);
    this.aggregation.reset(state);
    this.initPacingRate(state);
  }

  onRtt(): void {}

  /** Never called: `onSample` does it. */
  onAck(): void {}

  onSample(state: PathState, sample: RateSample): void {
    this.updateBandwidth(state, sample);
    if (isValid(sample)) this.aggregation.onSample(state, sample, this.bandwidth, this.roundStart);
    if (this.mode === 'PROBE_BW' && this.isPhaseOver(state, sample)) this.nextPhase(state);
    this.checkPipeFull(sample);
    this.checkDrain(state);
    this.updateMinRtt(state, sample);
    this.updateGains();
    this.setPacingRate(state, this.bandwidth, this.pacingGain);
    this.setCwnd(state, sample);
  }

  /** A loss is no reason to slow down. */
  onLoss(state: PathState): number {
    this.saveCwnd(state);
    return state.ssthresh;
  }

  onUndo(state: PathState): number {
    // What was measured while losses were seen that were none is measured anew.
    this.fullBandwidth = 0;
    this.fullCount = 0;
    this.policer.reset(state);
    return state.cwnd;
  }

  onTimeout(state: PathState): void {
    this.priorState = 'Loss';
    this.fullBandwidth = 0;
    // As if a round trip were over, with a loss in it.
    this.roundStart = true;
    this.samplePolicer(state, 1, false);
  }

  onRestart(state: PathState): void {
    if (state.appLimited === 0) return;
    this.restarted = true;
    this.aggregation.beginEpoch(state);
    // What follows must not go out in a burst at the gain of the phase that the silence interrupted.
    if (this.mode === 'PROBE_BW') this.setPacingRate(state, this.bandwidth, GAIN_UNIT);
    else if (this.mode === 'PROBE_RTT') this.checkProbeRttDone(state);
  }

  minTsoSegments(state: PathState): number {
    return state.pacingRate < SINGLE_RATE ? 1 : 2;
  }

  info(state: PathState): ModelInfo {
    return {
      bw: Math.floor((this.bandwidth * state.mss * 1e6) / BW_UNIT),
      min_rtt: this.minRttUs,
      pacing_gain: this.pacingGain,
      cwnd_gain: this.cwndGain,
    };
  }

  // --- bandwidth ------------------------------------------------------------------------------------------------

  /** The bandwidth that is believed: a policer's, or the largest seen. */
  private get bandwidth(): number {
    return this.policer.found ? this.policer.bandwidth : this.bandwidths.value;
  }

  private updateBandwidth(state: PathState, sample: RateSample): void {
    this.roundStart = false;
    if (!isValid(sample)) return;
    if (sample.priorDelivered >= this.roundEnd) {
      this.roundEnd = state.delivered;
      this.rounds++;
      this.roundStart = true;
      this.conserve = false;
    }
    this.samplePolicer(state, sample.losses, sample.appLimited);
    const bandwidth = Math.floor((sample.delivered * BW_UNIT) / sample.intervalUs);
    // Where the user was the limit it only tells that the path can do this much.
    if (!sample.appLimited || bandwidth >= this.bandwidths.value)
      this.bandwidths.add(BANDWIDTH_ROUNDS, this.rounds, bandwidth);
  }

  private samplePolicer(state: PathState, losses: number, appLimited: boolean): void {
    const { policer } = this;
    if (policer.found) {
      if (this.mode !== 'PROBE_BW' || !this.roundStart || !policer.isStale()) return;
      policer.reset(state);
      this.enterProbeBw(state);
      return;
    }
    policer.onSample(state, losses, appLimited, this.roundStart);
    // It is the policer that loses what is too much: no more probing.
    if (policer.found) this.pacingGain = GAIN_UNIT;
  }

  // --- round-trip time ------------------------------------------------------------------------------------------

  private updateMinRtt(state: PathState, sample: RateSample): void {
    const { nowUs } = state;
    const rttUs = sample.rttUs < 0 ? -1 : Math.max(sample.rttUs, 1);
    const expired = nowUs > this.minRttAtUs + MIN_RTT_WINDOW_US;
    if (rttUs >= 0 && (rttUs < this.minRttUs || (expired && !sample.ackDelayed))) {
      this.minRttUs = rttUs;
      this.minRttAtUs = nowUs;
    }
    if (expired && !this.restarted && this.mode !== 'PROBE_RTT') {
      this.mode = 'PROBE_RTT';
      this.saveCwnd(state);
      this.probeRttDoneUs = 0;
    }
    if (this.mode === 'PROBE_RTT') this.probeRtt(state);
    if (sample.delivered > 0) this.restarted = false;
  }

  /** With four segments in flight for 200 ms, and a round trip, the queue is empty if it is ours alone. */
  private probeRtt(state: PathState): void {
    const { inFlight } = state.flight;
    // It is our own doing that there is little in flight.
    state.appLimited = state.delivered + inFlight || 1;
    if (this.probeRttDoneUs === 0) {
      if (inFlight > CWND_MIN) return;
      this.probeRttDoneUs = state.nowUs + PROBE_RTT_US;
      this.probeRttRound = false;
      this.roundEnd = state.delivered;
      return;
    }
    if (this.roundStart) this.probeRttRound = true;
    if (this.probeRttRound) this.checkProbeRttDone(state);
  }

  private checkProbeRttDone(state: PathState): void {
    if (this.probeRttDoneUs === 0 || state.nowUs <= this.probeRttDoneUs) return;
    this.minRttAtUs = state.nowUs;
    state.cwnd = Math.max(state.cwnd, this.priorCwnd);
    if (this.pipeFull) this.enterProbeBw(state);
    else this.mode = 'STARTUP';
  }

  // --- the modes ------------------------------------------------------------------------------------------------

  private checkPipeFull(sample: RateSample): void {
    if (this.pipeFull || !this.roundStart || sample.appLimited) return;
    const { value } = this.bandwidths;
    if (value >= Math.floor((this.fullBandwidth * FULL_GROWTH) / GAIN_UNIT)) {
      this.fullBandwidth = value;
      this.fullCount = 0;
      return;
    }
    this.pipeFull = ++this.fullCount >= FULL_ROUNDS;
  }

  private checkDrain(state: PathState): void {
    if (this.mode === 'STARTUP' && this.pipeFull) this.mode = 'DRAIN';
    if (this.mode !== 'DRAIN') return;
    const target = this.targetInFlight(state, this.bandwidths.value, GAIN_UNIT);
    state.ssthresh = target;
    if (this.inNetAtDeparture(state, state.flight.inFlight) <= target) this.enterProbeBw(state);
  }

  private enterProbeBw(state: PathState): void {
    this.mode = 'PROBE_BW';
    const random = (state.context.host.random32() >>> 0) % CYCLE_RANDOM;
    this.cycle = PACING_CYCLE.length - 1 - random;
    this.nextPhase(state);
  }

  private nextPhase(state: PathState): void {
    this.cycle = (this.cycle + 1) % PACING_CYCLE.length;
    this.cycleUs = state.nowUs;
  }

  /** A phase lasts a round trip; that of more until as much is in flight, that of less until the queue is gone. */
  private isPhaseOver(state: PathState, sample: RateSample): boolean {
    const isLong = state.nowUs - this.cycleUs > this.minRttUs;
    if (this.pacingGain === GAIN_UNIT) return isLong;
    const { value } = this.bandwidths;
    const inFlight = this.inNetAtDeparture(state, sample.priorInFlight);
    if (this.pacingGain > GAIN_UNIT)
      return isLong && (sample.losses > 0 || inFlight >= this.targetInFlight(state, value, this.pacingGain));
    return isLong || inFlight <= this.targetInFlight(state, value, GAIN_UNIT);
  }

  private updateGains(): void {
    switch (this.mode) {
      case 'STARTUP':
        this.pacingGain = this.cwndGain = HIGH_GAIN;
        break;
      case 'DRAIN':
        this.pacingGain = DRAIN_GAIN;
        this.cwndGain = HIGH_GAIN;
        break;
      case 'PROBE_BW':
        this.pacingGain = this.policer.found ? GAIN_UNIT : (PACING_CYCLE[this.cycle] as number);
        this.cwndGain = CWND_GAIN;
        break;
      case 'PROBE_RTT':
        this.pacingGain = this.cwndGain = GAIN_UNIT;
    }
  }

  // --- rate and window ------------------------------------------------------------------------------------------

  private initPacingRate(state: PathState): void {
    this.hasSeenRtt = state.srttUs > 0;
    const rttUs = this.hasSeenRtt ? state.srttUs : INITIAL_RTT_US;
    state.pacingRate = pacingRate(state, Math.floor((state.cwnd * BW_UNIT) / rttUs), HIGH_GAIN);
  }

  private setPacingRate(state: PathState, bandwidth: number, gain: number): void {
    const rate = pacingRate(state, bandwidth, gain);
    if (!this.hasSeenRtt && state.srttUs > 0) this.initPacingRate(state);
    if (this.pipeFull || rate > state.pacingRate) state.pacingRate = rate;
  }

  private setCwnd(state: PathState, sample: RateSample): void {
    if (sample.acked > 0 && !this.recoverCwnd(state, sample)) {
      const { bandwidth } = this;
      const extra = this.pipeFull ? this.aggregation.window(bandwidth) : 0;
      const target = this.withRoom(state, this.product(bandwidth, this.cwndGain) + extra);
      const grown = state.cwnd + sample.acked;
      if (this.pipeFull) state.cwnd = Math.min(grown, target);
      else if (state.cwnd < target || state.delivered < INITIAL_WINDOW) state.cwnd = grown;
      state.cwnd = Math.max(state.cwnd, CWND_MIN);
    }
    if (this.mode === 'PROBE_RTT') state.cwnd = Math.min(state.cwnd, CWND_MIN);
  }

  /**
   * In the first round trip of a recovery only as much is sent as arrives; after it the window is what it was before.
   * True while the former holds.
   */
  private recoverCwnd(state: PathState, { losses, acked }: RateSample): boolean {
    const { caState, flight } = state;
    let cwnd = losses > 0 ? Math.max(state.cwnd - losses, 1) : state.cwnd;
    if (caState === 'Recovery' && this.priorState !== 'Recovery') {
      this.conserve = true;
      this.roundEnd = state.delivered;
      cwnd = flight.inFlight + acked;
    } else if (isRepairing(this.priorState) && !isRepairing(caState)) {
      cwnd = Math.max(cwnd, this.priorCwnd);
      this.conserve = false;
    }
    this.priorState = caState;
    state.cwnd = this.conserve ? Math.max(cwnd, flight.inFlight + acked) : cwnd;
    return this.conserve;
  }

  /** Remembers the window, to go on with it after a recovery, or after a probe of the round-trip time. */
  private saveCwnd(state: PathState): void {
    const isOwn = !isRepairing(this.priorState) && this.mode !== 'PROBE_RTT';
    this.priorCwnd = isOwn ? state.cwnd : Math.max(this.priorCwnd, state.cwnd);
  }

  /** Bandwidth times the least round-trip time, times a gain, in segments. */
  private product(bandwidth: number, gain: number): number {
    if (this.minRttUs === UNKNOWN_US) return INITIAL_WINDOW;
    return Math.ceil(Math.floor((bandwidth * this.minRttUs * gain) / GAIN_UNIT) / BW_UNIT);
  }

  private targetInFlight(state: PathState, bandwidth: number, gain: number): number {
    return this.withRoom(state, this.product(bandwidth, gain));
  }

  /** Room for super-segments here and for delayed acknowledgements there; an even number, for these too. */
  private withRoom(state: PathState, cwnd: number): number {
    let roomy = cwnd + 3 * this.tsoGoal(state);
    roomy += roomy & 1;
    return this.mode === 'PROBE_BW' && this.cycle === 0 ? roomy + 2 : roomy;
  }

  private tsoGoal(state: PathState): number {
    const bytes = Math.min(state.pacingRate / TSO_SHARE, TSO_BYTES_MAX);
    const segments = Math.max(Math.floor(bytes / state.mss), this.minTsoSegments(state));
    return Math.min(segments, TSO_SEGMENTS_MAX);
  }

  /** How much will be in the network when pacing lets the next segment leave. */
  private inNetAtDeparture(state: PathState, inFlight: number): number {
    const waitUs = Math.max(state.nextSendUs - state.nowUs, 0);
    const arriving = Math.floor((this.bandwidth * waitUs) / BW_UNIT);
    const then = this.pacingGain > GAIN_UNIT ? inFlight + this.tsoGoal(state) : inFlight;
    return Math.max(then - arriving, 0);
  }
}

/** Whether an acknowledgement said something of the rate. */
function isValid({ delivered, intervalUs }: RateSample): boolean {
  return delivered >= 0 && intervalUs > 0;
}

function isRepairing(caState: PathState['caState']): boolean {
  return caState === 'Recovery' || caState === 'Loss';
}

function pacingRate(state: PathState, bandwidth: number, gain: number): number {
  return Math.min(bytesPerSecond(bandwidth, state.mss, gain), state.maxPacingRate);
}
