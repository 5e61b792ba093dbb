/**
 * BBR's units, which are Linux's, so that figures can be compared: bandwidth is segments a microsecond times 2^24,
 * gains are in 1/256.
 * @module
 */

/** One segment a microsecond. */
export const BW_UNIT = 2 ** 24;
/** A gain of one. */
export const GAIN_UNIT = 256;
/** What is left of the rate for the link's own overhead: the queue would never drain at exactly its rate. */
const PACING_PERCENT = 99;

/** A bandwidth times a gain as a pacing rate, in bytes of payload a second: one percent less. */
export function bytesPerSecond(bandwidth: number, mss: number, gain: number): number {
  return Math.floor((((bandwidth * mss * gain) / GAIN_UNIT) * 1e4 * PACING_PERCENT) / BW_UNIT);
}
