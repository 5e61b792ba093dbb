/**
 * Joining the TCP segments of a batch into super-segments before the stack sees them (Linux's generic receive offload):
 * what a link's driver does whose device does not. It is the inverse of `cutTcp` in gso.ts.
 * @module
 */
import { type Seq, seqAdd } from '../base/seq.ts';
import { leaveTcpChecksumOpen, pseudoHeaderSumAt } from '../core/gso.ts';
import type { Medium } from '../core/link.ts';
import { CHECKSUM_NONE, CHECKSUM_VERIFIED, HEADROOM, type Packet } from '../core/packet.ts';
import { LARGE_SLOT } from '../core/pool.ts';
import { ETHERNET_HEADER_LENGTH, ETHERTYPE_IPV4, ethernetType } from '../wire/ethernet.ts';
import {
  fillIpv4Checksum,
  IPV4_HEADER_LENGTH,
  IPV4_MAX_LENGTH,
  ipv4ChecksumOk,
  ipv4TotalLength,
  setIpv4TotalLength,
} from '../wire/ipv4.ts';
import {
  ACK,
  checkTcp,
  PSH,
  setTcpFlags,
  TCP_HEADER_LENGTH,
  tcpFlags,
  tcpHeaderLength,
  tcpSeq,
} from '../wire/tcp.ts';

/** Version 4, a header without options. */
const PLAIN_IPV4 = 0x45;
const IPPROTO_TCP = 6;
/** Offsets in the IPv4 header, and the flags and fragment offset of a packet that is whole and must stay so. */
const FRAGMENT = 6;
const TTL_AND_PROTOCOL = 8;
const ADDRESSES = 12;
const DONT_FRAGMENT = 0x4000;
/** Offsets in the TCP header; the flags stand in the same 32 bits as the data offset and the window. */
const ACKNOWLEDGMENT = 8;
const FLAGS_AND_WINDOW = 12;
const PSH_THERE = PSH << 16;

/**
 * Holds a segment back until the next frame of the batch is no continuation of it. Nothing changes its place: at most
 * one segment waits, and whatever is not its continuation comes after it.
 */
export class Gro {
  private readonly medium: Medium;
  private readonly deliver: (packet: Packet) => void;
  private held: Packet | null = null;
  /** Segments that `held` is made of. */
  private count = 0;
  /** Payload of its first one: the others have as much, or less and are the last. */
  private size = 0;
  /** The sequence number behind it. */
  private nextSeq: Seq = 0;

  /** `deliver` takes frames and super-segments (CHECKSUM_PARTIAL), in order. */
  constructor(medium: Medium, deliver: (packet: Packet) => void) {
    this.medium = medium;
    this.deliver = deliver;
  }

  /** Takes a frame bytes[start, end). */
  receive(packet: Packet): void {
    const payload = this.payloadOf(packet);
    if (payload < 0) {
      this.flush();
      this.deliver(packet);
      return;
    }
    const { held } = this;
    if (held !== null && this.continues(held, packet, payload) && this.append(held, packet, payload)) return;
    this.flush();
    this.hold(packet, payload);
  }

  /** Delivers what is held: the end of a batch. */
  flush(): void {
    const { held } = this;
    if (held === null) return;
    this.held = null;
    if (this.count > 1) this.complete(held);
    this.deliver(held);
  }

  /**
   * Where the payload of a segment begins that may be joined with others, its checksum verified; -1 for anything else.
   * Sets l3, l4 and the end, behind which an Ethernet frame may be padded.
   */
  private payloadOf(packet: Packet): number {
    const { view, start } = packet;
    const l3 = this.medium === 'ip' ? start : start + ETHERNET_HEADER_LENGTH;
    const l4 = l3 + IPV4_HEADER_LENGTH;
    if (packet.end < l4 + TCP_HEADER_LENGTH || packet.gsoSize > 0) return -1;
    if (this.medium === 'ethernet' && ethernetType(view, start) !== ETHERTYPE_IPV4) return -1;
    if (view.getUint8(l3) !== PLAIN_IPV4 || view.getUint8(l3 + TTL_AND_PROTOCOL + 1) !== IPPROTO_TCP)
      return -1;
    // A packet that may be fragmented needs its own id.
    if (view.getUint16(l3 + FRAGMENT) !== DONT_FRAGMENT) return -1;
    const end = l3 + ipv4TotalLength(view, l3);
    if (end > packet.end || !checkTcp(view, l4, end)) return -1;
    const payload = l4 + tcpHeaderLength(view, l4);
    if (payload >= end || (tcpFlags(view, l4) & ~PSH) !== ACK || !ipv4ChecksumOk(view, l3)) return -1;
    if (packet.checksumState === CHECKSUM_NONE) {
      if (packet.sum(l4, end, pseudoHeaderSumAt(view, l3, l4, end)) !== 0xffff) return -1;
      packet.checksumState = CHECKSUM_VERIFIED;
    }
    packet.l3 = l3;
    packet.l4 = l4;
    packet.end = end;
    return payload;
  }

