/**
 * Two hosts side by side and what goes between them, in the order of time: states and queues in the column of the host
 * they belong to, packets as arrows from one column to the other.
 * @module
 */
import type { TraceEvent } from '../../trace/events.ts';
import { wrap } from '../output.ts';
import { CLIENT_NAME } from './addresses.ts';

const TIME_WIDTH = 11;
const COLUMN_WIDTH = 44;
/** From the beginning of the left column to the end of the right one. */
const ARROW_WIDTH = 2 * COLUMN_WIDTH;

/** Seconds since the walk began, with microseconds: '0.000812'. */
export function formatSince(atUs: number, startUs: number): string {
  return ((atUs - startUs) / 1e6).toFixed(6);
}

/** What a ladder needs to know beside the events it shows. */
export interface LadderContext {
  /** Times count from here. */
  readonly startUs: number;
  /** The tcpdump line of each packet. */
  readonly dumped: ReadonlyMap<TraceEvent, string>;
}

/** The lines of a ladder for those of the events that have a place in one. */
export function formatLadder(
  events: readonly TraceEvent[],
  context: LadderContext,
  heading: readonly [string, string],
): string[] {
  const lines = [`${'time (s)'.padStart(TIME_WIDTH - 2)}  ${heading[0].padEnd(COLUMN_WIDTH)}${heading[1]}`];
  for (const event of events) {
    const left = event.host === CLIENT_NAME;
    const time = `${formatSince(event.atUs, context.startUs).padStart(TIME_WIDTH - 2)}  `;
    // A packet is shown where it is sent; its arrival speaks through what it changes.
    if (event.type === 'packet') {
      const line = shorten(context.dumped.get(event) ?? '');
      if (event.direction === 'out') lines.push(time + formatArrow(line, left));
      continue;
    }
    const cell = formatCell(event);
    if (cell === null) continue;
    wrap(cell, COLUMN_WIDTH - 1, '  ').forEach((part, index) => {
      const lead = index === 0 ? time : ' '.repeat(TIME_WIDTH);
      lines.push(lead + (left ? part : ' '.repeat(COLUMN_WIDTH) + part));
    });
  }
  return lines;
}

/** A line of tcpdump without its time, addresses, window and options. */
function shorten(line: string): string {
  return line
    .replace(/^\S+ (?:IP \S+ > \S+: |ARP, )?/, '')
    .replace(/, win \d+/, '')
    .replace(/, options \[[^\]]*\]/, '')
    .replace(/: HTTP.*$/, '');
}

function formatArrow(text: string, toTheRight: boolean): string {
  const shown = ` ${text} `;
  const before = Math.max(2, Math.floor((ARROW_WIDTH - 2 - shown.length) / 2));
  const after = Math.max(2, ARROW_WIDTH - 2 - shown.length - before);
  const line = '-'.repeat(before) + shown + '-'.repeat(after);
  return toTheRight ? `${line}->` : `<-${line}`;
}

const QUEUES: { readonly [queue: string]: string } = {
  syn: 'SYN queue',
  accept: 'accept queue',
  neighbor: 'waiting for ARP',
};

function formatCell(event: TraceEvent): string | null {
  switch (event.type) {
    case 'tcp:state':
      return `${event.from} -> ${event.to} (${event.cause})`;
    case 'neighbor':
      return `${event.address}: ${event.from} -> ${event.to}${event.mac === '' ? '' : ` ${event.mac}`}`;
    case 'queue': {
      const name = QUEUES[event.queue];
      return name === undefined ? null : `${name}: ${event.length} of at most ${event.limit}`;
    }
    default:
      return null;
  }
}
