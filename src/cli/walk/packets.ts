import { seqDiff } from '../../base/seq.ts';
import type { TraceEvent } from '../../trace/events.ts';
import { parseFrame } from '../../trace/frame.ts';
import { SYN } from '../../wire/tcp.ts';

/** The bytes of the TCP stream that `host` sent or received, put together from its packets. */
export function streamText(events: readonly TraceEvent[], host: string, direction: 'in' | 'out'): string {
  let text = '';
  let next: number | null = null;
  for (const event of events) {
    if (event.type !== 'packet' || event.host !== host || event.direction !== direction) continue;
    const { tcp, payload } = parseFrame(event);
    if (tcp === null) continue;
    if ((tcp.flags & SYN) !== 0) next = (tcp.seq + 1) | 0;
    if (next === null || seqDiff(tcp.seq | 0, next) > 0) continue;
    const known = seqDiff(next, tcp.seq | 0);
    if (known >= payload.length) continue;
    text += Buffer.from(payload.subarray(known)).toString('latin1');
    next = (next + payload.length - known) | 0;
  }
  return text;
}
