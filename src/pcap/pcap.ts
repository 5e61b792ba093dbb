/**
 * Capture files in libpcap's classic format (draft-ietf-opsawg-pcap), which tcpdump and Wireshark read and write.
 * @module
 */

/** LINKTYPE_ETHERNET: frames with a MAC header, without the frame check sequence. */
export const LINKTYPE_ETHERNET = 1;
/** LINKTYPE_RAW: bare IPv4 or IPv6 packets. */
export const LINKTYPE_RAW = 101;
/** The snapshot length that says "whole packets"; tcpdump's default. */
export const MAX_SNAPLEN = 262144;

const MAGIC_US = 0xa1b2c3d4;
const MAGIC_NS = 0xa1b23c4d;
const VERSION_MAJOR = 2;
const VERSION_MINOR = 4;
const FILE_HEADER = 24;
const RECORD_HEADER = 16;

/** What the header of a capture file says. */
export interface PcapOptions {
  /** A LINKTYPE_ number; Ethernet when not given. */
  linkType?: number;
  /** The most bytes kept of one packet; MAX_SNAPLEN when not given. */
  snaplen?: number;
}

/** One captured packet. */
export interface PcapPacket {
  /** When, in microseconds since the Unix epoch. */
  atUs: number;
  /** What was kept of the packet. */
  bytes: Uint8Array;
  /** How many bytes it had on the wire. */
  originalLength: number;
}

/** The 24 bytes a capture file begins with; little-endian, microseconds. */
export function pcapHeader(options: PcapOptions = {}): Uint8Array {
  const header = new Uint8Array(FILE_HEADER);
  const view = new DataView(header.buffer);
  view.setUint32(0, MAGIC_US, true);
  view.setUint16(4, VERSION_MAJOR, true);
  view.setUint16(6, VERSION_MINOR, true);
  view.setUint32(16, options.snaplen ?? MAX_SNAPLEN, true);
  view.setUint32(20, options.linkType ?? LINKTYPE_ETHERNET, true);
  return header;
}

/** The record of one packet: 16 bytes and the packet's. `originalLength` when `bytes` is not all of it. */
export function pcapRecord(
  atUs: number,
  bytes: Uint8Array,
  originalLength: number = bytes.length,
): Uint8Array {
  const record = new Uint8Array(RECORD_HEADER + bytes.length);
  const view = new DataView(record.buffer);
  view.setUint32(0, Math.floor(atUs / 1e6), true);
  view.setUint32(4, Math.floor(atUs) % 1e6, true);
  view.setUint32(8, bytes.length, true);
  view.setUint32(12, originalLength, true);
  record.set(bytes, RECORD_HEADER);
  return record;
}

/** Writes a capture file piece by piece: the header at once, then a record for each packet. */
export class PcapWriter {
  private readonly write: (chunk: Uint8Array) => void;
  private readonly snaplen: number;

  /** `write` gets each piece of the file in order; the pieces are its to keep. */
  constructor(write: (chunk: Uint8Array) => void, options: PcapOptions = {}) {
    this.write = write;
    this.snaplen = options.snaplen ?? MAX_SNAPLEN;
    write(pcapHeader(options));
  }

  /** Adds a packet, cut to the snapshot length. `atUs` in microseconds since the Unix epoch. */
  packet(atUs: number, bytes: Uint8Array, originalLength: number = bytes.length): void {
    const kept = bytes.length > this.snaplen ? bytes.subarray(0, this.snaplen) : bytes;
    this.write(pcapRecord(atUs, kept, originalLength));
  }
}

/** A capture file that was read. */
export interface PcapFile {
  /** A LINKTYPE_ number. */
  linkType: number;
  snaplen: number;
  /** The packets in the file's order, views of its bytes. Ends where the file ends, even inside of a record. */
  packets: Iterable<PcapPacket>;
}

/** Reads a capture file of either byte order with microseconds or nanoseconds; null when it is none. */
export function readPcap(bytes: Uint8Array): PcapFile | null {
  if (bytes.length < FILE_HEADER) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const format = readMagic(view);
  if (format === null || view.getUint16(4, format.littleEndian) !== VERSION_MAJOR) return null;
  return {
    // The upper half may hold the length of a frame check sequence.
    linkType: view.getUint32(20, format.littleEndian) & 0xffff,
    snaplen: view.getUint32(16, format.littleEndian),
    packets: { [Symbol.iterator]: () => readRecords(bytes, view, format) },
  };
}

interface Format {
  littleEndian: boolean;
  /** How many units of the fraction field make a microsecond. */
  unitsPerUs: number;
}

function readMagic(view: DataView): Format | null {
  for (const littleEndian of [true, false]) {
    const magic = view.getUint32(0, littleEndian);
    if (magic === MAGIC_US) return { littleEndian, unitsPerUs: 1 };
    if (magic === MAGIC_NS) return { littleEndian, unitsPerUs: 1000 };
  }
  return null;
}

function* readRecords(bytes: Uint8Array, view: DataView, format: Format): Generator<PcapPacket, void> {
  const u32 = (offset: number): number => view.getUint32(offset, format.littleEndian);
  let at = FILE_HEADER;
  while (at + RECORD_HEADER <= bytes.length) {
    const end = at + RECORD_HEADER + u32(at + 8);
    if (end > bytes.length) return;
    yield {
      atUs: u32(at) * 1e6 + Math.floor(u32(at + 4) / format.unitsPerUs),
      bytes: bytes.subarray(at + RECORD_HEADER, end),
      originalLength: u32(at + 12),
    };
    at = end;
  }
}
