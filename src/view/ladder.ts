/**
 * Two hosts side by side and what goes between them, in the order of time: states, calls and queues in the column of
 * the host they belong to, packets as arrows from one column to the other.
 * @module
 */
import type { FaultEvent, TraceEvent } from '../trace/events.ts';
import { formatStrace } from './strace.ts';
import { tcpdumpView } from './tcpdump.ts';
import { wrap } from './wrap.ts';

const TIME_WIDTH = 11;
const COLUMN_WIDTH = 44;
/** From the beginning of the left column to the end of the right one. */
const ARROW_WIDTH = 2 * COLUMN_WIDTH;

/** What a ladder needs to know beside the events it shows. */
export interface LadderContext {
  /** Times count from here, in microseconds since the Unix epoch. */
  readonly startUs: number;
  /** The tcpdump line of each packet: `dumpPackets` makes them. */
  readonly dumped: ReadonlyMap<TraceEvent, string>;
  /** Whether an event belongs to the left column; of a packet: to be drawn from left to right. */
  readonly isLeft: (event: TraceEvent) => boolean;
  /** Events that matter: marked with `*`, with a line that says why. */
  readonly notes?: ReadonlyMap<TraceEvent, string>;
  /** Events that are counted instead of shown. */
  readonly folds?: (event: TraceEvent) => boolean;
  /** Whether the left party's port is shown, to tell connections apart. */
  readonly ports?: boolean;
}

/** The tcpdump line of each packet among the events, which are all of a run, in their order. */
export function dumpPackets(events: readonly TraceEvent[]): Map<TraceEvent, string> {
  const dump = tcpdumpView();
  const packets = events.filter(event => event.type === 'packet');
  return new Map(packets.map(event => [event, dump(event)[0] ?? '']));
}

/** The lines of a ladder, at most 100 columns wide, for those of the events that have a place in one. */
export function formatLadder(
  events: readonly TraceEvent[],
  context: LadderContext,
  heading: readonly [string, string],
): string[] {
  const lines = [`${'time (s)'.padStart(TIME_WIDTH - 2)}  ${heading[0].padEnd(COLUMN_WIDTH)}${heading[1]}`];
  let folded = 0;
  const unfold = (): void => {
    if (folded > 0) lines.push(`${' '.repeat(TIME_WIDTH)}... ${folded} more`);
    folded = 0;
  };
  for (const event of events) {
    const shown = formatEvent(event, context);
    if (shown.length === 0) continue;
    const note = context.notes?.get(event);
    if (note === undefined && context.folds?.(event) === true) {
      folded++;
      continue;
    }
    unfold();
    shown.forEach((line, index) => {
      const lead = index === 0 ? formatTime(event.atUs - context.startUs, note !== undefined) : '';
      lines.push(lead.padEnd(TIME_WIDTH) + line);
    });
    if (note === undefined) continue;
    const width = ARROW_WIDTH - 2;
    const noteLines = wrap(note, width, '').map((line, index) => `${index === 0 ? '^ ' : '  '}${line}`);
    lines.push(...noteLines.map(line => ' '.repeat(TIME_WIDTH) + line));
  }
  unfold();
  return lines;
}

/** Seconds with microseconds, or as many digits as there is room for beside a mark. */
function formatTime(us: number, marked: boolean): string {
  const width = TIME_WIDTH - 2;
  const seconds = (us / 1e6).toFixed(6);
  return marked
    ? `*${seconds.slice(0, width - 1).padStart(width - 1)}`
    : seconds.slice(0, width).padStart(width);
}

/** The lines of one event without its time; none when it has no place in a ladder. */
function formatEvent(event: TraceEvent, context: LadderContext): string[] {
  const left = context.isLeft(event);
  // A packet is shown where it is sent; its arrival speaks through what it changes, unless it is one that matters.
  if (event.type === 'packet') {
    const line = context.dumped.get(event) ?? '';
    const toTheRight = left === (event.direction === 'out');
    const port = context.ports === true ? portOf(line, toTheRight) : '';
    if (event.direction === 'in' && context.notes?.has(event) !== true) return [];
    return [formatArrow(port + shorten(line), toTheRight)];
  }
  if (event.type === 'fault') return [centre(formatFault(event))];
  const cell = formatCell(event);
  if (cell === null) return [];
  const port =
    context.ports === true && 'local' in event
      ? `:${(left ? event.local : event.remote).split(':').at(-1)} `
      : '';
  return wrap(port.replace(':* ', '') + cell, COLUMN_WIDTH - 1, '  ').map(part =>
    left ? part : ' '.repeat(COLUMN_WIDTH) + part,
  );
}

