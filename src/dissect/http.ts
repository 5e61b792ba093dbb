import type { Span } from './span.ts';

/** Ports on which tcpdump takes a payload for HTTP. */
const HTTP_PORTS: readonly number[] = [80, 8080];

/** The methods tcpdump knows (RFC 9110, WebDAV and its relatives). */
const METHODS =
  'GET PUT COPY HEAD LOCK MOVE POLL POST BCOPY BMOVE MKCOL TRACE LABEL MERGE DELETE SEARCH UNLOCK REPORT UPDATE ' +
  'NOTIFY BDELETE CONNECT OPTIONS CHECKIN PROPFIND CHECKOUT CCM_POST SUBSCRIBE PROPPATCH BPROPFIND BPROPPATCH ' +
  'UNCHECKOUT MKACTIVITY MKWORKSPACE UNSUBSCRIBE RPC_CONNECT VERSION-CONTROL BASELINE-CONTROL';
const START_LINE = new RegExp(`^(?:(?:${METHODS.replaceAll(' ', '|')})(?!\\S)|[!-~]+ +\\d{3}(?!\\S))`, 'i');

/** Whether a segment between these ports is shown as HTTP. */
export function isHttp(sourcePort: number, destinationPort: number): boolean {
  return HTTP_PORTS.includes(sourcePort) || HTTP_PORTS.includes(destinationPort);
}

/** ': HTTP: GET / HTTP/1.1' for a payload that begins a message, ': HTTP' for any other. */
export function formatHttp(payload: Span): string {
  const isWhole = payload.has(payload.length);
  let line = '';
  for (let at = 0; at < payload.captured; at++) {
    const byte = payload.u8(at);
    const isLast = at + 1 === payload.captured;
    if (byte === 0x0a || (byte === 0x0d && !isLast && payload.u8(at + 1) === 0x0a)) {
      return START_LINE.test(line) ? `: HTTP: ${line}` : ': HTTP';
    }
    if (byte === 0x0d && isLast && !isWhole) break;
    if ((byte < 0x20 && byte !== 0x09) || byte > 0x7e) return ': HTTP';
    line += String.fromCharCode(byte);
  }
  // In a payload that was cut off, the last word may not be whole either.
  if (!START_LINE.test(isWhole ? line : `${line}?`)) return ': HTTP';
  return isWhole ? `: HTTP: ${line} [|http]` : ': HTTP [|http]';
}
