/** Something happened in a simulated world that must not happen. */
export class Violation extends Error {
  override name = 'Violation';
}

/** Throws Violation unless `condition` holds. */
export function demand(condition: boolean, what: () => string): asserts condition {
  if (!condition) throw new Violation(what());
}
