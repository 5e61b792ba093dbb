/** A broken invariant of our own: never raised by what a peer sends or a caller passes. */
export class AssertionError extends Error {
  override name = 'AssertionError';
}

/** Throws AssertionError unless `condition` holds. For what must be true whatever the network does. */
export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new AssertionError(`broken invariant: ${what}`);
}
