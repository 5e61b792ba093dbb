import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { turn } from '../../node/turn.ts';
import { type Family, judge, type Verdict } from '../../packetdrill/index.ts';
import { failureOf } from '../failure.ts';

/** What became of one file. */
export interface FileResult {
  readonly file: string;
  readonly verdict: Verdict;
  /** Real time, in milliseconds. */
  readonly ms: number;
}

/** How a file is run. */
export interface FileOptions {
  readonly family: Family;
  readonly house: boolean;
  readonly strict: boolean;
  /** Told line by line what happens. */
  readonly note: ((line: string) => void) | null;
}

/** Runs one script. Throws Failure when it cannot be read. */
export async function runFile(file: string, options: FileOptions): Promise<FileResult> {
  const { family, note, house, strict } = options;
  const text = read(file);
  const beganMs = performance.now();
  const verdict =
    otherFamily(file, family) ??
    (await judge(file, text, {
      turn,
      family,
      house,
      strict,
      readFile: path => readNamed(resolve(dirname(file), path)),
      ...(note === null ? {} : { note }),
    }));
  return { file, verdict, ms: Math.round(performance.now() - beganMs) };
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw failureOf(file, error);
  }
}

/** A file that a script's commands name. */
function readNamed(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

/** Packetdrill's own way to run its scripts leaves out those that are, by the end of their name, for the other IP. */
function otherFamily(file: string, family: Family): Verdict | null {
  const end = family === 'ipv4' ? 'v6.pkt' : 'v4.pkt';
  if (!file.endsWith(end)) return null;
  return {
    result: 'skip',
    family,
    reason: `a file *${end} is for ${family === 'ipv4' ? 'IPv6' : 'IPv4'} only`,
    details: [],
  };
}
