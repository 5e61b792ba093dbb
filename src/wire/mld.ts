/**
 * Multicast listener discovery (RFC 2710, RFC 3810), without checksum, as plain values: what a host needs.
 * @module
 */
import { IpAddress } from './address.ts';
import type { GroupRecord } from './group-record.ts';
import { MLD_DONE, MLD_QUERY, MLD_REPORT, MLD2_REPORT } from './icmp6.ts';

const MAX_RESPONSE = 4;
const GROUP = 8;
const RECORD_COUNT = 6;
const RECORDS = 8;
const RECORD_SOURCES = 2;
const RECORD_GROUP = 4;

/** Bytes of a query or report of version 1, of a query of version 2 without sources, and of a record likewise. */
const MLD1_LENGTH = 24;
const MLD2_QUERY_LENGTH = 28;
const RECORD_LENGTH = 20;

/** A querier wants to know who listens. */
export interface MldQuery {
  readonly version: 1 | 2;
  /** Within so many milliseconds an answer is due. */
  readonly maxResponseMs: number;
  /** :: for all groups. */
  readonly group: IpAddress;
}

/** The query at `offset`; null when [offset, end) does not hold one. */
export function parseMldQuery(view: DataView, offset: number, end: number): MldQuery | null {
  const length = end - offset;
  if (length < MLD1_LENGTH || view.getUint8(offset) !== MLD_QUERY) return null;
  const code = view.getUint16(offset + MAX_RESPONSE);
  const group = IpAddress.read6(view, offset + GROUP);
  if (length < MLD2_QUERY_LENGTH) return { version: 1, maxResponseMs: code, group };
  // RFC 3810 section 5.1.3: above 32767 it is a floating-point number.
  const maxResponseMs = code < 32768 ? code : ((code & 0xfff) | 0x1000) << (((code >> 12) & 7) + 3);
  return { version: 2, maxResponseMs, group };
}

/** Writes a query of version 2; the checksum is left zero. Returns its length. */
export function emitMldQuery(
  view: DataView,
  offset: number,
  maxResponseMs: number,
  group: IpAddress,
): number {
  for (let at = 0; at < MLD2_QUERY_LENGTH; at += 4) view.setUint32(offset + at, 0);
  view.setUint8(offset, MLD_QUERY);
  view.setUint16(offset + MAX_RESPONSE, maxResponseMs);
  group.write(view, offset + GROUP);
  return MLD2_QUERY_LENGTH;
}

/** Bytes of a report of version 2. */
export function mldReportLength(records: number): number {
  return RECORDS + records * RECORD_LENGTH;
}

/** Writes a report of version 2; the checksum is left zero. */
export function emitMldReport(view: DataView, offset: number, records: readonly GroupRecord[]): void {
  view.setUint32(offset, MLD2_REPORT << 24);
  view.setUint32(offset + MAX_RESPONSE, records.length);
  records.forEach(({ type, group }, i) => {
    const at = offset + RECORDS + i * RECORD_LENGTH;
    view.setUint32(at, type << 24);
    group.write(view, at + RECORD_GROUP);
  });
}

/** The records of the report at `offset`; null when [offset, end) does not hold one. Sources are skipped. */
export function parseMldReport(view: DataView, offset: number, end: number): GroupRecord[] | null {
  if (end - offset < RECORDS || view.getUint8(offset) !== MLD2_REPORT) return null;
  const records: GroupRecord[] = [];
  let at = offset + RECORDS;
  for (let left = view.getUint16(offset + RECORD_COUNT); left > 0; left--) {
    if (end - at < RECORD_LENGTH) return null;
    records.push({ type: view.getUint8(at), group: IpAddress.read6(view, at + RECORD_GROUP) });
    at += RECORD_LENGTH + 16 * view.getUint16(at + RECORD_SOURCES) + 4 * view.getUint8(at + 1);
  }
  return at > end ? null : records;
}

/** Bytes of a message of version 1. */
export const MLD1_REPORT_LENGTH: number = MLD1_LENGTH;

/** Writes a report of version 1, or (`done`) the word that one has left the group; the checksum is left zero. */
export function emitMld1(view: DataView, offset: number, group: IpAddress, done: boolean): void {
  view.setUint32(offset, (done ? MLD_DONE : MLD_REPORT) << 24);
  view.setUint32(offset + MAX_RESPONSE, 0);
  group.write(view, offset + GROUP);
}
