/**
 * When slow start should end before a loss ends it. It doubles the window each round trip, so the loss that would end
 * it can be of half a window. Queues that fill show before: round trips grow longer, and acknowledgements keep coming
 * for longer than the path is empty.
 * @module
 */
import { type Seq, seqGt } from '../../base/seq.ts';
import { type CongestionState, SSTHRESH_INFINITE, slowStart } from './congestion.ts';

/** How slow start goes, and when it ends. */
export interface SlowStart {
  /** Everything in flight was given up: slow start begins again. */
  restart(state: CongestionState): void;
  /** In slow start an acknowledgement gave a delay; `leastUs` is the least one ever seen on this path. */
  onDelay(state: CongestionState, delayUs: number, leastUs: number): void;
  /** Grows the window for `acked` segments; returns what is left of them past ssthresh. */
  grow(state: CongestionState, acked: number): number;
}

/** Slow start until a loss ends it (RFC 5681 section 3.1). */
export const PLAIN_SLOW_START: SlowStart = { restart() {}, onDelay() {}, grow: slowStart };

/** What tcp_cubic_hystart asks for. */
export function createSlowStart(state: CongestionState): SlowStart {
  const { tcp_cubic_hystart: kind } = state.context.host.sysctl;
  if (kind === 0) return PLAIN_SLOW_START;
  return kind === 2 ? new HystartPlusPlus(state) : new Hystart(state);
}

/** Delays of one round trip before anything is made of them. */
const SAMPLES_MIN = 8;
/** A rise of an eighth of the delay means a queue; not less than the first, not more than the second. */
const RISE_MIN_US = 4000;
const RISE_MAX_US = 16000;

function risen(leastUs: number): number {
  return leastUs + Math.min(Math.max(leastUs >> 3, RISE_MIN_US), RISE_MAX_US);
}

/** Bits of tcp_cubic_hystart_detect. */
const DETECT_TRAIN = 1;
const DETECT_DELAY = 2;
/** What both ends gather before they pass it on may hold an acknowledgement up: four of the largest packets. */
const AGGREGATE_BYTES = 4 * 65536;
const AGGREGATE_MAX_US = 1000;

/** HyStart as Linux's CUBIC has it (Ha and Rhee, 2008): slow start ends at once. */
class Hystart implements SlowStart {
  private found = false;
  /** The present round trip: when it began, what ends it, its least delay, and how many were looked at. */
  private startUs = 0;
  private endSeq: Seq = 0;
  private roundUs = Number.POSITIVE_INFINITY;
  private samples = 0;
  /** When the last acknowledgement of an unbroken train came. */
  private trainUs = 0;

  constructor(state: CongestionState) {
    this.beginRound(state);
  }

  grow(state: CongestionState, acked: number): number {
    return slowStart(state, acked);
  }

  restart(state: CongestionState): void {
    this.found = false;
    this.beginRound(state);
  }

  onDelay(state: CongestionState, delayUs: number, leastUs: number): void {
    if (this.found) return;
    const { sysctl } = state.context.host;
    if (seqGt(state.sndUna, this.endSeq)) this.beginRound(state);
    if (state.cwnd < sysctl.tcp_cubic_hystart_low_window) return;
    if ((sysctl.tcp_cubic_hystart_detect & DETECT_TRAIN) !== 0) this.watchTrain(state, leastUs);
    if ((sysctl.tcp_cubic_hystart_detect & DETECT_DELAY) !== 0) this.watchDelay(state, delayUs, leastUs);
  }

  private beginRound(state: CongestionState): void {
    this.startUs = state.nowUs;
    this.trainUs = state.nowUs;
    this.endSeq = state.sndNxt;
    this.roundUs = Number.POSITIVE_INFINITY;
    this.samples = 0;
  }

  /** Acknowledgements have come closely behind each other for as long as the path takes one way: it is full. */
  private watchTrain(state: CongestionState, leastUs: number): void {
    const { nowUs } = state;
    const { sysctl, mib } = state.context.host;
    if (nowUs - this.trainUs > sysctl.tcp_cubic_hystart_ack_delta_us) return;
    this.trainUs = nowUs;
    // Pacing alone spreads what is sent over half a round trip.
    const fullUs = leastUs + aggregationUs(state);
    if (nowUs - this.startUs <= (state.paced ? fullUs : fullUs >> 1)) return;
    mib.TcpExt.TCPHystartTrainDetect++;
    mib.TcpExt.TCPHystartTrainCwnd += state.cwnd;
    this.end(state);
  }

