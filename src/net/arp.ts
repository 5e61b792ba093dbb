/**
 * ARP (RFC 826) as Linux does it with arp_accept=0: answers for our own addresses, learns from who asks us, lets
 * unasked-for packets only update what is known. Address conflicts are found and defended by RFC 5227.
 * @module
 */
import type { Host } from '../core/host.ts';
import type { Packet } from '../core/packet.ts';
import { Alarm } from '../core/timers.ts';
import { formatMac, type IpAddress, isLinkLocalV4Word } from '../wire/address.ts';
import {
  ARP_LENGTH,
  ARP_REPLY,
  ARP_REQUEST,
  arpOperation,
  arpSenderIp,
  arpSenderMacHigh,
  arpSenderMacLow,
  arpTargetIp,
  checkArp,
  emitArp,
} from '../wire/arp.ts';
import {
  BROADCAST_MAC_HIGH,
  BROADCAST_MAC_LOW,
  ETHERTYPE_ARP,
  isGroupMac,
  macFromParts,
} from '../wire/ethernet.ts';
import { ADDRESS_LOCAL, ADDRESS_OTHER, type AddressCache } from './address-cache.ts';
import { type Neighbor, type NeighborProtocol, NeighborTable, traceNeighbor } from './neighbor.ts';
import type { Netif } from './netif.ts';

/** RFC 5227 section 1.1, in microseconds. */
const PROBE_WAIT_US = 1_000_000;
const PROBE_COUNT = 3;
const PROBE_MIN_US = 1_000_000;
const PROBE_MAX_US = 2_000_000;
const ANNOUNCE_WAIT_US = 2_000_000;
const ANNOUNCE_INTERVAL_US = 2_000_000;
const DEFEND_INTERVAL_US = 10_000_000;
/** Linux's locktime. */
const LOCK_TIME_US = 1_000_000;

/** An address conflict: somebody else uses `address`. */
export interface AddressConflict {
  readonly netif: Netif;
  readonly address: IpAddress;
  /** The other's hardware address. */
  readonly mac: string;
  /** Whether we announced our own use in return; we do so at most every 10 seconds. */
  readonly defended: boolean;
}

/** A check, before an address is used, whether somebody has it. */
interface Probe {
  readonly netif: Netif;
  readonly address: IpAddress;
  readonly alarm: Alarm;
  readonly done: (free: boolean) => void;
  sent: number;
}

/** The ARP of one host, and its neighbour table for IPv4. */
export class Arp implements NeighborProtocol {
  readonly layer = 'arp';
  readonly lockTimeUs: number = LOCK_TIME_US;
  readonly neighbors: NeighborTable;
  /** Told of address conflicts. */
  onConflict: (conflict: AddressConflict) => void = () => {};
  /** Takes packets that waited in vain for a neighbour. Set by the IP layer. */
  onUnreachable: (packet: Packet) => void = packet => packet.release();
  private readonly host: Host;
  private readonly cache: AddressCache;
  private readonly probing = new Set<Probe>();
  /** The second announcements that are still to come. */
  private readonly announcing = new Set<Alarm>();
  /** When each of our addresses was defended last. */
  private readonly defendedUs = new Map<number, number>();

  constructor(host: Host, cache: AddressCache) {
    this.host = host;
    this.cache = cache;
    this.neighbors = new NeighborTable(host, this);
  }

  /** Takes an ARP packet that begins at `start`. */
  receive(packet: Packet, netif: Netif): void {
    if (!checkArp(packet.view, packet.start, packet.end)) {
      this.host.dropped('arp', packet.length < ARP_LENGTH ? 'HDR_TRUNC' : 'UNHANDLED_PROTO');
    } else if (!this.fromConflict(packet, netif)) {
      this.process(packet, netif);
    }
    packet.release();
  }

