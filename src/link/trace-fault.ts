import type { Env } from '../core/env.ts';
import { type FaultEvent, TRACE_FAULT } from '../trace/events.ts';
import type { TraceSink } from '../trace/sink.ts';

/** Shows what befell a frame of `length` bytes at the link `host`, or its cable, when someone wants to see it. */
export function traceFault(
  trace: TraceSink | null | undefined,
  env: Pick<Env, 'nowUs'>,
  host: string,
  fault: FaultEvent['fault'],
  length: number,
  detail = '',
): void {
  if (trace === null || trace === undefined || (trace.wants & TRACE_FAULT) === 0) return;
  const event: FaultEvent = { type: 'fault', atUs: env.nowUs(), host, fault, length };
  trace.emit(detail === '' ? event : { ...event, detail });
}
