import { strerror } from '../base/errno.ts';
import { Rng } from '../base/rng.ts';
import type { Offloads } from '../core/link.ts';
import { PacketPool, type PoolLimits } from '../core/pool.ts';
import type { Sysctl } from '../core/sysctl.ts';
import type { DhcpClientOptions } from '../dhcp/ipv4-configuration.ts';
import { type CableEnd, createCable } from '../link/cable.ts';
import { type FaultyLink, faulty } from '../link/faulty.ts';
import type { FaultCounters, Faults } from '../link/lane.ts';
import { LearningSwitch, type SwitchOptions } from '../link/switch.ts';
import { Stack } from '../stack/stack.ts';
import type { TraceSink } from '../trace/sink.ts';
import { type AddressFamily, AF_INET, AF_INET6 } from '../wire/address.ts';
import { VirtualClock, type VirtualClockOptions } from './clock.ts';

/** What a whole world has in common. */
export interface WorldOptions extends VirtualClockOptions {
  /** Everything that is random follows from it. Default 1. */
  seed?: number;
  /** Memory for the packets of all hosts together: its limits, or a pool that another world is done with. */
  pool?: Partial<PoolLimits> | PacketPool;
  /** Settings of every host. */
  sysctl?: Partial<Sysctl>;
  /** Of the addresses that hosts get when they are given none. Default AF_INET. */
  family?: AddressFamily;
  /** Gets the events of every host, cable and switch. */
  trace?: TraceSink | null;
}

/** What one host of a world has of its own. */
export interface HostOptions {
  /**
   * Of its first interface. Default 10.0.0.N/24 for the Nth host, unless it configures itself or its world is of the
   * other family; null for none.
   */
  address?: string | null;
  /** The IPv6 address of its first interface. Default fd00::N/64 for the Nth host of a world of that family. */
  address6?: string;
  /** Its default routers, reached by its first interface. */
  gateway?: string;
  gateway6?: string;
  /** Whether its first interface has IPv6 without an address: what routers tell of. */
  ipv6?: boolean;
  /** Whether its first interface asks a DHCP server for its address, and gives it the host's name. */
  dhcp?: boolean | DhcpClientOptions;
  /** Whether its first interface takes a link-local IPv4 address. */
  linkLocal?: boolean;
  sysctl?: Partial<Sysctl>;
  /** Default: the world's. */
  trace?: TraceSink | null;
}

/** What a cable of a world is like: the faults hold in both directions, unless one has its own. */
export interface ConnectOptions extends Faults {
  /** From the first party to the second, and from the second to the first. */
  there?: Faults;
  back?: Faults;
  /** The addresses at the two ends, 'A.B.C.D/N'; needed from a host's second interface on. */
  addresses?: readonly [string | undefined, string | undefined];
  /** The IPv6 addresses at the two ends, 'fd00::1/64'. */
  addresses6?: readonly [string | undefined, string | undefined];
  offloads?: Partial<Offloads>;
  /** In fault events. Default 'a-b'. */
  name?: string;
}

/** A cable of a world, to be looked at and broken. */
export interface Connection {
  /** How often which fault happened. */
  readonly counters: { readonly there: FaultCounters; readonly back: FaultCounters };
  /** Frames that wait for the line now. */
  readonly queued: { readonly there: number; readonly back: number };
  /** Changes the faults, and delay, jitter, rate and queue limit, for the frames to come. */
  configure(options: { there?: Faults; back?: Faults }): void;
  /** Pulls the cable: both ends lose carrier and what is on the wire. */
  pull(): void;
  /** Puts it back. */
  plug(): void;
}

/**
 * Hosts, cables and switches on one virtual clock. The same seed and the same calls give the same trace, byte for
 * byte, as fast as the machine can.
 * @example
 * const world = new World({ seed: 1, turn });
 * const a = world.host('a');
 * const b = world.host('b');
 * world.connect(a, b, { loss: 0.1, delayUs: 10_000 });
 * await world.run(talk(a, b));
 */
export class World {
  readonly seed: number;
  readonly clock: VirtualClock;
  readonly pool: PacketPool;
  private readonly options: WorldOptions;
  private readonly rng: Rng;
  private readonly hosts = new Map<Stack, WorldHost>();
  private readonly switches: LearningSwitch[] = [];
  private readonly cables: CableEnd[] = [];

