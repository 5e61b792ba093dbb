const STEP_MS = 2;
const LIMIT_MS = 20_000;

/** Waits until `done` says so; throws with `what` when that takes far too long. */
export async function until(done: () => boolean, what: () => string): Promise<void> {
  const endMs = performance.now() + LIMIT_MS;
  while (!done()) {
    if (performance.now() > endMs) throw new Error(`waited in vain: ${what()}`);
    await sleep(STEP_MS);
  }
}

/** Resolves after so many milliseconds. */
export function sleep(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms));
}
