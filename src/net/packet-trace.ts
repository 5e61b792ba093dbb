import { toHex } from '../base/hex.ts';
import type { Host } from '../core/host.ts';
import type { Medium } from '../core/link.ts';
import { CHECKSUM_PARTIAL, type Packet } from '../core/packet.ts';
import { partialChecksum } from '../core/partial-checksum.ts';
import { TRACE_PACKET, TRACE_QUEUE } from '../trace/events.ts';

/**
 * Reports the frame in bytes[start, end) to the trace, when someone listens. A checksum that is left to the link is
 * shown completed, as it will be on the wire.
 */
export function tracePacket(
  host: Host,
  netif: string,
  medium: Medium,
  direction: 'in' | 'out',
  packet: Packet,
): void {
  const { trace } = host;
  if (trace === null || (trace.wants & TRACE_PACKET) === 0) return;
  trace.emit({
    type: 'packet',
    atUs: host.nowUs,
    host: host.name,
    netif,
    direction,
    medium,
    length: packet.length,
    data: frameHex(packet),
  });
}

function frameHex(packet: Packet): string {
  const hex = toHex(packet.bytes, packet.start, packet.end);
  if (packet.checksumState !== CHECKSUM_PARTIAL) return hex;
  const at = 2 * (packet.l4 + packet.checksumOffset - packet.start);
  const checksum = partialChecksum(packet).toString(16).padStart(4, '0');
  return hex.slice(0, at) + checksum + hex.slice(at + 4);
}

/** Reports a queue's length to the trace, when someone listens. */
export function traceQueue(
  host: Host,
  queue: 'neighbor' | 'ingress' | 'egress',
  owner: string,
  length: number,
  limit: number,
): void {
  const { trace } = host;
  if (trace === null || (trace.wants & TRACE_QUEUE) === 0) return;
  // A link fills the queues between two batches of the stack's work, when host.nowUs is of the last one.
  trace.emit({ type: 'queue', atUs: host.env.nowUs(), host: host.name, queue, owner, length, limit });
}
