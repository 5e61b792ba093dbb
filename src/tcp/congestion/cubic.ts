import {
  additiveIncrease,
  type CongestionControl,
  type CongestionState,
  SSTHRESH_MIN,
  slowStart,
} from './congestion.ts';

/** RFC 9438 section 4.1: how fast the cubic grows, in segments per second cubed. */
const C = 0.4;
/** RFC 9438 section 4.6: what a loss leaves of the window (Linux: 717/1024). */
const BETA = 0.7;
/** RFC 9438 section 4.3: additive increase that matches Reno's average rate. */
const ALPHA = (3 * (1 - BETA)) / (1 + BETA);

/** CUBIC (RFC 9438). Windows in segments, times in microseconds. */
export class Cubic implements CongestionControl {
  readonly name = 'cubic';
  /** The window before the last reduction. */
  private wMax = 0;
  /** When the present congestion-avoidance phase began; 0 when none has. */
  private epochUs = 0;
  /** Seconds from the epoch to the plateau at `origin`. */
  private k = 0;
  private origin = 0;
  /** What Reno's window would be now (section 4.3). */
  private wEst = 0;
  /** The window when ssthresh was last set: cwnd_prior. */
  private prior = 0;

  onAck(state: CongestionState, acked: number, nowUs: number): void {
    const left = state.cwnd < state.ssthresh ? slowStart(state, acked) : acked;
    if (left === 0) return;
    if (this.epochUs === 0) this.startEpoch(state, nowUs);
    additiveIncrease(state, this.ackedPerSegment(state, left, nowUs), left);
  }

  onLoss(state: CongestionState): number {
    this.epochUs = 0;
    this.prior = state.cwnd;
    // Fast convergence (section 4.7): a flow that lost below its last maximum leaves room for newcomers.
    this.wMax = state.cwnd < this.wMax ? (state.cwnd * (1 + BETA)) / 2 : state.cwnd;
    return Math.max(Math.floor(state.cwnd * BETA), SSTHRESH_MIN);
  }

  /** The next avoidance phase grows from the window it begins with (section 4.8). */
  onTimeout(): void {
    this.epochUs = 0;
    this.wMax = 0;
  }

  /** An idle time does not count as time since the loss (section 5.8). */
  onRestart(_state: CongestionState, idleUs: number, nowUs: number): void {
    if (this.epochUs !== 0) this.epochUs = Math.min(this.epochUs + idleUs, nowUs);
  }

  private startEpoch(state: CongestionState, nowUs: number): void {
    this.epochUs = nowUs;
    this.wEst = state.cwnd;
    this.origin = Math.max(this.wMax, state.cwnd);
    this.k = Math.cbrt((this.origin - state.cwnd) / C);
  }

  /** How many acknowledged segments grow the window by one (Linux's `cnt`): cwnd / (target - cwnd). */
  private ackedPerSegment(state: CongestionState, acked: number, nowUs: number): number {
    const { cwnd } = state;
    const t = (nowUs - this.epochUs + state.minRttUs) / 1e6;
    const target = Math.min(this.origin + C * (t - this.k) ** 3, 1.5 * cwnd);
    // At the rate that gave the old window back, Reno's own rate is fair (section 4.3).
    this.wEst += ((this.wEst < this.prior ? ALPHA : 1) * acked) / cwnd;
    const goal = Math.max(target, this.wEst);
    return goal > cwnd ? Math.max(cwnd / (goal - cwnd), 2) : 100 * cwnd;
  }
}
