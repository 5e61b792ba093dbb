import { randomInt } from 'node:crypto';
import { Command, InvalidArgumentError } from 'commander';
import type { WorldResult } from '../../sim/run-world.ts';
import { EXIT_USAGE, Failure } from '../failure.ts';
import { print } from '../output.ts';

/** Worlds when neither their number nor a seed is given. */
const WORLDS = 100;
const WORLDS_MAX = 100_000_000;
const SEED_MAX = 0xffffffff;
/** Seconds between two signs of life. */
const PROGRESS_S = 10;

interface SimOptions {
  readonly json?: true;
  readonly trace?: true;
  readonly seeds?: number;
  readonly seed?: number;
}

/** `ethertype sim`. */
export function simCommand(): Command {
  return new Command('sim')
    .summary('play random worlds of hosts on bad networks, and check that nothing went wrong')
    .description(
      'Plays random worlds in virtual time: 2 to 20 hosts, switches and routers, applications that half-close, ' +
        'abort and read slowly, cables that lose, reorder, double and corrupt packets and are pulled, hosts that ' +
        'lose their memory. In each it checks every byte, every end of a connection, every queue, and that nothing ' +
        'is left. A seed gives the same world each time.',
    )
    .option('--seeds <number>', `how many worlds (default: ${WORLDS}, or 1 with --seed)`, parseSeeds)
    .option('--seed <number>', 'the first seed (default: a fresh one each time)', parseSeed)
    .option('--trace', 'print the plan and every event of the one world of --seed')
    .option(
      '--json',
      'print one JSON line a world and one at the end; with --trace the plan and the events, too',
    )
    .helpOption('-h, --help', 'print this help')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      `
Examples:
  $ ethertype sim --seeds 500
  $ ethertype sim --seeds 500 --json | tail -1
  $ ethertype sim --seed 1234 --trace | less`,
    )
    .action(sim);
}

function parseSeeds(text: string): number {
  return parseNumber(text, 1, WORLDS_MAX);
}

function parseSeed(text: string): number {
  return parseNumber(text, 0, SEED_MAX);
}

function parseNumber(text: string, min: number, max: number): number {
  if (!/^\d{1,10}$/.test(text) || Number(text) < min || Number(text) > max)
    throw new InvalidArgumentError(`Not a number from ${min} to ${max}.`);
  return Number(text);
}

async function sim(options: SimOptions): Promise<void> {
  if (options.trace === true) {
    if (options.seed === undefined || (options.seeds ?? 1) !== 1)
      throw new Failure('--trace shows one world: give its --seed', EXIT_USAGE);
    const { traceWorld } = await import('./trace.ts');
    complain([traceWorld(options.seed, options.json === true)]);
    return;
  }
  const firstSeed = options.seed ?? randomInt(SEED_MAX);
  const worlds = options.seeds ?? (options.seed === undefined ? WORLDS : 1);
  complain(await playAll(firstSeed, worlds, options.json === true));
}

/** Plays worlds one after the other; returns those that went wrong. */
async function playAll(firstSeed: number, worlds: number, json: boolean): Promise<WorldResult[]> {
  // The stack is loaded only now, so that help and complaints come at once.
  const { drawPlan } = await import('../../sim/draw-plan.ts');
  const { createWorkshop, runWorld } = await import('../../sim/run-world.ts');
  const { Tally, formatLast, formatProgress, formatSummary, formatViolation, formatWorld } = await import(
    './report.ts'
  );
  const workshop = createWorkshop();
  const tally = new Tally(firstSeed);
  const violations: WorldResult[] = [];
  let saidS = 0;
  for (let i = 0; i < worlds; i++) {
    // Seeds go round at 2^32.
    const result = runWorld(drawPlan((firstSeed + i) >>> 0), workshop);
    tally.add(result);
    if (!result.ok) violations.push(result);
    if (json) print(formatWorld(result));
    else if (!result.ok) print(formatViolation(result));
    else if (tally.seconds - saidS >= PROGRESS_S) {
      saidS = tally.seconds;
      print(formatProgress(tally, worlds));
    }
  }
  print(json ? formatLast(tally) : formatSummary(tally));
  return violations;
}

function complain(results: readonly WorldResult[]): void {
  const bad = results.filter(result => !result.ok);
  const [first] = bad;
  if (first === undefined) return;
  throw new Failure(
    `${bad.length === 1 ? 'a world' : `${bad.length} worlds`} went wrong; replay the first with ` +
      `\`npx ethertype sim --seed ${first.seed} --trace\``,
  );
}
