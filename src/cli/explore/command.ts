import { Command, InvalidArgumentError } from 'commander';
import type { ExploreResult } from '../../sim/explore/explore.ts';
import { EXIT_FAILURE, Failure } from '../failure.ts';
import { print } from '../output.ts';

interface ExploreCommandOptions {
  readonly depth: number;
  readonly json?: true;
}

/** A minute or two. */
const DEPTH = 8;
const DEPTH_MAX = 100;

/** `ethertype explore`. */
export function exploreCommand(): Command {
  return new Command('explore')
    .summary('try every order of delivery, loss, duplication and timers between two hosts')
    .description(
      'Walks every sequence of choices between two TCP connections: which segment arrives next, is lost or comes ' +
        'twice, whose timer goes off, which application makes its next call. Each state is seen once and checked, ' +
        'and from each at the full depth the conversation is played to its end. One scenario after the other.',
    )
    .option('--depth <number>', 'choices in a row', parseDepth, DEPTH)
    .option('--json', 'print one line of JSON a scenario and one at the end')
    .helpOption('-h, --help', 'print this help')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      `
Examples:
  $ ethertype explore
  $ ethertype explore --depth 7 --json | tail -1

Exit status: 0 when nothing went wrong, 1 when something did, 2 for a wrong command line.`,
    )
    .action(runExplore);
}

function parseDepth(text: string): number {
  const value = Number(text);
  if (!/^\d{1,3}$/.test(text) || value < 1 || value > DEPTH_MAX)
    throw new InvalidArgumentError(`Not a number from 1 to ${DEPTH_MAX}.`);
  return value;
}

async function runExplore({ depth, json }: ExploreCommandOptions): Promise<void> {
  const { explore } = await import('../../sim/explore/explore.ts');
  const { SCENARIOS } = await import('../../sim/explore/scenarios.ts');
  const beganMs = performance.now();
  const results: ExploreResult[] = [];
  for (const scenario of SCENARIOS) {
    const result = explore(scenario, depth);
    results.push(result);
    if (json === true) print(`${JSON.stringify(result)}\n`);
    else print(formatResult(result, scenario.about));
  }
  const seconds = Math.round((performance.now() - beganMs) / 10) / 100;
  const states = results.reduce((sum, result) => sum + result.states, 0);
  const violations = results.reduce((sum, result) => sum + result.violations.length, 0);
  const scenarios = Object.fromEntries(results.map(result => [result.scenario, result.states]));
  if (json === true) print(`${JSON.stringify({ states, depth, violations, seconds, scenarios })}\n`);
  else
    print(
      `${states.toLocaleString('en')} distinct states to depth ${depth} in ${seconds} s, ${violations} violations\n`,
    );
  if (violations > 0)
    throw new Failure(`${violations} ${violations === 1 ? 'violation' : 'violations'}`, EXIT_FAILURE);
}

function formatResult(result: ExploreResult, about: string): string {
  const { scenario, states, transitions, exhausted, violations } = result;
  const count = (value: number): string => value.toLocaleString('en').padStart(10);
  const lines = [
    `${scenario.padEnd(20)}${count(states)} states${count(transitions)} steps${exhausted ? ' (all)' : ''}  ${about}`,
  ];
  for (const { what, path } of violations) {
    lines.push(`  violation: ${what}`, ...path.map((line, index) => `    ${index + 1}. ${line}`));
  }
  return `${lines.join('\n')}\n`;
}
