/**
 * An ephemeral port by RFC 6056 algorithm 1: from a random place in the range, the first one that is free.
 * `start` is 32 random bits (or a keyed hash of the destination). Returns 0 when every port of the range is taken.
 */
export function pickEphemeralPort(
  range: readonly [number, number],
  start: number,
  isFree: (port: number) => boolean,
): number {
  const [low, high] = range;
  const count = high - low + 1;
  if (count <= 0) return 0;
  const offset = (start >>> 0) % count;
  for (let i = 0; i < count; i++) {
    const port = low + ((offset + i) % count);
    if (isFree(port)) return port;
  }
  return 0;
}
