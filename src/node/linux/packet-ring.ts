/**
 * The receive rings of packet sockets, read in place: the kernel writes frames into memory that is mapped here, too,
 * and a status word says whose turn it is (Linux's Documentation/networking/packet_mmap).
 * @module
 */
import { VLAN_TAG_LENGTH, VLAN_TYPE } from '../../wire/vlan.ts';
import { VNET_HEADER_LENGTH } from './vnet-header.ts';

/** The frame is ours to read. */
const TP_STATUS_USER = 1;
/** The whole frame waits in the socket's queue, too: the slot is too small for it. */
export const TP_STATUS_COPY = 1 << 1;
/** The sender left the checksum to the device. */
export const TP_STATUS_CSUMNOTREADY = 1 << 3;
/** The kernel took the 802.1Q tag out of the frame; and says of which type it was. */
const TP_STATUS_VLAN_VALID = 1 << 4;
const TP_STATUS_VLAN_TPID_VALID = 1 << 6;

/** Bytes in front of the EtherType: two MAC addresses. */
const MACS = 12;
/** Where struct sockaddr_ll has its packet type. */
const SLL_PKTTYPE = 10;

// Of the virtio-net header: a flag, and where the index of the first byte to sum is.
const VNET_NEEDS_CSUM = 1;
const VNET_CSUM_START = 6;

/** What a socket must reserve in front of each frame, so that a VLAN tag can be put back (PACKET_RESERVE). */
export const RING_RESERVE = VLAN_TAG_LENGTH;

/** A frame in a ring: the same object for each, valid until the next one is asked for. */
export class RingFrame {
  /** The memory of the whole ring. */
  readonly bytes: Uint8Array;
  /** The frame is bytes[start, end), with a virtio-net header in front if the ring has them; VLAN tags are in place. */
  start = 0;
  end = 0;
  /** Bytes it had on the wire, which may be more than are here. */
  wireLength = 0;
  /** When it came, since the Unix epoch, by the kernel's clock. */
  seconds = 0;
  nanoseconds = 0;
  /** TP_STATUS_ bits. */
  status = 0;
  /** The VLAN tag that was taken out and put back: its type, 0 for none, and its TCI. */
  vlanType = 0;
  vlanTci = 0;
  /** PACKET_HOST, PACKET_OTHERHOST, PACKET_OUTGOING ... */
  packetType = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/** A receive ring. */
export interface FrameRing {
  readonly frame: RingFrame;
  /** Moves on to the next frame, and gives back what came before it; false when there is none at present. */
  next(): boolean;
}

/** How a ring is laid out. */
export interface RingLayout {
  /** Bytes of a block: a multiple of the page size. */
  readonly blockBytes: number;
  readonly blocks: number;
  /** Whether each frame has a virtio-net header in front (PACKET_VNET_HDR). */
  readonly vnet: boolean;
}

// --- TPACKET_V3 ---------------------------------------------------------------------------------------------------

// struct tpacket_block_desc, in 32-bit words.
const BLOCK_STATUS = 2;
const BLOCK_PACKETS = 3;
const BLOCK_FIRST = 4;
// struct tpacket3_hdr, in 32-bit words but for the last.
const V3_NEXT = 0;
const V3_SEC = 1;
const V3_NSEC = 2;
const V3_SNAPLEN = 3;
const V3_LEN = 4;
const V3_STATUS = 5;
const V3_MAC = 6;
const V3_TCI = 8;
const V3_TPID = 9;
const V3_BYTES = 48;

/** TPACKET_V3: the kernel hands over whole blocks, when they are full or their time is up. */
export class BlockRing implements FrameRing {
  readonly frame: RingFrame;
  private readonly words: Int32Array;
  private readonly layout: RingLayout;
  private block = 0;
  /** Frames of the block at hand that were not looked at, and where the next one is. */
  private left = 0;
  private at = 0;
  /** Whether the block at hand is ours. */
  private held = false;

  constructor(memory: ArrayBuffer, layout: RingLayout) {
    this.frame = new RingFrame(new Uint8Array(memory));
    this.words = new Int32Array(memory);
    this.layout = layout;
  }

  next(): boolean {
    while (this.left === 0) {
      if (!this.nextBlock()) return false;
    }
    this.left--;
    this.read(this.at);
    this.at += this.words[(this.at >> 2) + V3_NEXT] as number;
    return true;
  }

  private nextBlock(): boolean {
    const { words, layout } = this;
    if (this.held) {
      Atomics.store(words, ((this.block * layout.blockBytes) >> 2) + BLOCK_STATUS, 0);
      this.held = false;
      this.block = this.block + 1 === layout.blocks ? 0 : this.block + 1;
    }
    const start = this.block * layout.blockBytes;
    const word = start >> 2;
    if ((Atomics.load(words, word + BLOCK_STATUS) & TP_STATUS_USER) === 0) return false;
    this.held = true;
    this.left = words[word + BLOCK_PACKETS] as number;
    this.at = start + (words[word + BLOCK_FIRST] as number);
    return true;
  }

