import {
  additiveIncrease,
  type CongestionControl,
  type CongestionState,
  inSlowStart,
  isCwndLimited,
  SSTHRESH_MIN,
  windowBefore,
} from './congestion.ts';
import { createSlowStart, type SlowStart } from './hystart.ts';

/** Time since a loss is counted in 1/1024 s. */
const TICKS_PER_SECOND = 1024;
/** RFC 9438 section 4.1: C is 0.4 segments per second cubed; here per tick cubed, as Linux rounds it. */
const C = 410 / TICKS_PER_SECOND ** 4;
/** RFC 9438 section 4.6: what a loss leaves of the window, in 1/1024: 0.7. */
const BETA = 717;
const BETA_SCALE = 1024;
/** Section 4.3: Reno's window grows by one for 15/8 of itself: 1 / alpha, and alpha = 3 (1 - beta) / (1 + beta). */
const RENO_EIGHTHS = 15;
/** Milliseconds for which a growth rate stands while the window stays the same. */
const UPDATE_MS = 31;
/** In the first second of a congestion avoidance phase delays may still be those of the loss before it. */
const SETTLE_MS = 1000;
/** Before the first loss nothing is known of the path: at least one segment for this many acknowledged. */
const PROBING_ACKS = 20;
/** Never faster than one segment for two acknowledged: 1.5 times the window a round trip (RFC 9438 section 4.4). */
const FASTEST_ACKS = 2;
/** Before all time; a double like every clock (see ../times.ts). */
const NONE = Number.NEGATIVE_INFINITY;

/**
 * CUBIC (RFC 9438) as Linux has it: windows are whole segments, clocks tick in milliseconds, and the growth is held as
 * the number of acknowledged segments that make the window one larger.
 */
export class Cubic implements CongestionControl {
  /** Null before the first loss and the end of slow start: a connection that does nothing needs none. */
  private avoidance: Avoidance | null = null;
  /** The least delay seen, in microseconds; 0 when none was. */
  private delayMinUs = 0;
  /** Made when the window grows for the first time: a connection that does nothing needs none. */
  private slowStart: SlowStart | null = null;

  get name(): string {
    return 'cubic';
  }

  get model(): null {
    return null;
  }

  onStart(state: CongestionState): void {
    const { sysctl } = state.context.host;
    this.reset();
    this.slowStart = null;
    if (sysctl.tcp_cubic_hystart === 0 && sysctl.tcp_cubic_initial_ssthresh > 0)
      state.ssthresh = sysctl.tcp_cubic_initial_ssthresh;
  }

  onRtt(state: CongestionState, rttUs: number): void {
    // Right after a recovery the queues are not what they normally are.
    if (this.avoidance?.isSettling(state)) return;
    const delayUs = Math.max(rttUs, 1);
    if (this.delayMinUs === 0 || delayUs < this.delayMinUs) this.delayMinUs = delayUs;
    if (inSlowStart(state)) this.slowStart?.onDelay(state, delayUs, this.delayMinUs);
  }

  onAck(state: CongestionState, acked: number): void {
    if (!isCwndLimited(state)) return;
    let left = acked;
    if (inSlowStart(state)) {
      this.slowStart ??= createSlowStart(state);
      left = this.slowStart.grow(state, acked);
      if (left === 0) return;
    }
    this.avoidance ??= new Avoidance();
    additiveIncrease(state, this.avoidance.update(state, left, this.delayMinUs), left);
  }

  onLoss(state: CongestionState): number {
    this.avoidance ??= new Avoidance();
    this.avoidance.end(state);
    return Math.max(Math.floor((state.cwnd * BETA) / BETA_SCALE), SSTHRESH_MIN);
  }

  onUndo(state: CongestionState): number {
    return windowBefore(state);
  }

  /** The next avoidance phase grows from the window it begins with (section 4.8). */
  onTimeout(state: CongestionState): void {
    this.reset();
    this.slowStart?.restart(state);
  }

  /** An idle time does not count as time since the loss (section 5.8). */
  onRestart(state: CongestionState): void {
    this.avoidance?.skipIdle(state);
  }

  private reset(): void {
    this.avoidance = null;
    this.delayMinUs = 0;
  }
}

