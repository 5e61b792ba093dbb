import type { TcpState } from '../../tcp/state.ts';
import { checkRest, checkState } from './check.ts';
import { fingerprint, hash53 } from './fingerprint.ts';
import { type Choice, createWorkshop, Pair, type Workshop } from './pair.ts';
import type { Scenario } from './scenarios.ts';

/** A path that led to something that must not be, one line for each choice. */
export interface ExploreViolation {
  readonly scenario: string;
  readonly what: string;
  readonly path: readonly string[];
}

/** What was seen of one scenario. */
export interface ExploreResult {
  readonly scenario: string;
  /** Distinct states; how much the network may still lose and double is not counted as a part of them. */
  readonly states: number;
  /** Steps of the real code that were checked. */
  readonly transitions: number;
  /** States at the full depth, each of which was played to its calm end. */
  readonly finished: number;
  /** Whether nothing was left to explore before the depth was reached. */
  readonly exhausted: boolean;
  /** The states of the diagram that a connection was in. */
  readonly reached: readonly TcpState[];
  readonly violations: readonly ExploreViolation[];
}

/** Violations of one scenario after which it is given up. */
const VIOLATIONS_MAX = 3;

/**
 * Walks every sequence of up to `depth` choices of a scenario (and `deeper` more), breadth first. A state is rebuilt by
 * replaying its choices on fresh connections; one that was seen before is not walked on from.
 */
export function explore(scenario: Scenario, depth: number): ExploreResult {
  return new Explorer(scenario).run(depth);
}

class Explorer {
  private readonly scenario: Scenario;
  private readonly workshop: Workshop;
  private readonly seen = new Set<number>();
  /** With what the network may still do: where to walk on from. */
  private readonly visited = new Set<number>();
  private readonly violations: ExploreViolation[] = [];
  private readonly reached = new Set<TcpState>();
  private transitions = 0;
  private finished = 0;

  constructor(scenario: Scenario) {
    this.scenario = scenario;
    this.workshop = createWorkshop(scenario);
  }

  run(depth: number): ExploreResult {
    let level: Uint16Array[] = [];
    this.look(new Uint16Array(0), this.replay([]), level);
    const full = depth + this.scenario.deeper;
    for (let at = 0; at < full && level.length > 0; at++) {
      const next: Uint16Array[] = [];
      for (const path of level) {
        this.expand(path, next);
        if (this.violations.length >= VIOLATIONS_MAX) return this.result(false);
      }
      level = next;
    }
    const exhausted = level.length === 0;
    for (const path of level) {
      this.finish(path);
      if (this.violations.length >= VIOLATIONS_MAX) break;
    }
    return this.result(exhausted);
  }

  private result(exhausted: boolean): ExploreResult {
    const { transitions, finished, violations } = this;
    return {
      scenario: this.scenario.name,
      states: this.seen.size,
      transitions,
      finished,
      exhausted,
      reached: [...this.reached].sort(),
      violations,
    };
  }

  /** Makes every choice that there is at the end of `path`. */
  private expand(path: Uint16Array, next: Uint16Array[]): void {
    const first = this.replay(path);
    const choices = first.choices();
    if (choices.length === 0) this.guard(path, () => checkRest(first));
    for (const [index, choice] of choices.entries()) {
      // The first choice can have the pair that was asked for all of them.
      const pair = index === 0 ? first : this.replay(path);
      const longer = new Uint16Array(path.length + 1);
      longer.set(path);
      longer[path.length] = choice;
      this.transitions++;
      const good = this.guard(longer, () => {
        pair.apply(choice);
        this.check(pair);
      });
      if (good) this.look(longer, pair, next);
    }
  }

  private check(pair: Pair): void {
    checkState(pair);
    for (const { connection, halfOpen } of [pair.a, pair.b]) {
      if (connection !== null) this.reached.add(connection.state);
      else if (halfOpen !== null) this.reached.add('SYN_RCVD');
    }
  }

  /** Keeps the path when its state is new. */
  private look(path: Uint16Array, pair: Pair, next: Uint16Array[]): void {
    const text = fingerprint(pair);
    this.seen.add(hash53(text));
    const before = this.visited.size;
    this.visited.add(hash53(`${text}|${pair.dropsLeft},${pair.duplicatesLeft}`));
    if (this.visited.size > before) next.push(path);
  }

  /** From the end of `path` on all goes well: does it come to an end? */
  private finish(path: Uint16Array): void {
    const pair = this.replay(path);
    this.finished++;
    const made: Choice[] = [];
    const play = (): void => {
      pair.finish(made, () => this.check(pair));
      checkRest(pair);
    };
    this.guard(path, play, made);
  }

  private replay(path: ArrayLike<Choice>): Pair {
    const pair = new Pair(this.workshop);
    for (let i = 0; i < path.length; i++) pair.apply(path[i] as Choice);
    return pair;
  }

  /** Runs a check; false when it, or the code itself, found something wrong. */
  private guard(path: ArrayLike<Choice>, run: () => void, more: readonly Choice[] = []): boolean {
    try {
      run();
      return true;
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      const all = [...Array.from(path), ...more];
      this.violations.push({ scenario: this.scenario.name, what, path: this.tell(all) });
      return false;
    }
  }

  private tell(path: readonly Choice[]): string[] {
    const pair = new Pair(this.workshop);
    return path.map((choice, index) => {
      const line = pair.describe(choice);
      // The last step may be the one that throws.
      if (index < path.length - 1) pair.apply(choice);
      return line;
    });
  }
}
