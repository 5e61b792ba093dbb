import { IpAddress } from '../wire/address.ts';
import { IGMP_QUERY, IGMP1_REPORT, IGMP2_LEAVE, IGMP2_REPORT, IGMP3_REPORT } from '../wire/igmp.ts';
import type { Span } from './span.ts';

const LENGTH = 8;
const QUERY3_LENGTH = 12;
const REPORT3_LENGTH = 16;
/** The usual time to answer within, 10 s in tenths, which is not printed. */
const USUAL_TENTHS = 100;

/** A message of IGMP, as tcpdump prints it. */
export function formatIgmp(message: Span): string {
  if (!message.has(LENGTH)) return '[|igmp]';
  const { length } = message;
  const group = IpAddress.v4(message.u32(4) | 0).toString();
  const odd = length === LENGTH ? '' : ` [len ${length}]`;
  switch (message.u8(0)) {
    case IGMP_QUERY:
      return `igmp query${length >= QUERY3_LENGTH ? query3(message, group) : `${query(message, group)}${odd}`}`;
    case IGMP1_REPORT:
      return `igmp v1 report ${group}${odd}`;
    case IGMP2_REPORT:
      return `igmp v2 report ${group}${odd}`;
    case IGMP2_LEAVE:
      return `igmp leave ${group}`;
    case IGMP3_REPORT:
      if (length < REPORT3_LENGTH || length % 4 !== 0) return `igmp v3 report [invalid len ${length}]`;
      return `igmp v3 report, ${message.u16(6)} group record(s)`;
    default:
      return `igmp-${message.u8(0)}`;
  }
}

function query(message: Span, group: string): string {
  const tenths = message.u8(1);
  const time = tenths === 0 || tenths === USUAL_TENTHS ? '' : ` [max resp time ${tenths}]`;
  return `${tenths === 0 ? ' v1' : ' v2'}${time}${message.u32(4) === 0 ? '' : ` [gaddr ${group}]`}`;
}

function query3(message: Span, group: string): string {
  if (message.length % 4 !== 0) return ` v3 [invalid len ${message.length}]`;
  const code = message.u8(1);
  const tenths = code < 128 ? code : ((code & 15) | 16) << (((code >> 4) & 7) + 3);
  const time = code === USUAL_TENTHS ? '' : ` [max resp time ${duration(tenths)}]`;
  const sources = message.u16(10);
  if (message.u32(4) === 0) return ` v3${time}`;
  return ` v3${time} [gaddr ${group}${sources === 0 ? '' : ` , ${sources} source(s)`}]`;
}

function duration(tenths: number): string {
  if (tenths < 600) return `${(tenths / 10).toFixed(1)}s`;
  const seconds = Math.floor((tenths % 600) / 10);
  return `${Math.floor(tenths / 600)}m${seconds === 0 ? '' : `${seconds}s`}`;
}
