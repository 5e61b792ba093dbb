import type { Env } from '../core/env.ts';
import { createEnv } from '../core/scheduler.ts';
import { turnChannel } from './turn.ts';

/** Bytes that crypto.getRandomValues gives in one call at most. */
const RANDOM_QUOTA = 65536;

/** Real time in a browser, a worker, or any runtime with the web's globals. May serve any number of stacks. */
export function webEnv(): Env {
  const originUs = Date.now() * 1000 - performance.now() * 1000;
  let afterTurn: () => void = () => {};
  const channel = turnChannel(() => afterTurn());
  return createEnv({
    nowUs: () => Math.floor(originUs + performance.now() * 1000),
    soon: run => queueMicrotask(run),
    nextTurn: run => {
      afterTurn = run;
      channel.post();
    },
    later: (run, ms) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
    fillRandom: out => {
      const bytes = out as Uint8Array<ArrayBuffer>;
      for (let at = 0; at < bytes.length; at += RANDOM_QUOTA) {
        crypto.getRandomValues(bytes.subarray(at, at + RANDOM_QUOTA));
      }
    },
  });
}
