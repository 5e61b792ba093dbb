/**
 * Traceroute's output, in the formats of Linux's traceroute.
 * @module
 */
import type { TracerouteHop } from './traceroute.ts';

/** What the heading says. */
export interface TracerouteHeading {
  readonly destination: string;
  readonly address: string;
  readonly maxHops: number;
  readonly size: number;
}

/** 'traceroute to 10.0.3.2 (10.0.3.2), 30 hops max, 60 byte packets' */
export function formatTracerouteHeading({ destination, address, maxHops, size }: TracerouteHeading): string {
  return `traceroute to ${destination} (${address}), ${maxHops} hops max, ${size} byte packets`;
}

/**
 * ' 1  10.0.0.1 (10.0.0.1)  0.250 ms  0.230 ms *': an address stands where it is another one than before. With
 * `numeric` it stands there once, as `traceroute -n` shows it; else the first time by its name, if `names` has one.
 */
export function formatTracerouteHop(
  { hop, answers }: TracerouteHop,
  numeric = false,
  names: ReadonlyMap<string, string> = new Map(),
): string {
  const whole = (from: string): string => (numeric ? from : `${names.get(from) ?? from} (${from})`);
  let line = `${String(hop).padStart(2)} `;
  let shown: string | null = null;
  for (const answer of answers) {
    if (answer === null || answer.from === null) line += ' *';
    else if (answer.from !== shown) line += ` ${whole(answer.from)}`;
    if (answer === null) continue;
    shown = answer.from ?? shown;
    if (answer.from !== null) line += `  ${(answer.rttUs / 1000).toFixed(3)} ms`;
    if (answer.annotation !== '') line += ` ${answer.annotation}`;
  }
  return line;
}
