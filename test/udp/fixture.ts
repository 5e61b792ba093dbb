import { Rng } from '../../src/base/rng.ts';
import type { Task } from '../../src/core/env.ts';
import { Host } from '../../src/core/host.ts';
import { PacketPool } from '../../src/core/pool.ts';
import type { ReadyListener } from '../../src/core/readiness.ts';
import { DEFAULT_SYSCTL, type Sysctl } from '../../src/core/sysctl.ts';
import { type CableOptions, createCable } from '../../src/link/cable.ts';
import { Loopback } from '../../src/link/loopback.ts';
import { IpLayer } from '../../src/net/ip-layer.ts';
import { turn } from '../../src/node/turn.ts';
import { VirtualClock } from '../../src/sim/clock.ts';
import { TraceLog } from '../../src/trace/sink.ts';
import { UdpLayer } from '../../src/udp/udp-layer.ts';
import { IpAddress } from '../../src/wire/address.ts';

/** An address from its text. */
export function ip(text: string): IpAddress {
  const address = IpAddress.parse(text);
  if (address === null) throw new Error(`not an address: ${text}`);
  return address;
}

/** The bytes of a text. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A host with IP and UDP, driven by a virtual clock. */
export class UdpHost {
  readonly host: Host;
  readonly ip: IpLayer;
  readonly udp: UdpLayer;
  readonly log = new TraceLog();
  private readonly task: Task;

  constructor(clock: VirtualClock, pool: PacketPool, name: string, seed: number, sysctl: Partial<Sysctl>) {
    this.host = new Host(name, clock.env(new Rng(seed)), pool, { ...DEFAULT_SYSCTL, ...sysctl });
    this.host.trace = this.log;
    this.ip = new IpLayer(this.host, new Loopback());
    this.udp = new UdpLayer(this.host, this.ip);
    this.task = this.host.env.task(() => this.run());
    this.ip.onIngress = () => this.task.wakeAt(this.host.env.nowUs());
    this.host.timers.onEarliest = dueUs => this.task.wakeAt(dueUs);
  }

  private run(): void {
    const nowUs = this.host.refreshNow();
    this.host.timers.run(nowUs, 1000);
    if (this.ip.run(64)) this.task.wakeAt(nowUs);
    this.task.wakeAt(this.host.timers.nextUs);
  }

  /** Reasons of the drops so far. */
  drops(): string[] {
    return this.log.events.flatMap(event => (event.type === 'drop' ? [event.reason] : []));
  }
}

/** Two hosts, 10.0.0.1 and 10.0.0.2, on a cable. */
export function twoHosts(options: { sysctl?: Partial<Sysctl>; cable?: CableOptions } = {}): {
  clock: VirtualClock;
  pool: PacketPool;
  a: UdpHost;
  b: UdpHost;
} {
  const clock = new VirtualClock({ turn });
  const pool = new PacketPool();
  const a = new UdpHost(clock, pool, 'a', 1, options.sysctl ?? {});
  const b = new UdpHost(clock, pool, 'b', 2, options.sysctl ?? {});
  const [left, right] = createCable(clock.env(new Rng(3)), { delayUs: 100, ...options.cable });
  a.ip.attach(left).addAddress(ip('10.0.0.1'), 24);
  b.ip.attach(right).addAddress(ip('10.0.0.2'), 24);
  return { clock, pool, a, b };
}

/** Keeps what a socket was told. */
export class Listening implements ReadyListener {
  mask = 0;
  ready(mask: number): void {
    this.mask |= mask;
  }
}