  /** The least of at least eight delays is clearly longer than the least ever: a queue has built up. */
  private watchDelay(state: CongestionState, delayUs: number, leastUs: number): void {
    if (delayUs < this.roundUs) this.roundUs = delayUs;
    if (this.samples < SAMPLES_MIN) {
      this.samples++;
      return;
    }
    if (this.roundUs <= risen(leastUs)) return;
    const { TcpExt } = state.context.host.mib;
    TcpExt.TCPHystartDelayDetect++;
    TcpExt.TCPHystartDelayCwnd += state.cwnd;
    this.end(state);
  }

  private end(state: CongestionState): void {
    this.found = true;
    state.ssthresh = state.cwnd;
  }
}

/** How long sender and receiver may hold segments at twice the present rate, as slow start sends. */
function aggregationUs({ cwnd, mss, srttUs }: CongestionState): number {
  return Math.min(Math.floor((AGGREGATE_BYTES * srttUs) / (2 * cwnd * mss)), AGGREGATE_MAX_US);
}

/** RFC 9406 section 4.3: growth in conservative slow start, its length in round trips, and the burst when not paced. */
const CSS_GROWTH_DIVISOR = 4;
const CSS_ROUNDS = 5;
const BURST_MAX = 8;

/**
 * HyStart++ (RFC 9406): a longer delay only slows the growth, and when it was but a passing one slow start goes on. As
 * section 4.3 wants it only before the first loss.
 */
class HystartPlusPlus implements SlowStart {
  private endSeq: Seq = 0;
  private lastRoundUs = Number.POSITIVE_INFINITY;
  private roundUs = Number.POSITIVE_INFINITY;
  private samples = 0;
  /** Rounds of conservative slow start that are left; 0 in slow start. */
  private cssRounds = 0;
  /** The delay that has begun it; and acknowledged segments that have not grown the window yet. */
  private baselineUs = Number.POSITIVE_INFINITY;
  private cssAcked = 0;

  constructor(state: CongestionState) {
    this.beginRound(state);
  }

  restart(): void {}

  grow(state: CongestionState, acked: number): number {
    if (state.ssthresh !== SSTHRESH_INFINITE) return slowStart(state, acked);
    const most = state.paced ? acked : Math.min(acked, BURST_MAX);
    if (this.cssRounds === 0) return slowStart(state, most);
    this.cssAcked += most;
    const grow = Math.floor(this.cssAcked / CSS_GROWTH_DIVISOR);
    this.cssAcked -= grow * CSS_GROWTH_DIVISOR;
    return slowStart(state, grow);
  }

  onDelay(state: CongestionState, delayUs: number): void {
    if (state.ssthresh !== SSTHRESH_INFINITE) return;
    if (seqGt(state.sndUna, this.endSeq)) {
      this.beginRound(state);
      if (this.cssRounds > 0 && --this.cssRounds === 0) {
        state.ssthresh = state.cwnd;
        return;
      }
    }
    this.samples++;
    if (delayUs < this.roundUs) this.roundUs = delayUs;
    if (this.samples < SAMPLES_MIN) return;
    if (this.cssRounds > 0) {
      if (this.roundUs < this.baselineUs) this.leaveCss();
    } else if (this.lastRoundUs < Number.POSITIVE_INFINITY && this.roundUs >= risen(this.lastRoundUs)) {
      this.baselineUs = this.roundUs;
      this.cssRounds = CSS_ROUNDS;
    }
  }

  private beginRound(state: CongestionState): void {
    this.endSeq = state.sndNxt;
    this.lastRoundUs = this.roundUs;
    this.roundUs = Number.POSITIVE_INFINITY;
    this.samples = 0;
  }

  private leaveCss(): void {
    this.cssRounds = 0;
    this.cssAcked = 0;
    this.baselineUs = Number.POSITIVE_INFINITY;
  }
}
