import { DEFAULT_SYSCTL, type Sysctl } from '../core/sysctl.ts';
import type { RouteMetrics, RouteSpec } from '../net/route-table.ts';
import { VirtualClock } from '../sim/clock.ts';
import type { Sys } from '../socket/calls.ts';
import { AF_INET, AF_INET6, SOCK_STREAM } from '../socket/constants.ts';
import type { SocketRow } from '../stack/sockets.ts';
import { Stack } from '../stack/stack.ts';
import { defaultTcpSettings } from '../tcp/settings.ts';
import { type TcpStateEvent, TRACE_STATE } from '../trace/events.ts';
import { traceTo } from '../trace/sink.ts';
import { ANY_V6, IpAddress } from '../wire/address.ts';
import type { Machine } from './commands.ts';
import { ScriptLink, type Sent } from './link.ts';
import type { IpEnds } from './segment.ts';
import { Settings } from './settings.ts';
import { type Family, UnsupportedError } from './syntax.ts';
import { VirtualFiles } from './virtual-files.ts';

/** How the stack under test is set up. */
export interface SubjectOptions {
  readonly family: Family;
  readonly localAddress: string;
  readonly remoteAddress: string;
  /** Sockets are IPv6's, with IPv4-mapped addresses. */
  readonly mapped?: boolean;
  /** Of the local network, in bits. */
  readonly prefixLength: number;
  /** Of the link, in bytes. */
  readonly mtu: number;
  readonly sysctl?: Partial<Sysctl>;
  /** Our initial sequence number; chosen by the stack when there is none. */
  readonly iss?: number | null;
  /** One turn of the event loop of the runtime, for the clock. */
  readonly turn: () => Promise<void>;
  /** Told about every arrow of the state diagram that is taken. */
  readonly onState?: (event: TcpStateEvent) => void;
}

/** How /proc/net/tcp writes states. */
const PROC_STATES = [
  'ESTABLISHED',
  'SYN_SENT',
  'SYN_RCVD',
  'FIN_WAIT_1',
  'FIN_WAIT_2',
  'TIME_WAIT',
  'CLOSED',
  'CLOSE_WAIT',
  'LAST_ACK',
  'LISTEN',
  'CLOSING',
];

/** Where our defaults differ from Linux's, scripts begin with Linux's. */
const LINUX: Partial<Sysctl> = {
  tcp_mtu_probing: 0,
  tcp_tso_win_divisor: 3,
  tcp_challenge_ack_limit: 2 ** 31 - 1,
};

/** The stack under test, on virtual time, with a script at the other end of its only link. Times count from 0. */
export class Subject implements Machine {
  readonly settings: Settings;
  readonly files = new VirtualFiles();
  /** From the peer to us, and back. */
  readonly inbound: IpEnds;
  readonly outbound: IpEnds;
  private readonly mapped: boolean;
  private readonly clock: VirtualClock;
  private startUs: number;
  private readonly stack: Stack;
  private readonly link: ScriptLink;
  private route: RouteSpec | null = null;
  /** State of the connection with each remote port, as the trace tells it. */
  private readonly states = new Map<number, string>();

  constructor(options: SubjectOptions) {
    const { family, turn, iss = null } = options;
    this.mapped = options.mapped ?? false;
    const local = IpAddress.parse(options.localAddress);
    const remote = IpAddress.parse(options.remoteAddress);
    const expected = family === 'ipv4' ? AF_INET : AF_INET6;
    if (local?.family !== expected || remote?.family !== expected)
      throw new UnsupportedError(
        `${options.localAddress} or ${options.remoteAddress} is no ${family} address`,
      );
    this.inbound = { source: remote, destination: local };
    this.outbound = { source: local, destination: remote };
    this.clock = new VirtualClock({ turn });
    this.startUs = this.clock.nowUs;
    this.stack = new Stack({
      name: 'subject',
      env: this.clock.env(1),
      sysctl: { ...DEFAULT_SYSCTL, ...LINUX, ...options.sysctl },
      ...(iss === null ? {} : { iss: () => iss | 0 }),
    });
    const { host, tcp } = this.stack;
    this.settings = new Settings(host.sysctl, () => {
      // Sockets that are made from now on begin with what the sysctls say now.
      tcp.defaults = defaultTcpSettings(host.sysctl);
    });
    this.stack.trace = traceTo(event => {
      if (event.type !== 'tcp:state') return;
      this.states.set(Number(event.remote.split(':').pop()), event.to);
      options.onState?.(event);
    }, TRACE_STATE);
    this.link = new ScriptLink(options.mtu, () => this.nowUs);
    this.connect(options, remote, expected);
  }

