/**
 * Internet group management protocol (RFC 3376, RFC 2236, RFC 1112), without checksum, as plain values: what a host
 * needs.
 * @module
 */
import { IpAddress } from './address.ts';
import type { GroupRecord } from './group-record.ts';

const TYPE = 0;
const MAX_RESPONSE = 1;
/** Offset of the checksum, which covers the whole message. */
export const IGMP_CHECKSUM = 2;
const GROUP = 4;
const RECORD_COUNT = 6;
const RECORDS = 8;
const RECORD_SOURCES = 2;
const RECORD_GROUP = 4;

/** Bytes of a message of version 1 or 2. */
export const IGMP_LENGTH = 8;
/** Bytes of a query of version 3 without sources, and of a record likewise. */
const QUERY3_LENGTH = 12;
const RECORD_LENGTH = 8;
/** Version 1 has no field for it (RFC 3376 section 7.2.1), in milliseconds. */
const MAX_RESPONSE_VERSION_1_MS = 10_000;

/** Types of messages. */
export const IGMP_QUERY = 0x11;
export const IGMP1_REPORT = 0x12;
export const IGMP2_REPORT = 0x16;
export const IGMP2_LEAVE = 0x17;
export const IGMP3_REPORT = 0x22;

/** A querier wants to know who listens. */
export interface IgmpQuery {
  readonly version: 1 | 2 | 3;
  /** Within so many milliseconds an answer is due. */
  readonly maxResponseMs: number;
  /** 0.0.0.0 for all groups. */
  readonly group: IpAddress;
}

/** The type of the message at `offset`. */
export function igmpType(view: DataView, offset: number): number {
  return view.getUint8(offset + TYPE);
}

/** The query at `offset`; null when [offset, end) does not hold one. The versions differ as RFC 3376 section 7.1 says. */
export function parseIgmpQuery(view: DataView, offset: number, end: number): IgmpQuery | null {
  const length = end - offset;
  if (length < IGMP_LENGTH || view.getUint8(offset) !== IGMP_QUERY) return null;
  const group = IpAddress.v4(view.getInt32(offset + GROUP));
  const code = view.getUint8(offset + MAX_RESPONSE);
  if (length === IGMP_LENGTH && code === 0)
    return { version: 1, maxResponseMs: MAX_RESPONSE_VERSION_1_MS, group };
  if (length === IGMP_LENGTH) return { version: 2, maxResponseMs: code * 100, group };
  if (length < QUERY3_LENGTH) return null;
  // RFC 3376 section 4.1.1: above 127 it is a floating-point number.
  const tenths = code < 128 ? code : ((code & 15) | 16) << (((code >> 4) & 7) + 3);
  return { version: 3, maxResponseMs: tenths * 100, group };
}

/** Writes a general query of version 3, or one for a group; the checksum is left zero. Returns its length. */
export function emitIgmpQuery(
  view: DataView,
  offset: number,
  maxResponseMs: number,
  group: IpAddress,
): number {
  view.setUint32(offset, (IGMP_QUERY << 24) | (Math.round(maxResponseMs / 100) << 16));
  view.setInt32(offset + GROUP, group.w3);
  view.setUint32(offset + RECORDS, 0);
  return QUERY3_LENGTH;
}

/** Bytes of a report of version 3. */
export function igmpReportLength(records: number): number {
  return RECORDS + records * RECORD_LENGTH;
}

/** Writes a report of version 3; the checksum is left zero. */
export function emitIgmpReport(view: DataView, offset: number, records: readonly GroupRecord[]): void {
  view.setUint32(offset, IGMP3_REPORT << 24);
  view.setUint32(offset + GROUP, records.length);
  records.forEach(({ type, group }, i) => {
    const at = offset + RECORDS + i * RECORD_LENGTH;
    view.setUint32(at, type << 24);
    view.setInt32(at + RECORD_GROUP, group.w3);
  });
}

/** The records of the report at `offset`; null when [offset, end) does not hold one. Sources are skipped. */
export function parseIgmpReport(view: DataView, offset: number, end: number): GroupRecord[] | null {
  if (end - offset < RECORDS || view.getUint8(offset) !== IGMP3_REPORT) return null;
  const records: GroupRecord[] = [];
  let at = offset + RECORDS;
  for (let left = view.getUint16(offset + RECORD_COUNT); left > 0; left--) {
    if (end - at < RECORD_LENGTH) return null;
    records.push({ type: view.getUint8(at), group: IpAddress.v4(view.getInt32(at + RECORD_GROUP)) });
    at += RECORD_LENGTH + 4 * view.getUint16(at + RECORD_SOURCES) + 4 * view.getUint8(at + 1);
  }
  return at > end ? null : records;
}

/** Writes a message of version 1 or 2 about one group: a report or a leave; the checksum is left zero. */
export function emitIgmp(view: DataView, offset: number, type: number, group: IpAddress): void {
  view.setUint32(offset, type << 24);
  view.setInt32(offset + GROUP, group.w3);
}