  constructor(options: WorldOptions = {}) {
    this.options = options;
    this.seed = options.seed ?? 1;
    this.rng = new Rng(this.seed);
    this.clock = new VirtualClock(options);
    this.pool = options.pool instanceof PacketPool ? options.pool : new PacketPool(options.pool);
  }

  /** The present, in integer microseconds since the Unix epoch. */
  get nowUs(): number {
    return this.clock.nowUs;
  }

  /** A new host; `connect` gives it interfaces eth0, eth1 ... */
  host(name: string, options: HostOptions = {}): Stack {
    const index = this.hosts.size + 1;
    const { family = AF_INET } = this.options;
    const { address = family === AF_INET ? defaultAddress(options, index) : null } = options;
    const { address6 = family === AF_INET6 ? `fd00::${index.toString(16)}/64` : undefined } = options;
    return this.boot({ name, index, address, address6, options, interfaces: 0, cables: [] });
  }

  /**
   * A host loses its power: its cables are cut and its stack is closed, without a word to anybody. `reboot` makes a
   * new one in its place.
   */
  crash(stack: Stack): void {
    for (const cable of this.known(stack).cables) cable.pull();
    stack.close();
  }

  /**
   * A host that comes back without its memory: name, settings and hardware addresses are those of `stack`, which has
   * crashed; everything else is new. Its cables went with the old one: `connect` it again.
   */
  reboot(stack: Stack): Stack {
    const old = this.known(stack);
    this.hosts.delete(stack);
    return this.boot({ ...old, interfaces: 0, cables: [] });
  }

  /** A new switch. */
  switch(name: string, options: SwitchOptions = {}): LearningSwitch {
    const trace = this.options.trace ?? null;
    const lan = new LearningSwitch(this.clock.env(this.rng.fork()), { trace, ...options, name });
    this.switches.push(lan);
    return lan;
  }

  /** Puts a cable between two hosts, two switches, or one of each. Throws RangeError when an address is missing. */
  connect(a: Stack | LearningSwitch, b: Stack | LearningSwitch, options: ConnectOptions = {}): Connection {
    const {
      there: thereOnly,
      back: backOnly,
      addresses,
      addresses6,
      offloads,
      name = this.cableName(a, b),
      ...both
    } = options;
    const { mtu, ...faults } = both;
    const there = { ...faults, ...thereOnly };
    const back = { ...faults, ...backOnly };
    const env = this.clock.env(this.rng.fork());
    const trace = this.options.trace ?? null;
    const macs = [this.nextMac(a), this.nextMac(b)] as const;
    const ends = createCable(env, { there, back, mtu, offloads, name, trace, macs });
    const near = faulty(ends[0], env, this.rng.fork(), {
      up: withoutPhysics(there),
      down: withoutPhysics(back),
      name,
      trace,
    });
    this.attach(a, near, addresses?.[0], addresses6?.[0]);
    this.attach(b, ends[1], addresses?.[1], addresses6?.[1]);
    this.cables.push(ends[0]);
    const cable = new WorldCable(near, ends);
    for (const party of [a, b]) if (party instanceof Stack) this.known(party).cables.push(cable);
    return cable;
  }

  /** Runs the world until a promise is settled; gives its value or throws its reason. Needs the option `turn`. */
  run<T>(promise: Promise<T>): Promise<T> {
    return this.clock.finish(promise);
  }

  /** Runs the world for so many microseconds of its time. Needs the option `turn`. */
  async runFor(us: number): Promise<void> {
    await this.clock.run({ untilUs: this.clock.nowUs + us });
  }

  /** Ends every host, switch and cable: no packet is held and no task armed afterwards. */
  close(): void {
    for (const stack of this.hosts.keys()) stack.close();
    for (const lan of this.switches) lan.close();
    for (const end of this.cables) end.cable.close();
  }

  private boot(host: WorldHost): Stack {
    const { trace = this.options.trace ?? null, sysctl } = host.options;
    const stack = new Stack({
      name: host.name,
      env: this.clock.env(this.rng.fork()),
      pool: this.pool,
      sysctl: { ...this.options.sysctl, ...sysctl },
      trace,
    });
    this.hosts.set(stack, host);
    return stack;
  }