  /** Tells everyone on the link our hardware address for an address of ours (gratuitous ARP, RFC 5227 section 2.3). */
  announce(netif: Netif, address: IpAddress): void {
    this.emit(netif, ARP_REQUEST, address.w3, address.w3, 0, 0, BROADCAST_MAC_HIGH, BROADCAST_MAC_LOW);
  }

  /** Announces an address of ours once more, two seconds from now (RFC 5227 section 2.3), unless arp_notify is off. */
  announceAgain(netif: Netif, address: IpAddress): void {
    if (!this.host.sysctl.arp_notify) return;
    const alarm = new Alarm(() => {
      this.announcing.delete(alarm);
      if (netif.addresses.some(entry => entry.address.equals(address))) this.announce(netif, address);
    });
    this.announcing.add(alarm);
    this.host.timers.set(alarm, this.host.nowUs + ANNOUNCE_INTERVAL_US);
  }

  /**
   * Asks whether anyone uses `address` before we do (RFC 5227 section 2.1); takes 4 to 7 seconds when nobody does.
   * Returns a function that gives up without calling `done`.
   */
  probe(netif: Netif, address: IpAddress, done: (free: boolean) => void): () => void {
    const probe: Probe = { netif, address, done, sent: 0, alarm: new Alarm(() => this.probeAgain(probe)) };
    this.probing.add(probe);
    this.host.timers.set(probe.alarm, this.host.nowUs + this.random(0, PROBE_WAIT_US));
    return () => this.endProbe(probe);
  }

  /** NeighborProtocol: asks for a neighbour's hardware address. */
  solicit(neighbor: Neighbor, unicast: boolean): void {
    const { netif, address } = neighbor;
    const source = netif.sourceFor(address)?.w3 ?? 0;
    const high = unicast ? neighbor.macHigh : BROADCAST_MAC_HIGH;
    const low = unicast ? neighbor.macLow : BROADCAST_MAC_LOW;
    this.emit(netif, ARP_REQUEST, source, address.w3, 0, 0, high, low);
  }

  retransUs(): number {
    return this.host.sysctl.retrans_time_ms * 1000;
  }

  reachableUs(): number {
    return this.host.sysctl.base_reachable_time_ms * 1000;
  }

  changed(): void {}

  /** NeighborProtocol: a packet waited in vain. */
  unreachable(packet: Packet): void {
    this.onUnreachable(packet);
  }

  /** Forgets everything and stops every timer. */
  close(): void {
    for (const probe of [...this.probing]) this.endProbe(probe);
    for (const alarm of this.announcing) this.host.timers.delete(alarm);
    this.announcing.clear();
    this.neighbors.flush(null, true);
  }

  private process(packet: Packet, netif: Netif): void {
    const { view, start } = packet;
    const high = arpSenderMacHigh(view, start);
    const low = arpSenderMacLow(view, start);
    const sender = this.cache.lookup(arpSenderIp(view, start));
    const target = this.cache.lookup(arpTargetIp(view, start));
    const forUs = target.kind === ADDRESS_LOCAL;
    const isRequest = arpOperation(view, start) === ARP_REQUEST;
    if (isGroupMac(high)) return;
    if (sender.address.isUnspecified) {
      // Somebody probes before use: it learns whose the address is, we learn nothing.
      if (isRequest && forUs) this.reply(netif, target.address.w3, 0, high, low);
      return;
    }
    if (sender.kind !== ADDRESS_OTHER) return;
    if (isRequest && forUs) {
      const neighbor = this.neighbors.get(netif, sender.address, true);
      if (typeof neighbor !== 'number') neighbor.learn(high, low, false);
      this.reply(netif, target.address.w3, sender.address.w3, high, low);
    } else {
      // A reply that was addressed to us answers our question, if we have asked one: else there is no entry.
      this.neighbors.find(netif, sender.address)?.learn(high, low, !isRequest && forUs);
    }
  }

