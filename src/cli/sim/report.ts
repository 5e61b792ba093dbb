import type { WorldResult } from '../../sim/run-world.ts';

/** What was seen in all worlds so far. */
export class Tally {
  readonly firstSeed: number;
  worlds = 0;
  violations = 0;
  connections = 0;
  bytes = 0;
  virtualSeconds = 0;
  readonly outcomes = new Map<string, number>();
  private readonly startMs = performance.now();

  constructor(firstSeed: number) {
    this.firstSeed = firstSeed;
  }

  /** Real time since the first world began. */
  get seconds(): number {
    return (performance.now() - this.startMs) / 1000;
  }

  add(result: WorldResult): void {
    this.worlds++;
    if (!result.ok) this.violations++;
    this.connections += result.connections;
    this.bytes += result.bytes;
    this.virtualSeconds += result.virtualSeconds;
    for (const [outcome, count] of Object.entries(result.outcomes))
      this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + count);
  }
}

/** One world as a JSON line. */
export function formatWorld(result: WorldResult): string {
  const { outcomes, ...line } = result;
  return `${JSON.stringify(line)}\n`;
}

/** The last JSON line. */
export function formatLast(tally: Tally): string {
  const { worlds, violations, firstSeed } = tally;
  const seconds = Math.round(tally.seconds * 1000) / 1000;
  return `${JSON.stringify({ worlds, violations, seconds, firstSeed })}\n`;
}

/** A world that went wrong. */
export function formatViolation(result: WorldResult): string {
  return `seed ${result.seed}: ${result.violation}\n  replay: npx ethertype sim --seed ${result.seed} --trace\n`;
}

/** A sign of life. */
export function formatProgress(tally: Tally, of: number): string {
  return `${tally.worlds} of ${of} worlds, ${violations(tally)}\n`;
}

/** What was done, at the end. */
export function formatSummary(tally: Tally): string {
  const { worlds, seconds, firstSeed, connections, bytes, virtualSeconds, outcomes } = tally;
  const rate = Math.round((worlds / seconds) * 60);
  const ends = [...outcomes].sort((a, b) => b[1] - a[1]).map(([outcome, count]) => `${outcome} ${count}`);
  const lines = [
    `${worlds} ${worlds === 1 ? 'world' : 'worlds'} from seed ${firstSeed} in ${seconds.toFixed(1)} s ` +
      `(${rate} a minute): ${violations(tally)}`,
    `  ${connections} connections, ${(bytes / 1e6).toFixed(1)} MB compared byte by byte, ` +
      `${(virtualSeconds / 3600).toFixed(1)} hours of virtual time`,
    `  how their sides ended: ${ends.join(', ') || 'there were none'}`,
  ];
  return `${lines.join('\n')}\n`;
}

function violations(tally: Tally): string {
  if (tally.violations === 0) return 'no violation';
  return tally.violations === 1 ? '1 violation' : `${tally.violations} violations`;
}
