import { randomFillSync } from 'node:crypto';
import type { Env } from '../core/env.ts';
import { createEnv } from '../core/scheduler.ts';

/**
 * Real time under Node: a stack that is given it runs as part of the event loop. One environment may serve any
 * number of stacks and links; the process ends by itself once none of them waits for anything.
 */
export function nodeEnv(): Env {
  // Global objects of Node are accessors, which cost more than what they are asked for here.
  const { performance, process } = globalThis;
  const { nextTick } = process;
  // performance.now() does not jump when the wall clock is set; its origin is only the date it started from.
  const originUs = Date.now() * 1000 - performance.now() * 1000;
  return createEnv({
    nowUs: () => Math.floor(originUs + performance.now() * 1000),
    soon: run => nextTick(run),
    nextTurn: run => {
      setImmediate(run);
    },
    later: (run, ms) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
    fillRandom: out => {
      randomFillSync(out);
    },
  });
}