  private reply(netif: Netif, ours: number, theirs: number, high: number, low: number): void {
    this.emit(netif, ARP_REPLY, ours, theirs, high, low, high, low);
  }

  /** Whether the packet shows that somebody uses an address of ours, or one that we are about to take. */
  private fromConflict(packet: Packet, netif: Netif): boolean {
    const { view, start } = packet;
    const high = arpSenderMacHigh(view, start);
    const low = arpSenderMacLow(view, start);
    if (high === netif.macHigh && low === netif.macLow) return true; // our own, come back
    const senderWord = arpSenderIp(view, start);
    for (const probe of this.probing) {
      if (probe.netif !== netif) continue;
      const alsoProbes = senderWord === 0 && arpTargetIp(view, start) === probe.address.w3;
      if (senderWord !== probe.address.w3 && !alsoProbes) continue;
      this.endProbe(probe);
      this.report(netif, probe.address, high, low, false);
      probe.done(false);
      return true;
    }
    const own = netif.addresses.find(entry => entry.address.w3 === senderWord);
    if (own === undefined) return false;
    this.defend(netif, own.address, high, low);
    return true;
  }

  /** RFC 5227 section 2.4 (b) and (c): we announce once in 10 seconds, and keep the address. */
  private defend(netif: Netif, address: IpAddress, high: number, low: number): void {
    const { nowUs } = this.host;
    const lastUs = this.defendedUs.get(address.w3);
    const defended = lastUs === undefined || nowUs - lastUs >= DEFEND_INTERVAL_US;
    if (defended) {
      this.defendedUs.set(address.w3, nowUs);
      this.announce(netif, address);
    }
    this.report(netif, address, high, low, defended);
  }

  private report(netif: Netif, address: IpAddress, high: number, low: number, defended: boolean): void {
    const mac = formatMac(macFromParts(high, low));
    traceNeighbor(netif, address, mac, 'LOCAL', 'CONFLICT');
    this.onConflict({ netif, address, mac, defended });
  }

  private probeAgain(probe: Probe): void {
    const { timers, nowUs } = this.host;
    if (probe.sent === PROBE_COUNT) {
      this.endProbe(probe);
      probe.done(true);
      return;
    }
    probe.sent++;
    this.emit(probe.netif, ARP_REQUEST, 0, probe.address.w3, 0, 0, BROADCAST_MAC_HIGH, BROADCAST_MAC_LOW);
    const waitUs =
      probe.sent === PROBE_COUNT
        ? ANNOUNCE_WAIT_US
        : PROBE_MIN_US + this.random(0, PROBE_MAX_US - PROBE_MIN_US);
    timers.set(probe.alarm, nowUs + waitUs);
  }

  private endProbe(probe: Probe): void {
    this.probing.delete(probe);
    this.host.timers.delete(probe.alarm);
  }

  private random(lowUs: number, highUs: number): number {
    return lowUs + Math.floor(this.host.randomShare() * (highUs - lowUs));
  }

  private emit(
    netif: Netif,
    operation: number,
    sender: number,
    target: number,
    targetMacHigh: number,
    targetMacLow: number,
    high: number,
    low: number,
  ): void {
    if (!netif.needsNeighbor) return;
    const packet = this.host.pool.take(ARP_LENGTH);
    if (packet === null) {
      this.host.dropped('arp', 'NOMEM');
      return;
    }
    packet.end = packet.start + ARP_LENGTH;
    emitArp(
      packet.view,
      packet.start,
      operation,
      netif.macHigh,
      netif.macLow,
      sender,
      targetMacHigh,
      targetMacLow,
      target,
    );
    // RFC 3927 section 2.5: those who took the same address on another part of the link are to hear of it, too.
    if (isLinkLocalV4Word(sender))
      netif.transmit(packet, BROADCAST_MAC_HIGH, BROADCAST_MAC_LOW, ETHERTYPE_ARP);
    else netif.transmit(packet, high, low, ETHERTYPE_ARP);
  }
}
