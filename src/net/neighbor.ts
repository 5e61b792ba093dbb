/**
 * Who has which hardware address: the neighbour cache and its states (RFC 4861 section 7.3.2, which Linux uses for
 * ARP as well). It knows neither ARP nor NDP; a `NeighborProtocol` asks for it.
 * @module
 */
import { ENOBUFS } from '../base/errno.ts';
import { Ring } from '../base/ring.ts';
import type { Host } from '../core/host.ts';
import type { Packet } from '../core/packet.ts';
import type { Timer } from '../core/timers.ts';
import { TRACE_NEIGHBOR } from '../trace/events.ts';
import { AF_INET, formatMac, type IpAddress } from '../wire/address.ts';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, macFromParts } from '../wire/ethernet.ts';
import type { Netif } from './netif.ts';
import { traceQueue } from './packet-trace.ts';

/** Linux's NUD states, by their names. */
export type NeighborState =
  | 'NONE'
  | 'INCOMPLETE'
  | 'REACHABLE'
  | 'STALE'
  | 'DELAY'
  | 'PROBE'
  | 'FAILED'
  | 'PERMANENT';

/** A neighbour that was used within this time keeps its place in a full table (as in Linux), in microseconds. */
const IN_USE_US = 5_000_000;

/** How a neighbour is asked, and who hears when it does not answer. */
export interface NeighborProtocol {
  /** In the drops it reports. */
  readonly layer: 'arp' | 'ndp';
  /** A hardware address is not replaced by one that comes within this time of it. Linux's locktime. */
  readonly lockTimeUs: number;
  /** Microseconds between two solicitations on an interface. */
  retransUs(netif: Netif): number;
  /** Microseconds, on average, that a neighbour on an interface is taken to be reachable. */
  reachableUs(netif: Netif): number;
  /** Asks for the neighbour's hardware address: by broadcast, or at the one that is known. */
  solicit(neighbor: Neighbor, unicast: boolean): void;
  /** Takes a packet that waited for a neighbour that did not answer. */
  unreachable(packet: Packet): void;
  /** A neighbour does not answer, or one that did not has told its hardware address. */
  changed(neighbor: Neighbor): void;
}

/** What a neighbour advertisement says (RFC 4861 section 4.4). */
export interface Advertisement {
  /** The hardware address, in two parts; null for both when it was left out. */
  readonly macHigh: number | null;
  readonly macLow: number | null;
  readonly router: boolean;
  readonly solicited: boolean;
  readonly override: boolean;
}

/** One neighbour on one interface. */
export class Neighbor implements Timer {
  heapIndex = -1;
  readonly netif: Netif;
  readonly address: IpAddress;
  state: NeighborState = 'NONE';
  macHigh = 0;
  macLow = 0;
  /** Solicitations sent since the last answer. */
  probes = 0;
  /** Whether it was dropped from the table: whoever holds it must look it up again. */
  dead = false;
  /** Whether it says that it is a router (IPv6). */
  isRouter = false;
  /** Whether a packet was ever sent to it; nobody but ourselves can bring that about. */
  used = false;
  /** When it was last used (or made), confirmed and changed, in microseconds. */
  usedUs: number;
  confirmedUs: number;
  updatedUs: number;
  private readonly host: Host;
  private readonly protocol: NeighborProtocol;
  private readonly etherType: number;
  private readonly waiting = new Ring<Packet>();
  private reachableUs = 0;

  constructor(netif: Netif, address: IpAddress, protocol: NeighborProtocol) {
    this.netif = netif;
    this.host = netif.host;
    this.address = address;
    this.protocol = protocol;
    this.etherType = address.family === AF_INET ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6;
    this.usedUs = this.confirmedUs = this.updatedUs = this.host.nowUs;
  }

  /** Packets that wait for the hardware address. */
  get queued(): number {
    return this.waiting.length;
  }

  /** Whether the hardware address is known, if perhaps old. */
  get isValid(): boolean {
    return this.state !== 'NONE' && this.state !== 'INCOMPLETE' && this.state !== 'FAILED';
  }