  /** Whether the segment is the next of the same stream and says nothing else new. */
  private continues(held: Packet, packet: Packet, payload: number): boolean {
    const a = held.view;
    const b = packet.view;
    const { l3, l4 } = packet;
    if (payload - packet.start !== held.payload - held.start || packet.end - payload > this.size)
      return false;
    if (tcpSeq(b, l4) !== this.nextSeq || a.getInt32(held.l4) !== b.getInt32(l4)) return false;
    if (a.getInt32(held.l4 + ACKNOWLEDGMENT) !== b.getInt32(l4 + ACKNOWLEDGMENT)) return false;
    const difference = a.getInt32(held.l4 + FLAGS_AND_WINDOW) ^ b.getInt32(l4 + FLAGS_AND_WINDOW);
    if ((difference & ~PSH_THERE) !== 0) return false;
    if (a.getInt32(held.l3 + ADDRESSES) !== b.getInt32(l3 + ADDRESSES)) return false;
    if (a.getInt32(held.l3 + ADDRESSES + 4) !== b.getInt32(l3 + ADDRESSES + 4)) return false;
    if (a.getUint16(held.l3) !== b.getUint16(l3)) return false;
    if (a.getUint16(held.l3 + TTL_AND_PROTOCOL) !== b.getUint16(l3 + TTL_AND_PROTOCOL)) return false;
    for (let at = TCP_HEADER_LENGTH; l4 + at < payload; at += 4) {
      if (a.getInt32(held.l4 + at) !== b.getInt32(l4 + at)) return false;
    }
    if (this.medium === 'ip') return true;
    for (let at = 0; at < ETHERNET_HEADER_LENGTH; at += 2) {
      if (a.getUint16(held.start + at) !== b.getUint16(packet.start + at)) return false;
    }
    return true;
  }

  private hold(packet: Packet, payload: number): void {
    packet.payload = payload;
    this.held = packet;
    this.count = 1;
    this.size = packet.end - payload;
    this.nextSeq = seqAdd(tcpSeq(packet.view, packet.l4), this.size);
    if ((tcpFlags(packet.view, packet.l4) & PSH) !== 0) this.flush();
  }

  /** Appends the payload and releases the segment; false when there is no room. */
  private append(held: Packet, packet: Packet, payload: number): boolean {
    const length = packet.end - payload;
    const end = held.end + length;
    if (end - held.l3 > IPV4_MAX_LENGTH || end > LARGE_SLOT) return false;
    const whole = this.count === 1 ? enlarge(held) : held;
    if (whole === null) return false;
    this.held = whole;
    whole.bytes.set(packet.bytes.subarray(payload, packet.end), whole.end);
    whole.end = end;
    this.nextSeq = seqAdd(this.nextSeq, length);
    this.count++;
    const flags = tcpFlags(packet.view, packet.l4);
    packet.release();
    if ((flags & PSH) !== 0) setTcpFlags(whole.view, whole.l4, flags);
    // The sender has nothing more to send now.
    if ((flags & PSH) !== 0 || length < this.size) this.flush();
    return true;
  }

  /** Makes the headers those of a super-segment. */
  private complete(whole: Packet): void {
    setIpv4TotalLength(whole.view, whole.l3, whole.end - whole.l3);
    fillIpv4Checksum(whole.view, whole.l3);
    leaveTcpChecksumOpen(whole);
    whole.gsoSize = this.size;
  }
}

/** The same packet with room for the largest; null, and it stays as it is, when the pool is at its limit. */
function enlarge(packet: Packet): Packet | null {
  const large = packet.owner.take(LARGE_SLOT - HEADROOM);
  if (large === null) return null;
  large.copyFrom(packet);
  packet.release();
  return large;
}
