import type { Rng } from '../../base/rng.ts';
import type { Link } from '../../core/link.ts';
import type { Packet } from '../../core/packet.ts';
import { PacketPool } from '../../core/pool.ts';
import type { Sysctl } from '../../core/sysctl.ts';
import type { DhcpServer } from '../../dhcp/server.ts';
import type { DhcpServerOptions } from '../../dhcp/server-plan.ts';
import { faulty } from '../../link/faulty.ts';
import { LearningSwitch } from '../../link/switch.ts';
import { Stack } from '../../stack/stack.ts';
import { TcpEndpoint } from '../../transport/tcp-layer.ts';
import { VirtualClock } from '../clock.ts';
import { Innocent, type Peer, Talker } from './clients.ts';
import { contradiction } from './consistency.ts';
import { Newcomer } from './newcomer.ts';
import { DatagramEcho, Service } from './services.ts';
import { Tap } from './tap.ts';
import { Tape } from './tape.ts';

const TARGET: Peer = { ipv4: '10.77.0.1', ipv6: 'fd77::1' };
const ATTACKED: Peer = { ipv4: '10.77.0.2', ipv6: 'fd77::2' };
/** Far from the others in every byte, so that a flipped bit does not lead here; both end in the same four bytes. */
const INNOCENT: Peer = { ipv4: '10.77.201.166', ipv6: 'fd77::a4d:c9a6' };
const INNOCENT_BYTES: readonly number[] = [10, 77, 201, 166];
/** One way over each cable, in microseconds. */
const DELAY_US = 20;
/** Loss on the cables of the other two, so that there are gaps and SACK. */
const ATTACKED_LOSS = 0.02;
const INNOCENT_LOSS = 0.005;

/** Small, so that limits are reached and growth shows soon. */
const LIMITS: Partial<Sysctl> = {
  ipfrag_high_thresh: 262144,
  gc_thresh3: 128,
  ip6frag_high_thresh: 262144,
  use_tempaddr: 2,
  // While it asks whether an address is free, one false answer takes the address away: nothing helps against that.
  dad_transmits: 0,
  unres_qlen: 8,
  netdev_max_backlog: 256,
  ethertype_txqueuelen: 256,
  tcp_max_syn_backlog: 64,
  // Both sides, without cookies, on every listener: SYNs with data open connections.
  tcp_fastopen: 0x607,
  tcp_max_tw_buckets: 256,
  tcp_max_orphans: 64,
  tcp_rmem: [4096, 65536, 131072],
  tcp_wmem: [4096, 16384, 131072],
  rmem_default: 65536,
  ethertype_ofo_ranges: 64,
};
/** Packets of all three hosts that may be in use while frames are coming in: far more than the limits add up to. */
const PACKETS_MAX = 4096;
/** Flows and timers of the target, likewise. */
const FLOWS_MAX = 2048;
const TIMERS_MAX = 4096;
/** Addresses and routes of the target: what routers tell of has limits, too. */
const ADDRESSES_MAX = 64;
const ROUTES_MAX = 256;
/** Leases of the target, which is a DHCP server for these. */
const LEASES_MAX = 16;
const DHCP: DhcpServerOptions = {
  pool: ['10.77.9.1', '10.77.9.250'],
  leaseSeconds: 10,
  leasesMax: LEASES_MAX,
  nameServers: [TARGET.ipv4],
  searchDomains: ['fuzz.test'],
  fixed: { '02:00:00:00:00:77': '10.77.9.251' },
};
/** Blocks of queue memory of the target: a connection may have its two buffers full. */
const BLOCKS_MAX = 64 * FLOWS_MAX;

/**
 * Four hosts on a switch: the target, the host whose traffic with it is recorded and attacked, one that gets its
 * address from the target, and the innocent one, which must not feel a thing.
 */
export class Arena {
  readonly clock = new VirtualClock();
  readonly tape = new Tape();
  readonly target: Stack;
  readonly innocent: Innocent;
  private readonly pool = new PacketPool({
    smallSlots: 2 * PACKETS_MAX,
    largeSlots: 16,
    overflowPackets: 256,
  });
  private readonly tap: Tap;
  private readonly hosts: readonly Stack[];
  private readonly services: readonly (Service | DatagramEcho)[];
  private readonly talkers: readonly Talker[];
  private readonly newcomer: Newcomer;
  readonly server: DhcpServer;

  constructor(rng: Rng) {
    const { clock, pool } = this;
    const lan = new LearningSwitch(clock.env(rng.fork()));
    const newHost = (name: string): Stack =>
      new Stack({ name, env: clock.env(rng.fork()), pool, sysctl: LIMITS });
    this.target = newHost('target');
    const attacked = newHost('attacked');
    const innocent = newHost('innocent');
    const newcomer = newHost('newcomer');
    this.hosts = [this.target, attacked, innocent, newcomer];
    this.tap = new Tap(lan.port({ delayUs: DELAY_US }));
    this.tap.onFrame = packet => {
      if (!touchesInnocent(packet)) this.tape.record(packet);
    };
    this.target.attach(this.tap, addressesOf(TARGET));
    const port = (loss: number): Link => {
      const faults = { up: { loss }, down: { loss } };
      return faulty(lan.port({ delayUs: DELAY_US }), clock.env(rng.fork()), rng.fork(), faults);
    };
    attacked.attach(port(ATTACKED_LOSS), addressesOf(ATTACKED));
    innocent.attach(port(INNOCENT_LOSS), addressesOf(INNOCENT));
    newcomer.attach(port(0), { ipv6: true });
    this.newcomer = new Newcomer(newcomer, rng.fork());
    this.server = this.target.dhcpServer('eth0', DHCP);
    this.target.dhcp6Server('eth0', { nameServers: [TARGET.ipv6], searchDomains: ['fuzz.test'] });
    this.services = [
      new Service(this.target, 7, 'echo'),
      new Service(this.target, 9, 'discard'),
      new Service(this.target, 19, 'chargen'),
      new Service(this.target, 7777, 'echo'),
      new DatagramEcho(this.target, 7),
      new Service(attacked, 7, 'echo'),
      new Service(attacked, 19, 'chargen'),
      new DatagramEcho(attacked, 7),
    ];
    this.talkers = [
      new Talker(attacked, TARGET, [7, 9, 19, 19, 81], 7, rng.fork()),
      new Talker(this.target, ATTACKED, [7, 19, 81], 7, rng.fork()),
    ];
    this.innocent = new Innocent(innocent, TARGET, 7777, rng.fork());
  }

