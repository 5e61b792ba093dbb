/**
 * Looking through the events of a scene.
 * @module
 */
import { seqDiff } from '../base/seq.ts';
import type {
  CallEvent,
  DropEvent,
  FaultEvent,
  PacketEvent,
  QueueEvent,
  TcpRetransmitEvent,
  TcpStateEvent,
  TcpTimerEvent,
  TraceEvent,
} from '../trace/events.ts';
import { type Frame, parseFrame } from '../trace/frame.ts';
import type { TcpRepr } from '../wire/tcp.ts';

type Events = readonly TraceEvent[];

/** Events that matter, each with what it shows. */
export class Notes extends Map<TraceEvent, string> {
  /** Notes an event; none is noted when it did not happen. */
  put(event: TraceEvent | undefined, text: string): void {
    if (event !== undefined) this.set(event, text);
  }

  /** Notes several events with the same words. */
  putAll(events: Iterable<TraceEvent>, text: string): void {
    for (const event of events) this.put(event, text);
  }
}

/** A packet event with what is in its frame. */
export interface SeenPacket extends Frame {
  readonly event: PacketEvent;
  readonly atUs: number;
}

/** A segment of TCP. */
export interface SeenSegment extends SeenPacket {
  readonly tcp: TcpRepr;
}

/** The packets that a host sent or received. */
export function packets(events: Events, host: string, direction: 'in' | 'out'): SeenPacket[] {
  const seen: SeenPacket[] = [];
  for (const event of events) {
    if (event.type !== 'packet' || event.host !== host || event.direction !== direction) continue;
    seen.push({ event, atUs: event.atUs, ...parseFrame(event) });
  }
  return seen;
}

/** The segments of TCP that a host sent or received. */
export function segments(events: Events, host: string, direction: 'in' | 'out'): SeenSegment[] {
  return packets(events, host, direction).filter((seen): seen is SeenSegment => seen.tcp !== null);
}

/** The segments with data that a host sent or received. */
export function dataSegments(events: Events, host: string, direction: 'in' | 'out'): SeenSegment[] {
  return segments(events, host, direction).filter(seen => seen.payload.length > 0);
}

/** The changes of state on a host; with `to`: into that state. */
export function states(events: Events, host: string, to?: string): TcpStateEvent[] {
  return events.filter(
    (event): event is TcpStateEvent =>
      event.type === 'tcp:state' && event.host === host && (to === undefined || event.to === to),
  );
}

/** The calls of one name on a host. */
export function calls(events: Events, host: string, name: string): CallEvent[] {
  return events.filter(
    (event): event is CallEvent => event.type === 'call' && event.host === host && event.name === name,
  );
}

/** What was sent again by a host; with `reason`: for that reason. */
export function retransmits(
  events: Events,
  host: string,
  reason?: TcpRetransmitEvent['reason'],
): TcpRetransmitEvent[] {
  return events.filter(
    (event): event is TcpRetransmitEvent =>
      event.type === 'tcp:retransmit' &&
      event.host === host &&
      (reason === undefined || event.reason === reason),
  );
}

/** The times a timer went off on a host. */
export function fired(events: Events, host: string, timer: string): TcpTimerEvent[] {
  return events.filter(
    (event): event is TcpTimerEvent =>
      event.type === 'tcp:timer' && event.host === host && event.timer === timer && event.action === 'fire',
  );
}

/** What a host dropped for a reason. */
export function drops(events: Events, host: string, reason: DropEvent['reason']): DropEvent[] {
  return events.filter(
    (event): event is DropEvent => event.type === 'drop' && event.host === host && event.reason === reason,
  );
}

/** What went wrong on links in this way. */
export function faults(events: Events, fault: FaultEvent['fault']): FaultEvent[] {
  return events.filter((event): event is FaultEvent => event.type === 'fault' && event.fault === fault);
}

/** The lengths of a queue of a host as they changed. */
export function queue(events: Events, host: string, name: QueueEvent['queue']): QueueEvent[] {
  return events.filter(
    (event): event is QueueEvent => event.type === 'queue' && event.host === host && event.queue === name,
  );
}

/** Whether `a` comes before `b` in sequence space; both unsigned, as events have them. */
export function isBefore(a: number, b: number): boolean {
  return seqDiff(a | 0, b | 0) < 0;
}

/** The segments that arrived after one that comes behind them in sequence space. */
export function lateOnes(arrived: readonly SeenSegment[]): SeenSegment[] {
  let newest = arrived[0]?.tcp.seq ?? 0;
  return arrived.filter(({ tcp }) => {
    const late = isBefore(tcp.seq, newest);
    if (!late) newest = tcp.seq;
    return late;
  });
}

/** '1.2 s', '40 ms', '350 µs'. */
export function duration(us: number): string {
  if (us >= 1e6) return `${round(us / 1e6)} s`;
  return us >= 1000 ? `${round(us / 1000)} ms` : `${us} µs`;
}

function round(value: number): number {
  return value >= 100 ? Math.round(value) : Math.round(value * 10) / 10;
}

/** Tells which events come before `first` or after `last`: what leads to a scene, and how it is cleared away. */
export function outside(
  events: Events,
  first?: TraceEvent,
  last?: TraceEvent,
): (event: TraceEvent) => boolean {
  const from = first === undefined ? 0 : events.indexOf(first);
  const to = last === undefined ? events.length : events.indexOf(last);
  const inside = new Set(events.slice(from, to + 1));
  return event => !inside.has(event);
}