  /** 'aa:bb:cc:dd:ee:ff', or '' when it is not known. */
  get mac(): string {
    return this.isValid ? formatMac(macFromParts(this.macHigh, this.macLow)) : '';
  }

  /** Sends an IP packet to this neighbour, or queues it until the hardware address is known. Always takes it. */
  send(packet: Packet): number {
    this.used = true;
    this.usedUs = this.host.nowUs;
    if (this.state !== 'REACHABLE' && this.state !== 'PERMANENT' && !this.resolve(packet)) return 0;
    return this.netif.transmit(packet, this.macHigh, this.macLow, this.etherType);
  }

  /** Something showed that the neighbour hears us: a transport made progress (RFC 4861 section 7.3.1). */
  confirm(): void {
    this.confirmedUs = this.host.nowUs;
    if (this.state === 'DELAY' || this.state === 'PROBE') this.become('REACHABLE');
  }

  /**
   * The neighbour told its hardware address. `solicited`: in answer to our question, so that it is reachable, not
   * merely known. An address that differs is believed only when the present one is not brand-new.
   */
  learn(macHigh: number, macLow: number, solicited: boolean): void {
    if (this.state === 'PERMANENT') return;
    const { nowUs } = this.host;
    const changed = !this.isValid || macHigh !== this.macHigh || macLow !== this.macLow;
    if (changed && this.isValid && nowUs - this.updatedUs < this.protocol.lockTimeUs) return;
    if (!changed && !solicited) return;
    if (changed) {
      this.macHigh = macHigh;
      this.macLow = macLow;
      this.updatedUs = nowUs;
    }
    if (solicited) this.confirmedUs = nowUs;
    this.become(solicited ? 'REACHABLE' : 'STALE');
    this.flush();
  }

  /**
   * A neighbour advertisement came, asked for or not: RFC 4861 section 7.2.5. Another hardware address than the one
   * that is known is believed only if it says that it overrides.
   */
  advertised({ macHigh, macLow, router, solicited, override }: Advertisement): void {
    if (this.state === 'PERMANENT') return;
    const known = this.isValid;
    if (!known && (macHigh === null || macLow === null)) return;
    const differs =
      macHigh !== null && macLow !== null && (!known || macHigh !== this.macHigh || macLow !== this.macLow);
    if (known && differs && !override) {
      if (this.state === 'REACHABLE') this.become('STALE');
      return;
    }
    this.isRouter = router;
    if (differs && macHigh !== null && macLow !== null) {
      this.macHigh = macHigh;
      this.macLow = macLow;
      this.updatedUs = this.host.nowUs;
    }
    if (solicited) this.confirmedUs = this.host.nowUs;
    if (solicited) this.become('REACHABLE');
    else if (differs) this.become('STALE');
    this.flush();
  }

  /** The first packet that waits, or null: what its question is about. */
  get firstQueued(): Packet | null {
    return this.waiting.at(0) ?? null;
  }

  /** Asks for the hardware address, if it is not known, even when there is nothing to send yet. */
  seek(): void {
    if (this.isValid || this.state === 'INCOMPLETE') return;
    this.probes = 0;
    this.become('INCOMPLETE');
    this.ask();
  }

  /** Asks at once, if it is being asked for: something that was in the way is gone. */
  askNow(): void {
    if (this.state !== 'INCOMPLETE') return;
    this.probes = 0;
    this.ask();
  }

  /** Sets the hardware address for good. */
  pin(macHigh: number, macLow: number): void {
    this.macHigh = macHigh;
    this.macLow = macLow;
    this.become('PERMANENT');
    this.flush();
  }

  /** A timer of the state machine went off. */
  fire(nowUs: number): void {
    const { ucast_solicit, mcast_solicit } = this.host.sysctl;
    if (this.state === 'REACHABLE') {
      this.reachableEnds(nowUs);
    } else if (this.state === 'DELAY') {
      this.probes = 0;
      this.become('PROBE');
      this.ask();
    } else if (this.probes < (this.state === 'PROBE' ? ucast_solicit : mcast_solicit)) {
      this.ask();
    } else {
      this.fail();
    }
  }