/** Congestion avoidance: where the window stands on its curve. */
class Avoidance {
  /** The window before the last reduction (W_max), less when it was below the one before; 0 before the first loss. */
  private wMax = 0;
  /** Acknowledged segments for one more in the window; when and for which window that was worked out. */
  private perSegment = 0;
  private lastCwnd = 0;
  private lastMs = NONE;
  /** When the present congestion-avoidance phase began. */
  private epochMs = NONE;
  /** Ticks from the epoch to the plateau, and the window there. */
  private k = 0;
  private origin = 0;
  /** What Reno's window would be now (section 4.3), and the acknowledged segments it has not yet grown by. */
  private wEst = 0;
  private ackCount = 0;

  /** Whether the present phase has begun only just now. */
  isSettling(state: CongestionState): boolean {
    return clockMs(state) - this.epochMs < SETTLE_MS;
  }

  /** A loss ends the phase. */
  end({ cwnd, context }: CongestionState): void {
    this.epochMs = NONE;
    // Fast convergence (section 4.7): a flow that lost below its last maximum leaves room for newcomers.
    const fell = cwnd < this.wMax && context.host.sysctl.tcp_cubic_fast_convergence;
    this.wMax = fell ? Math.floor((cwnd * (BETA_SCALE + BETA)) / (2 * BETA_SCALE)) : cwnd;
  }

  /** Time in which nothing was sent does not count. */
  skipIdle(state: CongestionState): void {
    const nowMs = clockMs(state);
    const idleMs = nowMs - Math.floor(state.lastSentUs / 1000);
    if (idleMs > 0) this.epochMs = Math.min(this.epochMs + idleMs, nowMs);
  }

  /**
   * How many acknowledged segments make the window one larger: by the cubic, which is worked out at most once a
   * millisecond, or by Reno's rate.
   */
  update(state: CongestionState, acked: number, delayMinUs: number): number {
    const { cwnd } = state;
    const nowMs = clockMs(state);
    this.ackCount += acked;
    if (cwnd === this.lastCwnd && nowMs - this.lastMs <= UPDATE_MS) return this.perSegment;
    if (this.epochMs === NONE || nowMs !== this.lastMs) {
      this.lastCwnd = cwnd;
      this.lastMs = nowMs;
      if (this.epochMs === NONE) this.startEpoch(cwnd, acked, nowMs);
      this.perSegment = this.cubicRate(cwnd, nowMs, delayMinUs);
    }
    if (state.context.host.sysctl.tcp_cubic_tcp_friendliness)
      this.perSegment = Math.min(this.perSegment, this.renoRate(cwnd));
    this.perSegment = Math.max(this.perSegment, FASTEST_ACKS);
    return this.perSegment;
  }

  private startEpoch(cwnd: number, acked: number, nowMs: number): void {
    this.epochMs = nowMs;
    this.ackCount = acked;
    this.wEst = cwnd;
    this.origin = Math.max(this.wMax, cwnd);
    this.k = Math.floor(Math.cbrt((this.origin - cwnd) / C));
  }

  /** Section 4.2: what the window should be a round trip from now, as cwnd / (target - cwnd). */
  private cubicRate(cwnd: number, nowMs: number, delayMinUs: number): number {
    const ms = nowMs - this.epochMs + Math.ceil(delayMinUs / 1000);
    const ticks = Math.floor((ms * TICKS_PER_SECOND) / 1000) - this.k;
    const delta = Math.floor(C * Math.abs(ticks) ** 3);
    const target = ticks < 0 ? this.origin - delta : this.origin + delta;
    const rate = target > cwnd ? Math.floor(cwnd / (target - cwnd)) : 100 * cwnd;
    return this.wMax === 0 ? Math.min(rate, PROBING_ACKS) : rate;
  }

  /** Section 4.3: at least as fast as Reno with the same average window would be. */
  private renoRate(cwnd: number): number {
    const per = (cwnd * RENO_EIGHTHS) >> 3;
    if (this.ackCount > per) {
      const grow = Math.ceil(this.ackCount / per) - 1;
      this.ackCount -= grow * per;
      this.wEst += grow;
    }
    return this.wEst > cwnd ? Math.floor(cwnd / (this.wEst - cwnd)) : Number.POSITIVE_INFINITY;
  }
}

function clockMs({ nowUs }: CongestionState): number {
  return Math.floor(nowUs / 1000);
}
