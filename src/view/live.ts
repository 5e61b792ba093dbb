import { formatTimeOfDay } from '../dissect/tcpdump.ts';
import type { TraceEvent } from '../trace/events.ts';
import { eventText } from './lines.ts';
import { tcpdumpView } from './tcpdump.ts';

/** How the times are shown. */
export interface LiveOptions {
  /** The local time's distance from UTC; 0 when not given. */
  readonly utcOffsetMinutes?: number;
}

/**
 * Turns the trace events of one host into lines as they happen, each with the time of day: packets as tcpdump prints
 * them, calls as strace -tt does.
 * @example
 * const lines = liveLines();
 * stack.trace = traceTo(event => lines(event).forEach(line => console.error(line)));
 */
export function liveLines(options: LiveOptions = {}): (event: TraceEvent) => string[] {
  const dump = tcpdumpView(options);
  return event => {
    if (event.type === 'packet') return dump(event);
    return [`${formatTimeOfDay(event.atUs, options.utcOffsetMinutes ?? 0)} ${eventText(event)}`];
  };
}
