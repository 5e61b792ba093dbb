import { SipHash } from '../base/siphash.ts';
import type { DropReason } from '../trace/events.ts';
import { TRACE_DROP } from '../trace/events.ts';
import type { TraceSink } from '../trace/sink.ts';
import type { Env } from './env.ts';
import { Hooks } from './hook.ts';
import { Mib } from './mib.ts';
import type { PacketPool } from './pool.ts';
import type { Sysctl } from './sysctl.ts';
import { Timers } from './timers.ts';

/** What every layer of one stack shares: clock, timers, memory, limits, counters, trace. It has no behaviour. */
export class Host {
  readonly name: string;
  readonly env: Env;
  readonly pool: PacketPool;
  readonly sysctl: Sysctl;
  readonly timers = new Timers();
  readonly mib = new Mib();
  readonly hooks = new Hooks();
  trace: TraceSink | null = null;
  /** The time of the present batch of work, in microseconds: read once a batch, not once a packet. */
  nowUs: number;

  constructor(name: string, env: Env, pool: PacketPool, sysctl: Sysctl) {
    this.name = name;
    this.env = env;
    this.pool = pool;
    this.sysctl = sysctl;
    this.nowUs = env.nowUs();
  }

  /** Reads the clock for a new batch of work. */
  refreshNow(): number {
    this.nowUs = this.env.nowUs();
    return this.nowUs;
  }

  /** A keyed hash with a fresh secret. */
  newHash(): SipHash {
    return new SipHash(this.randomBytes(8));
  }

  randomBytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.env.fillRandom(bytes);
    return bytes;
  }

  /** A random number from 0 up to, but not including, 1. */
  randomShare(): number {
    return (this.random32() >>> 0) / 0x100000000;
  }

  /** 32 random bits, as int32. */
  random32(): number {
    return new DataView(this.randomBytes(4).buffer).getInt32(0);
  }

  /** Reports a drop to the trace, when someone listens. Counters are the caller's. */
  dropped(
    layer: 'netif' | 'arp' | 'ndp' | 'ip' | 'icmp' | 'udp' | 'tcp' | 'socket',
    reason: DropReason,
    detail?: string,
  ): void {
    const { trace } = this;
    if (trace === null || (trace.wants & TRACE_DROP) === 0) return;
    const event = { type: 'drop', atUs: this.nowUs, host: this.name, layer, reason } as const;
    trace.emit(detail === undefined ? event : { ...event, detail });
  }
}