  /** An empty packet to make a frame in. Null when none is left, which is itself a finding. */
  newPacket(length: number): Packet | null {
    return this.pool.take(length);
  }

  /** Lets a frame into the target; takes it. */
  inject(packet: Packet): void {
    this.tap.inject(packet);
  }

  /** Lets everybody do what can be done now, then time pass. */
  turn(us: number, mayBegin: boolean): void {
    for (const service of this.services) service.pump();
    for (const talker of this.talkers) talker.pump();
    this.newcomer.pump();
    this.innocent.pump(mayBegin);
    this.clock.runFor(us);
  }

  /** What is over its limit now; null when nothing is. */
  overLimit(): string | null {
    const { host, tcp, ip } = this.target;
    const figures: readonly (readonly [string, number, number])[] = [
      ['packets in use', this.pool.inUse, PACKETS_MAX],
      ['flows', tcp.flows.size, FLOWS_MAX],
      ['timers', host.timers.size, TIMERS_MAX],
      ['blocks', tcp.context.blocks.inUse, BLOCKS_MAX],
      ['TIME_WAIT entries', tcp.timeWaits.count, host.sysctl.tcp_max_tw_buckets],
      ['neighbours', ip.neighbors.size, host.sysctl.gc_thresh3],
      ['IPv6 neighbours', ip.ipv6.neighbors.size, host.sysctl.gc_thresh3],
      ['addresses', ip.netifs.flatMap(netif => netif.addresses).length, ADDRESSES_MAX],
      ['DHCP leases', this.server.leases.length, LEASES_MAX],
      ['routes', ip.routes.list().length, ROUTES_MAX],
    ];
    const over = figures.find(([, value, limit]) => value > limit);
    return over === undefined ? null : `${over[0]}: ${over[1]}, over the limit of ${over[2]}`;
  }

  /** What contradicts itself in the target's connections; null when nothing does. */
  contradiction(): string | null {
    for (const flow of this.target.tcp.flows) {
      const found = flow instanceof TcpEndpoint ? contradiction(flow.connection) : null;
      if (found !== null) return found;
    }
    return null;
  }

  /** The innocent conversation ends, everybody hangs up, and time passes until nothing is left to do. */
  drain(): void {
    while (this.innocent.busy) this.turn(1000, false);
    this.hangUp();
    // What routers were said to have said holds for years otherwise.
    for (const netif of this.target.ip.netifs) netif.up = false;
    this.clock.runUntilIdle();
    for (const netif of this.target.ip.netifs) netif.up = true;
    this.clock.runUntilIdle();
    // Connections may have been finished for nobody in the meantime: those end, too.
    this.hangUp();
    this.clock.runUntilIdle();
  }

  /** What is left after `drain` and should not be; null when nothing is. */
  leftOver(): string | null {
    if (this.pool.inUse > 0) return `${this.pool.inUse} packets are still in use`;
    for (const { name, host, tcp } of this.hosts) {
      if (tcp.flows.size > 0) return `${name}: ${tcp.flows.size} flows are left`;
      if (tcp.context.blocks.inUse > 0) return `${name}: ${tcp.context.blocks.inUse} blocks are still in use`;
      if (host.timers.size > 0) return `${name}: ${host.timers.size} timers are left`;
      for (const { binding } of tcp.allListeners())
        if (binding.holders > 1) return `${name}: port ${binding.port} has ${binding.holders} holders`;
    }
    return null;
  }

  private hangUp(): void {
    for (const service of this.services) service.hangUp();
    for (const talker of this.talkers) talker.hangUp();
    this.newcomer.hangUp();
  }

  /** Ends every host. */
  close(): void {
    for (const host of this.hosts) host.close();
  }
}

function addressesOf({ ipv4, ipv6 }: Peer): { address: string; address6: string } {
  return { address: `${ipv4}/16`, address6: `${ipv6}/64` };
}

/** Whether the innocent host's address is anywhere in the frame: it would attack what must not be attacked. */
export function touchesInnocent(packet: Packet): boolean {
  const { bytes, end } = packet;
  const [first, second, third, fourth] = INNOCENT_BYTES as [number, number, number, number];
  for (let at = bytes.indexOf(third, packet.start); at >= 0 && at < end; at = bytes.indexOf(third, at + 1)) {
    if (bytes[at + 1] === fourth && bytes[at - 1] === second && bytes[at - 2] === first) return true;
  }
  return false;
}
