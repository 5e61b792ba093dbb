import { DEFAULT_SYSCTL, type Sysctl } from '../../src/core/sysctl.ts';
import { turn } from '../../src/node/turn.ts';
import { VirtualClock } from '../../src/sim/clock.ts';
import type { Sys } from '../../src/socket/calls.ts';
import { Stack } from '../../src/stack/stack.ts';
import { type TcpStateEvent, TRACE_STATE } from '../../src/trace/events.ts';
import { traceTo } from '../../src/trace/sink.ts';
import { IpAddress } from '../../src/wire/address.ts';
import { ScriptLink, type Sent } from './link.ts';
import type { IpEnds } from './segment.ts';

export const LOCAL_ADDRESS = '10.0.0.1';
export const REMOTE_ADDRESS = '10.0.0.2';
/** The port `bind(3, ..., ...)` takes. */
export const LOCAL_PORT = 8080;
/** Peer number n has port PEER_PORT + n. */
export const PEER_PORT = 50_000;

/** How the stack under test is set up. */
export interface SubjectOptions {
  /** Our initial sequence number. */
  iss?: number;
  /** The peers'. */
  peerIsn?: number;
  /** Of the link, in bytes. */
  mtu?: number;
  sysctl?: Partial<Sysctl>;
  /** Told about every arrow of the state diagram that is taken. */
  onState?: (event: TcpStateEvent) => void;
}

/** The stack under test, on virtual time, with a script at the other end of its only link. Times count from 0. */
export class Subject {
  readonly localPort = LOCAL_PORT;
  readonly inboundEnds: IpEnds = { source: word(REMOTE_ADDRESS), destination: word(LOCAL_ADDRESS) };
  private readonly clock = new VirtualClock({ turn });
  private readonly startUs = this.clock.nowUs;
  private readonly stack: Stack;
  private readonly link: ScriptLink;
  /** State of the connection with each remote port, as the trace tells it. */
  private readonly states = new Map<number, string>();

  constructor(options: SubjectOptions) {
    const { iss } = options;
    this.stack = new Stack({
      name: 'subject',
      env: this.clock.env(1),
      sysctl: { ...DEFAULT_SYSCTL, ...options.sysctl },
      ...(iss === undefined ? {} : { iss: () => iss | 0 }),
    });
    this.stack.trace = traceTo(event => {
      if (event.type !== 'tcp:state') return;
      this.states.set(Number(event.remote.split(':').pop()), event.to);
      options.onState?.(event);
    }, TRACE_STATE);
    this.link = new ScriptLink(options.mtu ?? 1500, () => this.nowUs);
    this.stack.attach(this.link, { address: `${LOCAL_ADDRESS}/24` });
  }

  get sys(): Sys {
    return this.stack.sys;
  }

  /** Microseconds since the script began. */
  get nowUs(): number {
    return this.clock.nowUs - this.startUs;
  }

  /** What was sent and not yet taken by `nextSent`. */
  get sent(): readonly Sent[] {
    return this.link.sent;
  }

  /** Moves time to `atUs`; everything due until then happens. */
  async runUntil(atUs: number): Promise<void> {
    await this.clock.run({ untilUs: this.startUs + atUs });
  }

  /** The next packet sent, not later than `latestUs`; null when there is none. */
  async nextSent(latestUs: number): Promise<Sent | null> {
    await this.clock.run({ untilUs: this.startUs + latestUs, until: () => this.link.sent.length > 0 });
    return this.link.sent.shift() ?? null;
  }

  inject(packet: Uint8Array): void {
    this.link.inject(packet);
  }

  setSysctl(settings: Partial<Sysctl>): void {
    Object.assign(this.stack.host.sysctl, settings);
  }

  /** The state of the connection with this remote port; CLOSED when there is or was none. */
  stateOf(remotePort: number): string {
    return this.states.get(remotePort) ?? 'CLOSED';
  }

  /** A counter by its name, with its group (`TcpExt.ListenDrops`) or without; undefined when there is none. */
  counter(name: string): number | undefined {
    const [group, counter] = name.includes('.') ? name.split('.') : [null, name];
    for (const [groupName, counters] of Object.entries(this.stack.host.mib)) {
      const value = (counters as Record<string, number>)[counter as string];
      if ((group === null || group === groupName) && value !== undefined) return value;
    }
    return undefined;
  }

  close(): void {
    this.stack.close();
  }
}

function word(address: string): number {
  return (IpAddress.parse(address) as IpAddress).w3 >>> 0;
}
