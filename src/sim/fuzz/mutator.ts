import type { Rng } from '../../base/rng.ts';
import type { Packet } from '../../core/packet.ts';
import { ETHERNET_HEADER_LENGTH, ETHERTYPE_ARP, ethernetType } from '../../wire/ethernet.ts';
import { setIpv4Fragment } from '../../wire/ipv4.ts';
import { emitVlan, VLAN_TAG_LENGTH, VLAN_TYPE } from '../../wire/vlan.ts';
import { isDhcp, lieInDhcp } from './dhcp-lies.ts';
import { fieldsOf, type HeaderKind, mutateField } from './fields.ts';
import { lieAboutErrors6, lieAboutNeighbors, lieInExtensions } from './ipv6-lies.ts';
import { isIpv6, locateIpv4, locateTransport, repairChecksums, repairLength } from './repair.ts';
import type { RecordedFrame, Tape } from './tape.ts';
import { lieAboutErrors, lieInFlags, lieInNumbers, lieInOptions, lieInSack } from './tcp-lies.ts';

/** Bytes of the largest frame that is made. */
export const MUTANT_MAX = 1700;
/** Changes made to one frame, at most. */
const CHANGES_MAX = 3;
/** How often lengths and checksums are made right again, so that the deeper code is reached. */
const REPAIR = 0.9;
/** How often a change of a DHCP message is one of DHCP's own. */
const DHCP = 0.7;
/** How often a recorded frame is sent again as it was: a replay. */
const REPLAY = 0.06;

/** Makes frames that nobody should send from frames that somebody sent. */
export class Mutator {
  private readonly tape: Tape;
  private readonly rng: Rng;

  constructor(tape: Tape, rng: Rng) {
    this.tape = tape;
    this.rng = rng;
  }

  /** Fills an empty packet with room for MUTANT_MAX bytes; false when nothing was recorded yet. */
  fill(packet: Packet): boolean {
    const { rng } = this;
    const frame = this.tape.pick(rng);
    if (frame === null) return false;
    copy(packet, frame);
    if (rng.chance(REPLAY)) return true;
    for (let changes = rng.between(1, CHANGES_MAX); changes > 0; changes--) this.change(packet);
    if (rng.chance(REPAIR)) {
      // Lengths stay wrong now and then: the deeper code must not trust them.
      if (rng.chance(0.7)) repairLength(packet);
      repairChecksums(packet);
    }
    return true;
  }

  private change(packet: Packet): void {
    const { rng } = this;
    if (isDhcp(packet) && rng.chance(DHCP)) {
      lieInDhcp(packet, rng);
      return;
    }
    switch (rng.below(16)) {
      case 0:
        this.flipBits(packet);
        break;
      case 1:
        packet.end = packet.start + rng.below(packet.length + 1);
        break;
      case 2:
        this.extend(packet);
        break;
      case 3:
        this.splice(packet);
        break;
      case 4:
        this.cut(packet);
        break;
      case 5:
        this.fragment(packet);
        break;
      case 6:
        this.tag(packet);
        break;
      case 7:
        this.changeField(packet, rng.chance(0.5) ? 'ethernet' : 'ip');
        break;
      case 8:
      case 9:
        this.changeField(packet, 'transport');
        break;
      case 10:
        lieInFlags(packet, rng);
        break;
      case 11:
        lieInSack(packet, rng);
        break;
      case 12:
        lieInOptions(packet, rng);
        break;
      case 13:
      case 14:
        lieInNumbers(packet, rng);
        break;
      default:
        if (rng.chance(0.7)) lieInNumbers(packet, rng);
        else if (!isIpv6(packet)) lieAboutErrors(packet, rng);
        else if (rng.chance(0.5)) lieAboutErrors6(packet, rng);
        else lieAboutNeighbors(packet, rng);
    }
  }

