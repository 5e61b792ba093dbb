/**
 * Windows of the kernel's as a text, so that they can be compared with where there is no kernel: a line with the
 * scenario's name, then lines of windows in segments, one every STEP_MS from the start.
 * @module
 */
import type { Sample } from './program.ts';

const STEP_MS = 20;
const WINDOWS_A_LINE = 20;

/** The lines of one scenario. */
export function writeRecord(name: string, samples: readonly Sample[]): string {
  const windows: number[] = [];
  for (const { at, cwnd } of samples) while (windows.length * STEP_MS <= at * 1000) windows.push(cwnd);
  let text = `${name}\n`;
  for (let from = 0; from < windows.length; from += WINDOWS_A_LINE)
    text += `${windows.slice(from, from + WINDOWS_A_LINE).join(' ')}\n`;
  return text;
}

/** What was recorded of a scenario. Throws when it was not. */
export function readRecord(text: string, name: string): Sample[] {
  const lines = text.split('\n');
  const from = lines.indexOf(name) + 1;
  if (from === 0) throw new Error(`no record of '${name}'`);
  const rest = lines.slice(from);
  const to = rest.findIndex(line => !/^\d/.test(line));
  const windows = rest.slice(0, to).join(' ').split(' ').map(Number);
  return windows.map((cwnd, step) => ({ at: (step * STEP_MS) / 1000, acked: 0, cwnd, ssthresh: 0 }));
}
