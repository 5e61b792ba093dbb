import {
  TRACE_ALL,
  TRACE_CALL,
  TRACE_CONFIG,
  TRACE_CWND,
  TRACE_DROP,
  TRACE_FAULT,
  TRACE_NEIGHBOR,
  TRACE_PACKET,
  TRACE_QUEUE,
  TRACE_RETRANSMIT,
  TRACE_STATE,
  TRACE_TIMER,
  type TraceEvent,
} from './events.ts';

/**
 * Where events go. At the place of the event:
 * `if (trace !== null && (trace.wants & TRACE_STATE) !== 0) trace.emit({...})`, so that it costs a test when off.
 */
export interface TraceSink {
  /** The categories (TRACE_*) it wants. */
  readonly wants: number;
  /** Called as things happen, possibly from inside packet processing: it must only store or forward. */
  emit(event: TraceEvent): void;
}

/** Keeps events in an array. */
export class TraceLog implements TraceSink {
  readonly wants: number;
  readonly events: TraceEvent[] = [];

  constructor(wants: number = TRACE_ALL) {
    this.wants = wants;
  }

  emit(event: TraceEvent): void {
    this.events.push(event);
  }
}

/** Calls a function for each event. */
export function traceTo(emit: (event: TraceEvent) => void, wants: number = TRACE_ALL): TraceSink {
  return { wants, emit };
}

/** Gives each event to several sinks, to each only what it wants. */
export function traceTee(...sinks: TraceSink[]): TraceSink {
  return {
    wants: sinks.reduce((wants, sink) => wants | sink.wants, 0),
    emit(event) {
      for (const sink of sinks) if ((sink.wants & categoryOf(event)) !== 0) sink.emit(event);
    },
  };
}

/** The TRACE_* category of an event. */
export function categoryOf(event: TraceEvent): number {
  return CATEGORY[event.type];
}

const CATEGORY: Record<TraceEvent['type'], number> = {
  packet: TRACE_PACKET,
  drop: TRACE_DROP,
  call: TRACE_CALL,
  'tcp:state': TRACE_STATE,
  'tcp:cwnd': TRACE_CWND,
  'tcp:timer': TRACE_TIMER,
  queue: TRACE_QUEUE,
  neighbor: TRACE_NEIGHBOR,
  config: TRACE_CONFIG,
  fault: TRACE_FAULT,
  'tcp:retransmit': TRACE_RETRANSMIT,
};