  private flipBits(packet: Packet): void {
    const { rng } = this;
    if (packet.length === 0) return;
    for (let bits = rng.between(1, 8); bits > 0; bits--) {
      const at = packet.start + rng.below(packet.length);
      packet.bytes[at] = (packet.bytes[at] as number) ^ (1 << rng.below(8));
    }
  }

  private extend(packet: Packet): void {
    const { rng } = this;
    const room = MUTANT_MAX - packet.length;
    const added = Math.min(rng.pick([1, 3, 4, 7, 8, 40, 300]), room);
    for (let i = 0; i < added; i++) packet.bytes[packet.end++] = rng.below(256);
  }

  /** The beginning of this frame and the end of another. */
  private splice(packet: Packet): void {
    const { rng } = this;
    const other = this.tape.pick(rng);
    if (other === null) return;
    const keep = rng.below(packet.length + 1);
    const from = Math.min(keep, other.length);
    packet.bytes.set(other.bytes.subarray(from, other.length), packet.start + keep);
    packet.end = packet.start + keep + other.length - from;
  }

  /** Takes a few bytes out of the middle. */
  private cut(packet: Packet): void {
    const { rng } = this;
    const at = packet.start + rng.below(packet.length + 1);
    const n = Math.min(rng.pick([1, 2, 4, 8, 20, 100]), packet.end - at);
    packet.bytes.copyWithin(at, at + n, packet.end);
    packet.end -= n;
  }

  /** Makes a fragment of a datagram of it, one that fits others of the same id, or overlaps them; or other headers. */
  private fragment(packet: Packet): void {
    const { rng } = this;
    if (isIpv6(packet)) lieInExtensions(packet, rng, MUTANT_MAX);
    if (!locateIpv4(packet)) return;
    const { view, l3 } = packet;
    const offset = 8 * rng.pick([0, 0, 1, 2, 3, 64, 184, 185, 370, 8189, 8191]);
    setIpv4Fragment(view, l3, offset, rng.chance(0.6), rng.chance(0.1));
    if (rng.chance(0.5)) view.setUint16(l3 + 4, rng.below(16));
  }

  private tag(packet: Packet): void {
    const { rng } = this;
    if (packet.length < ETHERNET_HEADER_LENGTH || packet.length + VLAN_TAG_LENGTH > MUTANT_MAX) return;
    const { bytes, view } = packet;
    const at = packet.start + ETHERNET_HEADER_LENGTH - 2;
    const inner = view.getUint16(at);
    bytes.copyWithin(at + VLAN_TAG_LENGTH, at, packet.end);
    packet.end += VLAN_TAG_LENGTH;
    emitVlan(view, at, VLAN_TYPE, rng.pick([0, 0, 1, 4095]), rng.below(8), false, inner);
  }

  private changeField(packet: Packet, where: 'ethernet' | 'ip' | 'transport'): void {
    const { rng } = this;
    if (packet.length < ETHERNET_HEADER_LENGTH) return;
    const { kind, header, protocol } = this.headerOf(packet, where);
    const field = rng.pick(fieldsOf(kind, protocol));
    mutateField(packet, header + field.at, field.width, rng);
  }

  private headerOf(
    packet: Packet,
    where: 'ethernet' | 'ip' | 'transport',
  ): { kind: HeaderKind; header: number; protocol: number } {
    const header = packet.start + ETHERNET_HEADER_LENGTH;
    if (where === 'ethernet') return { kind: 'ethernet', header: packet.start, protocol: 0 };
    if (ethernetType(packet.view, packet.start) === ETHERTYPE_ARP)
      return { kind: 'arp', header, protocol: 0 };
    const protocol = locateTransport(packet);
    if (where === 'transport' && protocol >= 0) return { kind: 'transport', header: packet.l4, protocol };
    return { kind: isIpv6(packet) ? 'ipv6' : 'ipv4', header, protocol: 0 };
  }
}

function copy(packet: Packet, frame: RecordedFrame): void {
  packet.bytes.set(frame.bytes.subarray(0, frame.length), packet.start);
  packet.end = packet.start + frame.length;
}
