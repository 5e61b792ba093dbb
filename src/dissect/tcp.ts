import { ACK, FIN, formatTcpFlags, RST, SYN, TCP_HEADER_LENGTH, URG } from '../wire/tcp.ts';
import type { Conversations } from './conversations.ts';
import { formatHttp, isHttp } from './http.ts';
import { formatCutHeader, type Span } from './span.ts';
import { formatTcpOptions } from './tcp-options.ts';

/**
 * One TCP segment with its addresses: '10.0.0.1.35766 > 10.0.0.2.80: Flags [.], ack 1, win 512, length 0'.
 * `conversations` null prints sequence numbers as they are.
 */
export function formatTcp(
  tcp: Span,
  source: string,
  destination: string,
  conversations: Conversations | null,
): string {
  if (!tcp.has(4)) return `${source} > ${destination}: [|tcp]`;
  const from = `${source}.${tcp.u16(0)}`;
  const to = `${destination}.${tcp.u16(2)}`;
  return `${from} > ${to}: ${formatSegment(tcp, from, to, conversations)}`;
}

function formatSegment(tcp: Span, from: string, to: string, conversations: Conversations | null): string {
  if (!tcp.has(TCP_HEADER_LENGTH)) return ' [|tcp]';
  const headerLength = (tcp.u8(12) >> 4) * 4;
  if (headerLength < TCP_HEADER_LENGTH) {
    const rest = tcp.length - headerLength;
    return ` tcp ${rest} [bad hdr length ${headerLength} - too short, < ${TCP_HEADER_LENGTH}]`;
  }
  const flags = tcp.u8(13);
  const text = `Flags [${formatTcpFlags(flags)}]`;
  const seq = tcp.u32(4);
  const ack = tcp.u32(8);
  const base =
    conversations === null || (flags & ACK) === 0
      ? { seq: 0, ack: 0, sack: 0 }
      : conversations.base(from, to, seq, ack, (flags & SYN) !== 0);
  if (headerLength > tcp.length) {
    return `${text} [bad hdr length ${headerLength} - too long, > ${tcp.length}]`;
  }
  const numbers = formatNumbers(
    tcp,
    tcp.length - headerLength,
    (seq - base.seq) >>> 0,
    (ack - base.ack) >>> 0,
  );
  return `${text}${numbers}${formatRest(tcp, headerLength, base.sack)}`;
}

function formatNumbers(tcp: Span, length: number, seq: number, ack: number): string {
  const flags = tcp.u8(13);
  let text = '';
  if (length > 0) text += `, seq ${seq}:${(seq + length) >>> 0}`;
  else if ((flags & (SYN | FIN | RST)) !== 0) text += `, seq ${seq}`;
  if ((flags & ACK) !== 0) text += `, ack ${ack}`;
  text += `, win ${tcp.u16(14)}`;
  if ((flags & URG) !== 0) text += `, urg ${tcp.u16(18)}`;
  return text;
}

function formatRest(tcp: Span, headerLength: number, sackBase: number): string {
  let text = '';
  if (headerLength > TCP_HEADER_LENGTH) {
    const options = formatTcpOptions(
      tcp.after(TCP_HEADER_LENGTH).first(headerLength - TCP_HEADER_LENGTH),
      sackBase,
    );
    if (!options.complete) return options.text;
    text = options.text;
  }
  const payload = tcp.after(headerLength);
  text += `, length ${payload.length}`;
  if (payload.length > 0 && !tcp.has(headerLength)) {
    return `${text}${formatCutHeader(tcp.captured, headerLength)} [|tcp]`;
  }
  if (payload.length > 0 && isHttp(tcp.u16(0), tcp.u16(2))) text += formatHttp(payload);
  return text;
}