  private connect({ localAddress, prefixLength }: SubjectOptions, remote: IpAddress, family: number): void {
    const { sys, ip } = this.stack;
    const probe = sys.socket(family, SOCK_STREAM, 0);
    if (probe < 0) throw new UnsupportedError('the stack has no IPv6 sockets');
    sys.close(probe);
    const netif = this.stack.attach(this.link, { address: `${localAddress}/${prefixLength}` });
    if (netif < 0) throw new UnsupportedError(`the stack cannot have the address ${localAddress}`);
    this.route = { destination: remote, prefixLength: remote.byteLength * 8, netif };
    ip.routes.add(this.route);
  }

  /** Our address and the peer's as the socket calls have them. */
  get ends(): { readonly ours: IpAddress; readonly peers: IpAddress } {
    const { source: ours, destination: peers } = this.outbound;
    return this.mapped ? { ours: ours.toMapped(), peers: peers.toMapped() } : { ours, peers };
  }

  get sys(): Sys {
    return this.stack.sys;
  }

  /** The script begins now. */
  begin(): void {
    this.startUs = this.clock.nowUs;
  }

  /** Microseconds since the script began. */
  get nowUs(): number {
    return this.clock.nowUs - this.startUs;
  }

  /** When the script began, on the clock of the stack. */
  get epochUs(): number {
    return this.startUs;
  }

  /** What was sent and not yet taken by `nextSent`. */
  get sent(): readonly Sent[] {
    return this.link.sent;
  }

  /** Moves time to `atUs`; everything due until then happens. */
  async runUntil(atUs: number): Promise<void> {
    await this.clock.run({ untilUs: this.startUs + atUs });
  }

  async sleepUntil(atUs: number): Promise<void> {
    await this.runUntil(atUs);
  }

  /** Runs until `until` holds, not longer than `latestUs`. */
  async runWhile(latestUs: number, until: () => boolean): Promise<void> {
    await this.clock.run({ untilUs: this.startUs + latestUs, until });
  }

  /** The next packet sent, not later than `latestUs`; null when there is none. */
  async nextSent(latestUs: number): Promise<Sent | null> {
    await this.runWhile(latestUs, () => this.link.sent.length > 0);
    return this.link.sent.shift() ?? null;
  }

  /** A packet from the peer. */
  inject(packet: Uint8Array, gsoSize: number): void {
    this.link.inject(packet, gsoSize);
  }

  changeRoute(metrics: RouteMetrics): void {
    if (this.route !== null) this.stack.ip.routes.change({ ...this.route, metrics });
  }

  changeMtu(bytes: number): void {
    this.link.mtu = bytes;
    // Routes remember it; a change of them has it looked up again.
    this.changeRoute({});
  }

  flushMetrics(): void {
    this.stack.tcp.fastOpenCache.clear();
  }

  dropAll(on: boolean): void {
    this.link.isFull = on;
    this.settings.set('ethertype_txqueuelen', String(on ? 0 : DEFAULT_SYSCTL.ethertype_txqueuelen));
  }

  /** The state of the connection with this remote port; CLOSED when there is or was none. */
  stateOf(remotePort: number): string {
    return this.states.get(remotePort) ?? 'CLOSED';
  }

  /** The line of the table of sockets about the connection with this remote port. */
  rowOf(remotePort: number): SocketRow | undefined {
    return this.stack.sockets().find(({ peer }) => peer.endsWith(`:${remotePort}`));
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

  counters(): Map<string, number> {
    return new Map(
      Object.entries(this.stack.host.mib).flatMap(([group, counters]) =>
        Object.entries(counters as Record<string, number>).map(
          ([name, value]) => [group + name, value] as const,
        ),
      ),
    );
  }

  procFile(path: string): string | null {
    if (path !== '/proc/net/tcp' && path !== '/proc/net/tcp6') return null;
    const v4 = path === '/proc/net/tcp';
    const rows = this.stack.sockets().filter(({ local }) => /^[[*]/.test(local) !== v4);
    const lines = rows.map((row, index) => {
      const state = (PROC_STATES.indexOf(row.state) + 1).toString(16).padStart(2, '0').toUpperCase();
      return `${String(index).padStart(4)}: ${procAddress(row.local)} ${procAddress(row.peer)} ${state} 00000000:00000000`;
    });
    return ['  sl  local_address rem_address   st tx_queue rx_queue', ...lines].join('\n');
  }

  close(): void {
    this.stack.close();
  }
}

/** The address in hexadecimal as it lies in memory, each word of it turned around, and the port. */
function procAddress(text: string): string {
  const at = text.lastIndexOf(':');
  const host = text.slice(0, at).replace(/[[\]]|%.*/g, '');
  const address = host === '*' ? ANY_V6 : IpAddress.parse(host);
  const port = Number(text.slice(at + 1)) || 0;
  const words =
    address === null || address.family === AF_INET
      ? [address?.w3 ?? 0]
      : [address.w0, address.w1, address.w2, address.w3];
  const hex = words.map(word => turned(word).toString(16).padStart(8, '0').toUpperCase()).join('');
  return `${hex}:${port.toString(16).padStart(4, '0').toUpperCase()}`;
}

function turned(word: number): number {
  return (((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}
