import type { Env } from '../core/env.ts';
import { cutTcp, type SegmentSink, segmentCount } from '../core/gso.ts';
import type { Link, LinkPort, Offloads } from '../core/link.ts';
import { NO_OFFLOADS } from '../core/link.ts';
import type { Packet } from '../core/packet.ts';
import { completeChecksum } from '../core/partial-checksum.ts';
import type { FaultEvent } from '../trace/events.ts';
import type { TraceSink } from '../trace/sink.ts';
import {
  checkEthernet,
  ethernetDestinationHigh,
  ethernetDestinationLow,
  ethernetSourceHigh,
  ethernetSourceLow,
  isGroupMac,
} from '../wire/ethernet.ts';
import { CableEnd, type CableOptions, createCable } from './cable.ts';
import { copyPacket } from './frame.ts';
import { MacTable, type MacTableLimits } from './mac-table.ts';
import { RemoteLink } from './remote.ts';
import { traceFault } from './trace-fault.ts';

/** A switch's name, the bounds of its table, and what its cables need not do. */
export interface SwitchOptions extends Partial<MacTableLimits> {
  /** The switch's name in fault events. Default 'switch'. */
  name?: string | undefined;
  trace?: TraceSink | null | undefined;
  /** Of its own cables. What a port's link cannot do itself the switch does. Default none. */
  offloads?: Partial<Offloads> | undefined;
}

/** Ports of one switch. */
export const SWITCH_PORTS = 1024;
/** 01:80:c2:00:00:00 to :0f are for the switch itself and never forwarded (IEEE 802.1D section 7.12.6). */
const RESERVED_HIGH = 0x0180;
const RESERVED_LOW = 0xc2000000 | 0;

/**
 * An Ethernet switch that learns which address is behind which port, floods what it does not know, and looks at
 * nothing behind the two addresses: VLAN tags pass untouched.
 * @example
 * const lan = new LearningSwitch(env);
 * a.attach(lan.port(), { name: 'eth0', address: '10.0.0.1/24' });
 * b.attach(lan.port({ delayUs: 100 }), { name: 'eth0', address: '10.0.0.2/24' });
 */
export class LearningSwitch {
  readonly name: string;
  readonly offloads: Offloads;
  /** Which address is behind which port. */
  readonly table: MacTable<SwitchPort>;
  readonly counters = { forwarded: 0, flooded: 0, filtered: 0, dropped: 0 };
  private readonly env: Env;
  private readonly trace: TraceSink | null;
  private ports: SwitchPort[] = [];

  constructor(env: Env, options: SwitchOptions = {}) {
    this.env = env;
    this.name = options.name ?? 'switch';
    this.trace = options.trace ?? null;
    this.offloads = { ...NO_OFFLOADS, ...options.offloads };
    const { ageingUs, entries } = options;
    this.table = new MacTable({
      ...(ageingUs === undefined ? {} : { ageingUs }),
      ...(entries === undefined ? {} : { entries }),
    });
  }

  /** How many ports are in use. */
  get portCount(): number {
    return this.ports.length;
  }

  /** A new port with a cable in it; returns the cable's other end, for a stack to attach. */
  port(options: CableOptions = {}): CableEnd {
    const trace = options.trace ?? this.trace;
    const [outer, inner] = createCable(this.env, { ...options, trace, offloads: this.offloads });
    this.attach(inner);
    return outer;
  }

  /** A new port at the end of any Ethernet link. Throws RangeError when the link does not fit the switch. */
  attach(link: Link): void {
    if (this.ports.length >= SWITCH_PORTS) throw new RangeError(`a switch has at most ${SWITCH_PORTS} ports`);
    if (link.medium !== 'ethernet') throw new RangeError('a switch port needs an Ethernet link');
    const port = new SwitchPort(this, link);
    this.ports.push(port);
    link.attach(port);
  }

  /** Closes every port. */
  close(): void {
    for (const port of this.ports.splice(0)) port.link.close();
  }

  /** A frame came in by `from`. */
  forward(packet: Packet, from: SwitchPort): void {
    const { start, view } = packet;
    const nowUs = this.env.nowUs();
    if (!checkEthernet(start, packet.end)) {
      this.drop(packet, 'drop');
      return;
    }
    from.learn(ethernetSourceHigh(view, start), ethernetSourceLow(view, start), nowUs);
    const high = ethernetDestinationHigh(view, start);
    const low = ethernetDestinationLow(view, start);
    const reserved = high === RESERVED_HIGH && (low & ~0xf) === RESERVED_LOW;
    const to = isGroupMac(high) ? null : this.table.find(high, low, nowUs);
    if (reserved) {
      this.drop(packet, 'drop');
    } else if (to === null) {
      this.flood(packet, from);
    } else if (to === from) {
      this.counters.filtered++;
      packet.release();
    } else {
      this.counters.forwarded++;
      this.output(packet, to);
    }
  }

  /** A port's cable went dead: what was behind it may come back elsewhere. */
  portDown(port: SwitchPort): void {
    this.table.forget(port);
    if (!port.gone) return;
    port.link.close();
    this.ports = this.ports.filter(other => other !== port);
  }

  private flood(packet: Packet, from: SwitchPort): void {
    this.counters.flooded++;
    let last: SwitchPort | null = null;
    for (const port of this.ports) {
      if (port === from) continue;
      if (last !== null) this.outputCopy(packet, last);
      last = port;
    }
    if (last === null) packet.release();
    else this.output(packet, last);
  }

  private outputCopy(packet: Packet, to: SwitchPort): void {
    const copy = copyPacket(packet);
    if (copy === null) this.counters.dropped++;
    else this.output(copy, to);
  }

  /** Does for the link what it cannot do itself, as the way out of an interface does. */
  private output(packet: Packet, to: SwitchPort): void {
    const { checksum, gsoMaxSize } = to.link.offloads;
    if (packet.gsoSize > 0 && gsoMaxSize === 0) {
      const count = segmentCount(packet);
      if (cutTcp(packet, packet.owner, checksum, to) < count) this.counters.dropped++;
      packet.release();
      return;
    }
    if (!checksum) completeChecksum(packet);
    this.send(packet, to);
  }

  /** Hands a frame to the link of a port. */
  send(packet: Packet, to: SwitchPort): void {
    if (!to.link.send(packet)) this.drop(packet, 'queue-full');
  }

  private drop(packet: Packet, fault: FaultEvent['fault']): void {
    this.counters.dropped++;
    traceFault(this.trace, this.env, this.name, fault, packet.length);
    packet.release();
  }
}

/** A switch's end of a link. */
export class SwitchPort implements LinkPort, SegmentSink {
  readonly link: Link;
  private readonly lan: LearningSwitch;

  constructor(lan: LearningSwitch, link: Link) {
    this.lan = lan;
    this.link = link;
  }

  /** Whether the other end of its link was closed for good. */
  get gone(): boolean {
    const { link } = this;
    return (link instanceof CableEnd || link instanceof RemoteLink) && link.peerClosed;
  }

  /** Links deliver from tasks and `send` only queues, so a frame can go straight on. */
  receive(packet: Packet): void {
    this.lan.forward(packet, this);
  }

  segment(packet: Packet): void {
    this.lan.send(packet, this);
  }

  /** A switch does not wait for a full queue: it drops. */
  writable(): void {}

  carrier(up: boolean): void {
    if (!up) this.lan.portDown(this);
  }

  learn(high: number, low: number, nowUs: number): void {
    if (!isGroupMac(high)) this.lan.table.learn(high, low, this, nowUs);
  }
}