  /** Leaves the table: its timer stops and what waits is dropped. */
  kill(): void {
    this.dead = true;
    this.host.timers.delete(this);
    for (let packet = this.waiting.shift(); packet !== undefined; packet = this.waiting.shift()) {
      this.host.dropped(this.protocol.layer, 'NEIGH_DEAD', this.address.toString());
      packet.release();
    }
  }

  /** The slow part of send(): true when the hardware address is known after all; else the packet was queued. */
  private resolve(packet: Packet): boolean {
    if (this.state === 'STALE') this.become('DELAY');
    if (this.isValid) return true;
    this.enqueue(packet);
    this.seek();
    return false;
  }

  private enqueue(packet: Packet): void {
    const { host, waiting } = this;
    const limit = Math.max(1, host.sysctl.unres_qlen);
    if (waiting.length >= limit) {
      // The oldest goes: it is the one most likely to have been given up by its sender.
      host.dropped(this.protocol.layer, 'NEIGH_QUEUEFULL', this.address.toString());
      waiting.shift()?.release();
    }
    waiting.push(packet);
    this.traceLength();
  }

  private ask(): void {
    this.probes++;
    const { host } = this;
    host.timers.set(this, host.nowUs + this.protocol.retransUs(this.netif));
    const { used, usedUs } = this;
    this.protocol.solicit(this, this.state === 'PROBE');
    // The question itself is no use of the neighbour, or an idle one would be asked for ever.
    this.used = used;
    this.usedUs = usedUs;
  }

  private reachableEnds(nowUs: number): void {
    const { host } = this;
    if (nowUs < this.confirmedUs + this.reachableUs) {
      host.timers.set(this, this.confirmedUs + this.reachableUs);
    } else {
      this.become(nowUs < this.usedUs + host.sysctl.delay_first_probe_time * 1e6 ? 'DELAY' : 'STALE');
    }
  }

  private fail(): void {
    this.become('FAILED');
    // Telling a sender may make it send again, which starts a new resolution: only what waited until now goes.
    for (let left = this.waiting.length; left > 0; left--) {
      const packet = this.waiting.shift();
      if (packet === undefined) return;
      this.host.dropped(this.protocol.layer, 'NEIGH_FAILED', this.address.toString());
      this.protocol.unreachable(packet);
    }
  }

  private flush(): void {
    if (this.waiting.length === 0) return;
    for (let packet = this.waiting.shift(); packet !== undefined; packet = this.waiting.shift()) {
      this.send(packet);
    }
    this.traceLength();
  }

  private become(state: NeighborState): void {
    const from = this.state;
    const { host } = this;
    this.state = state;
    host.timers.delete(this);
    if (state === 'REACHABLE') {
      const base = this.protocol.reachableUs(this.netif);
      // 0.5 .. 1.5 of it, so that hosts that learned of each other together do not ask together (RFC 4861 6.3.2).
      this.reachableUs = Math.floor(base / 2 + host.randomShare() * base);
      host.timers.set(this, this.confirmedUs + this.reachableUs);
    } else if (state === 'DELAY') {
      host.timers.set(this, host.nowUs + host.sysctl.delay_first_probe_time * 1e6);
    }
    if (from === state) return;
    traceNeighbor(this.netif, this.address, this.mac, from, state);
    if (from === 'FAILED' || state === 'FAILED') this.protocol.changed(this);
  }

  private traceLength(): void {
    const { host } = this;
    traceQueue(host, 'neighbor', this.address.toString(), this.waiting.length, host.sysctl.unres_qlen);
  }
}

