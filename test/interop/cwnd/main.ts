/**
 * A program: compares the congestion window of a stack of ours with the kernel's, over the same losses, and draws both.
 * Needs Linux, root, iproute2, netcat and chrt.
 * @module
 */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { skipUnless } from '../support/skip.ts';
import { distance } from './distance.ts';
import { goodputTable } from './goodput.ts';
import type { Course } from './journey.ts';
import { drawPicture } from './picture.ts';
import { writeRecord } from './record.ts';
import { SCENARIOS, type Scenario, secondsOf } from './scenarios.ts';
import { takePrecedence, travel } from './transfer.ts';

const USAGE = `Usage: node --enable-source-maps build/test/interop/cwnd/main.js [options] [SCENARIO ...]

Sends a stream from the kernel (CUBIC) and one from Ethertype to a host of the kernel's, over a bridge that loses the
same bytes of both, and says how far apart their congestion windows are. All scenarios unless some are named:
${SCENARIOS.map(({ name, title }) => `  ${name.padEnd(9)} ${title}`).join('\n')}

  --svg FOLDER   draws each scenario: FOLDER/cubic-SCENARIO.svg
  --json FOLDER  writes the windows: FOLDER/cubic-SCENARIO.json
  --record FILE  writes the kernel's windows for record.test.ts
  --goodput      measures goodput over random losses instead
`;

const { values, positionals } = options();

function options() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        svg: { type: 'string' },
        json: { type: 'string' },
        record: { type: 'string' },
        goodput: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    return fail((error as Error).message);
  }
}

function fail(why: string): never {
  process.stderr.write(`cwnd: ${why}\n`);
  process.exit(2);
}

function save(folder: string | undefined, name: string, text: string): void {
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), text);
}

/** Ours, the kernel's, the kernel's again, and our Reno: the last two say what a distance is worth. */
async function compare(scenario: Scenario): Promise<void> {
  const { name, title } = scenario;
  const seconds = secondsOf(scenario);
  const senders = ['kernel', {}, 'kernel', { tcp_congestion_control: 'reno' }] as const;
  const courses: Course[] = [];
  for (const who of senders) courses.push(await travel(who, scenario));
  const [linux, ours, again, reno] = courses as [Course, Course, Course, Course];
  const from = (other: Course): string =>
    (['at', 'acked'] as const).map(by => distance(other.samples, linux.samples, by).toFixed(3)).join(', ');
  const cells = [name.padEnd(9), from(ours), from(again), from(reno)];
  process.stdout.write(`| ${cells.join(' | ')} |\n`);
  save(values.svg, `cubic-${name}.svg`, drawPicture({ title, seconds, linux, ours }));
  if (values.record !== undefined) appendFileSync(values.record, writeRecord(name, linux.samples));
  save(values.json, `cubic-${name}.json`, `${JSON.stringify({ scenario, linux, ours })}\n`);
}

function chosen(): readonly Scenario[] {
  const unknown = positionals.find(wanted => !SCENARIOS.some(({ name }) => name === wanted));
  if (unknown !== undefined) fail(`there is no scenario '${unknown}'\n${USAGE}`);
  return positionals.length === 0 ? SCENARIOS : SCENARIOS.filter(({ name }) => positionals.includes(name));
}

if (values.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}
const scenarios = chosen();
const why = skipUnless('nc', 'chrt');
if (why !== false) fail(why);
const late = takePrecedence();
if (late !== null) fail(late);
if (values.goodput) {
  for await (const row of goodputTable()) process.stdout.write(`${row}\n`);
} else {
  if (values.record !== undefined) writeFileSync(values.record, '');
  process.stdout.write('| scenario | ours | the kernel again | our Reno |\n|---|---|---|---|\n');
  for (const scenario of scenarios) await compare(scenario);
}