  private read(at: number): void {
    const { words, frame } = this;
    const word = at >> 2;
    const status = words[word + V3_STATUS] as number;
    frame.status = status;
    frame.seconds = (words[word + V3_SEC] as number) >>> 0;
    frame.nanoseconds = words[word + V3_NSEC] as number;
    frame.wireLength = words[word + V3_LEN] as number;
    frame.start = at + ((words[word + V3_MAC] as number) & 0xffff);
    frame.end = frame.start + (words[word + V3_SNAPLEN] as number);
    frame.packetType = frame.bytes[at + V3_BYTES + SLL_PKTTYPE] as number;
    frame.vlanType = 0;
    if ((status & TP_STATUS_VLAN_VALID) === 0) return;
    frame.vlanType =
      (status & TP_STATUS_VLAN_TPID_VALID) !== 0 ? (words[word + V3_TPID] as number) & 0xffff : VLAN_TYPE;
    frame.vlanTci = (words[word + V3_TCI] as number) & 0xffff;
    restoreTag(frame, this.layout.vnet);
  }
}

// --- TPACKET_V2 ---------------------------------------------------------------------------------------------------

// struct tpacket2_hdr, in 32-bit words but for the last.
const V2_STATUS = 0;
const V2_LEN = 1;
const V2_SNAPLEN = 2;
const V2_MAC = 3;
const V2_SEC = 4;
const V2_NSEC = 5;
const V2_VLAN = 6;
const V2_BYTES = 32;

/** TPACKET_V2: slots of one size, each handed over as soon as its frame is there. */
export class SlotRing implements FrameRing {
  readonly frame: RingFrame;
  private readonly words: Int32Array;
  private readonly vnet: boolean;
  private readonly slotBytes: number;
  private readonly slots: number;
  private slot = 0;
  /** Whether the slot at hand is ours. */
  private held = false;

  /** `slotBytes` must divide the size of a block. */
  constructor(memory: ArrayBuffer, layout: RingLayout, slotBytes: number) {
    this.frame = new RingFrame(new Uint8Array(memory));
    this.words = new Int32Array(memory);
    this.vnet = layout.vnet;
    this.slotBytes = slotBytes;
    this.slots = (layout.blockBytes / slotBytes) * layout.blocks;
  }

  next(): boolean {
    if (this.held) {
      Atomics.store(this.words, ((this.slot * this.slotBytes) >> 2) + V2_STATUS, 0);
      this.held = false;
      this.slot = this.slot + 1 === this.slots ? 0 : this.slot + 1;
    }
    const at = this.slot * this.slotBytes;
    const status = Atomics.load(this.words, (at >> 2) + V2_STATUS);
    if ((status & TP_STATUS_USER) === 0) return false;
    this.held = true;
    this.read(at, status);
    return true;
  }

  private read(at: number, status: number): void {
    const { words, frame } = this;
    const word = at >> 2;
    frame.status = status;
    frame.seconds = (words[word + V2_SEC] as number) >>> 0;
    frame.nanoseconds = words[word + V2_NSEC] as number;
    frame.wireLength = words[word + V2_LEN] as number;
    frame.start = at + ((words[word + V2_MAC] as number) & 0xffff);
    frame.end = frame.start + (words[word + V2_SNAPLEN] as number);
    frame.packetType = frame.bytes[at + V2_BYTES + SLL_PKTTYPE] as number;
    frame.vlanType = 0;
    if ((status & TP_STATUS_VLAN_VALID) === 0) return;
    const vlan = words[word + V2_VLAN] as number;
    frame.vlanType = (status & TP_STATUS_VLAN_TPID_VALID) !== 0 ? vlan >>> 16 : VLAN_TYPE;
    frame.vlanTci = vlan & 0xffff;
    restoreTag(frame, this.vnet);
  }
}

// --- both ---------------------------------------------------------------------------------------------------------

function restoreTag(frame: RingFrame, vnet: boolean): void {
  if (frame.end - frame.start < MACS) return;
  insertVlanTag(frame.bytes, frame.start, frame.vlanType, frame.vlanTci, vnet);
  frame.start -= VLAN_TAG_LENGTH;
  frame.wireLength += VLAN_TAG_LENGTH;
}

/**
 * Puts a tag into the frame that begins at `start`, which then begins VLAN_TAG_LENGTH bytes earlier. With a virtio-net
 * header in front (`vnet`) that moves, too, and where the checksum begins is counted from the new start.
 */
export function insertVlanTag(
  bytes: Uint8Array,
  start: number,
  type: number,
  tci: number,
  vnet: boolean,
): void {
  const at = start - VLAN_TAG_LENGTH;
  const from = vnet ? start - VNET_HEADER_LENGTH : start;
  bytes.copyWithin(from - VLAN_TAG_LENGTH, from, start + MACS);
  bytes[at + MACS] = type >>> 8;
  bytes[at + MACS + 1] = type;
  bytes[at + MACS + 2] = tci >>> 8;
  bytes[at + MACS + 3] = tci;
  if (!vnet) return;
  const header = at - VNET_HEADER_LENGTH;
  if (((bytes[header] as number) & VNET_NEEDS_CSUM) === 0) return;
  const moved = (bytes[header + VNET_CSUM_START] as number) + VLAN_TAG_LENGTH;
  bytes[header + VNET_CSUM_START] = moved;
  bytes[header + VNET_CSUM_START + 1] = (bytes[header + VNET_CSUM_START + 1] as number) + (moved >> 8);
}