/** A line of tcpdump without its time, addresses, window (unless it is closed) and options (but for SACK). */
function shorten(line: string): string {
  return line
    .replace(/^\S+ (?:IP6? \S+ > \S+: |ARP, )?/, '')
    .replace(/, win [1-9]\d*/, '')
    .replace(/, options \[.*?(?:sack \d (\{.*\}))?\]/, (_, sack?: string) => (sack ? `, sack ${sack}` : ''))
    .replace(/: HTTP.*$/, '');
}

/** The left party's port in a line of tcpdump, ':35766 '; '' when it has none. */
function portOf(line: string, fromLeft: boolean): string {
  const addresses = /IP (?:\d+\.){4}(\d+) > (?:\d+\.){4}(\d+): |IP6 \S+\.(\d+) > \S+\.(\d+): /.exec(line);
  if (addresses === null) return '';
  const [, source4, destination4, source6, destination6] = addresses;
  return `:${fromLeft ? (source4 ?? source6) : (destination4 ?? destination6)} `;
}

function formatArrow(text: string, toTheRight: boolean): string {
  const shown = text.length > ARROW_WIDTH - 8 ? ` ${text.slice(0, ARROW_WIDTH - 11)}... ` : ` ${text} `;
  const before = Math.max(2, Math.floor((ARROW_WIDTH - 2 - shown.length) / 2));
  const after = Math.max(2, ARROW_WIDTH - 2 - shown.length - before);
  const line = '-'.repeat(before) + shown + '-'.repeat(after);
  return toTheRight ? `${line}->` : `<-${line}`;
}

function centre(text: string): string {
  return ' '.repeat(Math.max(0, Math.floor((ARROW_WIDTH - text.length) / 2))) + text;
}

const FAULTS: { readonly [fault in FaultEvent['fault']]: string } = {
  loss: 'X lost on the way',
  drop: 'X lost on the way',
  duplicate: '= doubled on the way',
  reorder: '~ held up on the way',
  corrupt: '! damaged on the way',
  mark: '! congestion: marked on the way',
  'queue-full': 'X the queue is full: dropped',
  'too-big': 'X too big for the way',
  'cable-pulled': 'X the cable is pulled',
  'cable-in': '= the cable is back',
};

function formatFault({ fault, length }: FaultEvent): string {
  return length > 0 ? `${FAULTS[fault]} (${length} bytes)` : FAULTS[fault];
}

const QUEUES: { readonly [queue: string]: string } = {
  syn: 'SYN queue',
  accept: 'accept queue',
};

/** What strace prints for a buffer that nothing was written to. */
const NOWHERE = /0x7ffd0+/;
/** An address of a call as strace prints it, with its length. */
const ADDRESS = /\{sa_family=AF_INET, sin_port=htons\((\d+)\), sin_addr=inet_addr\("([\d.]+)"\)\}, \[?16\]?/;
const ADDRESS6 =
  /\{sa_family=AF_INET6, sin6_port=htons\((\d+)\), [^"]*"([^"]*)", &sin6_addr\), sin6_scope_id=\w+[^}]*\}, \[?28\]?/;

/** How the hardware address of a neighbour is found. */
function asked(address: string): string {
  return address.includes(':') ? 'NDP' : 'ARP';
}

function formatCell(event: TraceEvent): string | null {
  switch (event.type) {
    case 'tcp:state':
      return `${event.from} -> ${event.to} (${event.cause})`;
    case 'neighbor':
      return `${event.address}: ${event.from} -> ${event.to}${event.mac === '' ? '' : ` ${event.mac}`}`;
    case 'queue': {
      const name = event.queue === 'neighbor' ? `waiting for ${asked(event.owner)}` : QUEUES[event.queue];
      return name === undefined ? null : `${name}: ${event.length} of at most ${event.limit}`;
    }
    case 'call':
      return formatStrace(event, { stringLimit: 16, column: 0 })
        .replace(ADDRESS, '$2:$1')
        .replace(ADDRESS6, '[$2]:$1')
        .replace(NOWHERE, 'buf');
    case 'drop':
      return `dropped: ${event.reason}`;
    case 'tcp:retransmit':
      return `sends again (${event.reason})`;
    case 'tcp:timer':
      return event.action === 'fire' ? `timer: ${event.timer}` : null;
    default:
      return null;
  }
}
