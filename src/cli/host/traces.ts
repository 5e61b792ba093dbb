import {
  TRACE_CALL,
  TRACE_CONFIG,
  TRACE_DROP,
  TRACE_NEIGHBOR,
  TRACE_PACKET,
  TRACE_QUEUE,
  TRACE_RETRANSMIT,
  TRACE_STATE,
} from '../../trace/events.ts';
import { type TraceSink, traceTo } from '../../trace/sink.ts';
import { liveLines } from '../../view/live.ts';
import type { TraceName } from './options.ts';

/** Which events each name of --trace shows. */
const EVENTS: Readonly<Record<TraceName, number>> = {
  strace: TRACE_CALL,
  tcp: TRACE_STATE | TRACE_RETRANSMIT,
  packets: TRACE_PACKET,
  queues: TRACE_QUEUE | TRACE_NEIGHBOR | TRACE_DROP,
  config: TRACE_CONFIG,
};

/** A sink that gives each event that is to be seen to `show` as lines; null when nothing is to be seen. */
export function liveTraces(names: readonly TraceName[], show: (line: string) => void): TraceSink | null {
  const wants = names.reduce((mask, name) => mask | EVENTS[name], 0);
  if (wants === 0) return null;
  // tcpdump and strace -tt show local time.
  const lines = liveLines({ utcOffsetMinutes: -new Date().getTimezoneOffset() });
  return traceTo(event => {
    for (const line of lines(event)) show(line);
  }, wants);
}