  private attach(
    party: Stack | LearningSwitch,
    link: CableEnd | FaultyLink,
    address?: string,
    address6?: string,
  ): void {
    if (party instanceof LearningSwitch) {
      party.attach(link);
      return;
    }
    const host = this.known(party);
    const name = `eth${host.interfaces++}`;
    const isFirst = host.interfaces === 1;
    const own = address ?? (isFirst ? (host.address ?? undefined) : undefined);
    const own6 = address6 ?? (isFirst ? host.address6 : undefined);
    const { dhcp = false, linkLocal = false, ipv6 = false, gateway, gateway6 } = isFirst ? host.options : {};
    if (own === undefined && own6 === undefined && dhcp === false && !linkLocal && !ipv6)
      throw new RangeError(`${host.name} ${name} needs an address: the option \`addresses\``);
    const result = party.attach(link, {
      name,
      ...(own === undefined ? {} : { address: own }),
      ...(own6 === undefined ? {} : { address6: own6 }),
      ipv6,
      dhcp: dhcp === false ? false : { hostName: host.name, ...(dhcp === true ? {} : dhcp) },
      linkLocal,
      ...(gateway === undefined ? {} : { gateway }),
      ...(gateway6 === undefined ? {} : { gateway6 }),
    });
    if (result < 0) throw new RangeError(`${host.name} cannot attach ${name}: ${strerror(result)}`);
  }

  private known(stack: Stack): WorldHost {
    const host = this.hosts.get(stack);
    if (host === undefined) throw new RangeError('this host is not of this world: make it with world.host()');
    return host;
  }

  private cableName(a: Stack | LearningSwitch, b: Stack | LearningSwitch): string {
    const name = (party: Stack | LearningSwitch): string =>
      party instanceof LearningSwitch ? party.name : this.known(party).name;
    return `${name(a)}-${name(b)}`;
  }

  /** 02:00:00:00:HH:II for interface II of host HH, so that a capture is easy to read. */
  private nextMac(party: Stack | LearningSwitch): Uint8Array {
    if (party instanceof LearningSwitch) {
      const cable = this.cables.length;
      return Uint8Array.of(2, 0, 1, cable >> 8, cable, 0);
    }
    const { index, interfaces } = this.known(party);
    return Uint8Array.of(2, 0, 0, index >> 8, index, interfaces);
  }
}

interface WorldHost {
  readonly name: string;
  /** From 1. */
  readonly index: number;
  readonly address: string | null;
  readonly address6: string | undefined;
  readonly options: HostOptions;
  interfaces: number;
  readonly cables: Connection[];
}

function defaultAddress({ dhcp = false, linkLocal = false }: HostOptions, index: number): string | null {
  return dhcp === false && !linkLocal ? `10.0.0.${index}/24` : null;
}

class WorldCable implements Connection {
  private readonly near: FaultyLink;
  private readonly ends: readonly [CableEnd, CableEnd];

  constructor(near: FaultyLink, ends: readonly [CableEnd, CableEnd]) {
    this.near = near;
    this.ends = ends;
  }

  get counters(): { there: FaultCounters; back: FaultCounters } {
    const { up, down } = this.near.counters;
    const [a, b] = this.ends;
    return { there: { ...up, mark: up.mark + a.marked }, back: { ...down, mark: down.mark + b.marked } };
  }

  get queued(): { there: number; back: number } {
    return { there: this.ends[0].queued, back: this.ends[1].queued };
  }

  configure({ there, back }: { there?: Faults; back?: Faults }): void {
    if (there !== undefined) {
      this.near.configure({ up: withoutPhysics(there) });
      this.ends[0].configure(there);
    }
    if (back !== undefined) {
      this.near.configure({ down: withoutPhysics(back) });
      this.ends[1].configure(back);
    }
  }

  pull(): void {
    this.ends[0].cable.pull();
  }

  plug(): void {
    this.ends[0].cable.plug();
  }
}

/** The cable has the delay and the rate, so that both of its ends feel them alike; the rest goes wrong at one end. */
function withoutPhysics(faults: Faults): Faults {
  const { delayUs, jitterUs, rate, queueLimit, markAt, ...rest } = faults;
  return rest;
}
