import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Command, InvalidArgumentError } from 'commander';
import type { FuzzResult, FuzzViolation } from '../../sim/fuzz/fuzz.ts';
import { EXIT_FAILURE, Failure } from '../failure.ts';
import { print } from '../output.ts';

interface FuzzCommandOptions {
  readonly frames: number;
  readonly seed?: number;
  readonly json?: true;
}

/** Milliseconds between two progress lines on a terminal. */
const PROGRESS_MS = 200;

/** `ethertype fuzz`. */
export function fuzzCommand(): Command {
  return new Command('fuzz')
    .summary('attack a host with mutated frames')
    .description(
      'Records what hosts on an embedded network say to each other, changes the frames in every way a bad wire or ' +
        'a bad neighbour could, and lets them into one of the hosts, in virtual time. Nothing may throw, nothing ' +
        'may grow, and a connection that is not attacked must not feel a thing.',
    )
    .option('--frames <number>', 'how many frames', parseFrames, 1_000_000)
    .option('--seed <number>', 'everything random follows from it (default: a new one each time)', parseSeed)
    .option('--json', 'print one line of JSON instead')
    .helpOption('-h, --help', 'print this help')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      `
Examples:
  $ ethertype fuzz
  $ ethertype fuzz --frames 10000000
  $ ethertype fuzz --frames 31968 --seed 7    replay what seed 7 did, up to this frame

Exit status: 0 when nothing went wrong, 1 when something did, 2 for a wrong command line.`,
    )
    .action(runFuzz);
}

function parseFrames(text: string): number {
  return parseNumber(text, 1, 1e10);
}

function parseSeed(text: string): number {
  return parseNumber(text, 0, 0xffffffff);
}

function parseNumber(text: string, min: number, max: number): number {
  const value = Number(text);
  if (!/^\d{1,11}$/.test(text) || value < min || value > max)
    throw new InvalidArgumentError(`Not a number from ${min} to ${max}.`);
  return value;
}

async function runFuzz(options: FuzzCommandOptions): Promise<void> {
  const seed = options.seed ?? Math.floor(Math.random() * 0x100000000);
  const { fuzz } = await import('../../sim/fuzz/fuzz.ts');
  const beganMs = performance.now();
  const showsProgress = process.stderr.isTTY === true && options.json !== true;
  let shownMs = 0;
  const onProgress = (frames: number): void => {
    const nowMs = performance.now();
    if (!showsProgress || nowMs - shownMs < PROGRESS_MS) return;
    shownMs = nowMs;
    const rate = Math.round((1000 * frames) / (nowMs - beganMs));
    process.stderr.write(
      `\r${thousands(frames)} of ${thousands(options.frames)} frames, ${thousands(rate)}/s `,
    );
  };
  const result = fuzz({ frames: options.frames, seed, heapUsed, onProgress });
  if (showsProgress) process.stderr.write('\r\x1b[K');
  const seconds = (performance.now() - beganMs) / 1000;
  print(options.json === true ? jsonLine(result, seed, seconds) : report(result, seed, seconds));
  const { violations } = result;
  if (violations.length > 0)
    throw new Failure(`${violations.length} violations (seed ${seed})`, EXIT_FAILURE);
}

/** Bytes of heap in use after a collection. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  collect();
  return process.memoryUsage().heapUsed;
}

function jsonLine(result: FuzzResult, seed: number, seconds: number): string {
  const { violations, ...figures } = result;
  const found = violations.map(violation => ({ ...violation, frame: hexOf(violation) }));
  const rounded = Math.round(seconds * 1000) / 1000;
  return `${JSON.stringify({ ...figures, seconds: rounded, seed, violations: found })}\n`;
}

function report(result: FuzzResult, seed: number, seconds: number): string {
  const { frames, exceptions, harmed, growths, contradictions, conversations, heapGrowth, violations } =
    result;
  const rate = thousands(Math.round(frames / seconds));
  const heap =
    heapGrowth === null ? '' : `, heap ${(heapGrowth / 2 ** 20).toFixed(1)} MiB more than at first`;
  const lines = [
    `${thousands(frames)} frames in ${seconds.toFixed(1)} s (${rate}/s), seed ${seed}`,
    `exceptions: ${exceptions}`,
    `contradictions: ${contradictions}`,
    `growth: ${growths}${heap}`,
    `harmed: ${harmed} (${thousands(conversations)} conversations that were not attacked went well)`,
  ];
  for (const violation of violations) lines.push('', ...describe(violation, seed));
  return `${lines.join('\n')}\n`;
}

function describe(violation: FuzzViolation, seed: number): string[] {
  const { kind, message, frames } = violation;
  const hex = hexOf(violation);
  return [
    `${kind} after ${thousands(frames)} frames: ${message}`,
    ...(hex === null ? [] : [`frame: ${hex}`]),
    `replay: ethertype fuzz --frames ${frames} --seed ${seed}`,
  ];
}

function hexOf({ frame }: FuzzViolation): string | null {
  return frame === null ? null : Buffer.from(frame).toString('hex');
}

function thousands(value: number): string {
  return value.toLocaleString('en-US');
}