/** Reports a change in the neighbour table, or an address conflict, to the trace, when someone listens. */
export function traceNeighbor(netif: Netif, address: IpAddress, mac: string, from: string, to: string): void {
  const { host } = netif;
  const { trace } = host;
  if (trace === null || (trace.wants & TRACE_NEIGHBOR) === 0) return;
  trace.emit({
    type: 'neighbor',
    atUs: host.nowUs,
    host: host.name,
    netif: netif.name,
    address: address.withZone(0).toString(),
    mac,
    from,
    to,
  });
}

/** All neighbours of one host, on all interfaces and of one family. */
export class NeighborTable {
  private readonly host: Host;
  private readonly protocol: NeighborProtocol;
  private readonly entries = new Map<string, Neighbor>();

  constructor(host: Host, protocol: NeighborProtocol) {
    this.host = host;
    this.protocol = protocol;
  }

  get size(): number {
    return this.entries.size;
  }

  /** Every entry, as `ip neigh` lists them. */
  list(): Neighbor[] {
    return [...this.entries.values()];
  }

  /** The entry for an address, or null when there is none. */
  find(netif: Netif, address: IpAddress): Neighbor | null {
    return this.entries.get(keyOf(netif, address)) ?? null;
  }

  /**
   * The entry for an address, made when there is none; -ENOBUFS when the table is full of entries in use. `known`: its
   * hardware address is about to be learned, so that it may take the place of one that does not answer.
   */
  get(netif: Netif, address: IpAddress, known = false): Neighbor | number {
    const key = keyOf(netif, address);
    const found = this.entries.get(key);
    if (found !== undefined) return found;
    if (this.entries.size >= this.host.sysctl.gc_thresh3 && !this.collect(known)) return -ENOBUFS;
    const made = new Neighbor(netif, address, this.protocol);
    this.entries.set(key, made);
    return made;
  }

  /** Drops an entry. */
  remove(neighbor: Neighbor): void {
    this.entries.delete(keyOf(neighbor.netif, neighbor.address));
    neighbor.kill();
  }

  /** Drops the entries of one interface, all but the permanent ones unless told so; of every interface for null. */
  flush(netif: Netif | null, permanentToo: boolean): void {
    for (const neighbor of this.list()) {
      if (netif !== null && neighbor.netif !== netif) continue;
      if (permanentToo || neighbor.state !== 'PERMANENT') this.remove(neighbor);
    }
  }

  /** Makes room: drops what was not used for gc_stale_time, or else the one entry that can best be spared. */
  private collect(known: boolean): boolean {
    const { nowUs, sysctl } = this.host;
    const staleUs = nowUs - sysctl.gc_stale_time * 1e6;
    let victim: Neighbor | null = null;
    let victimRank = KEEP;
    for (const neighbor of this.entries.values()) {
      const { state, usedUs } = neighbor;
      if (usedUs < staleUs && (state === 'STALE' || state === 'FAILED')) {
        this.remove(neighbor);
        continue;
      }
      const rank = rankOf(neighbor, nowUs, known);
      if (rank > victimRank || rank === KEEP) continue;
      if (rank === victimRank && victim !== null && usedUs >= victim.usedUs) continue;
      victim = neighbor;
      victimRank = rank;
    }
    if (this.entries.size < sysctl.gc_thresh3) return true;
    if (victim === null) return false;
    this.remove(victim);
    return true;
  }
}

/** The rank of what is not collected. */
const KEEP = 4;

/**
 * In which order entries make room, so that neither a flood of questions from made-up neighbours nor packets that make
 * us ask for made-up ones can push out those we talk with: first what failed, then what only ever talked to us, then
 * what is not in use, last what is being asked for.
 */
function rankOf(neighbor: Neighbor, nowUs: number, known: boolean): number {
  const { state, used, usedUs } = neighbor;
  if (state === 'PERMANENT') return KEEP;
  if (state === 'INCOMPLETE') return known ? 3 : KEEP;
  if (!neighbor.isValid) return 0;
  if (!used) return 1;
  return nowUs - usedUs < IN_USE_US ? KEEP : 2;
}

function keyOf(netif: Netif, address: IpAddress): string {
  return `${netif.index} ${address}`;
}
