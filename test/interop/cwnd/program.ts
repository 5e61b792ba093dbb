import { PIECE_MAX, type Sender } from './sender.ts';

/** For so many seconds the program writes so many bits a second: Infinity is all that the socket takes. */
export interface Phase {
  readonly seconds: number;
  readonly rate: number;
}

/** How the window was, in segments, so many seconds after the connection was established and `acked` bytes later. */
export interface Sample {
  readonly at: number;
  readonly acked: number;
  readonly cwnd: number;
  readonly ssthresh: number;
}

/** A real clock, or a virtual one. */
export interface Clock {
  nowMs(): number;
  sleep(ms: number): Promise<void>;
}

/** Between two looks at the window, and between two writes of a program that does not write all it can. */
const SAMPLE_MS = 5;
const WRITE_MS = 10;

/** A program that writes, and looks at the window meanwhile. */
export async function runProgram(sender: Sender, phases: readonly Phase[], clock: Clock): Promise<Sample[]> {
  const beganMs = clock.nowMs();
  const seconds = phases.reduce((sum, phase) => sum + phase.seconds, 0);
  const looks = lookOn(sender, beganMs, seconds, clock);
  let endMs = beganMs;
  for (const phase of phases) {
    endMs += phase.seconds * 1000;
    const limit = clock.sleep(endMs - clock.nowMs());
    await Promise.race([write(sender, phase.rate, endMs, clock), limit]);
    await limit;
  }
  return looks;
}

async function lookOn(sender: Sender, beganMs: number, seconds: number, clock: Clock): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (;;) {
    const at = (clock.nowMs() - beganMs) / 1000;
    if (at >= seconds) return samples;
    const { cwnd, ssthresh, bytesAcked } = sender.info();
    samples.push({ at, acked: bytesAcked, cwnd, ssthresh });
    await clock.sleep(SAMPLE_MS);
  }
}

async function write(sender: Sender, rate: number, endMs: number, clock: Clock): Promise<void> {
  const piece = Math.min(Math.floor((rate * WRITE_MS) / 8000), PIECE_MAX);
  for (let atMs = clock.nowMs(); piece > 0 && clock.nowMs() < endMs; ) {
    await sender.write(piece);
    if (rate === Number.POSITIVE_INFINITY) continue;
    atMs += WRITE_MS;
    await clock.sleep(atMs - clock.nowMs());
  }
}
