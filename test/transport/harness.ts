import { Host } from '../../src/core/host.ts';
import type { Route } from '../../src/core/network.ts';
import { CHECKSUM_VERIFIED, HEADROOM, type Packet } from '../../src/core/packet.ts';
import { PacketPool } from '../../src/core/pool.ts';
import { DEFAULT_SYSCTL, type Sysctl } from '../../src/core/sysctl.ts';
import type { IpLayer } from '../../src/net/ip-layer.ts';
import { Segment } from '../../src/tcp/segment.ts';
import type { TcpSettings } from '../../src/tcp/settings.ts';
import { TraceLog } from '../../src/trace/sink.ts';
import { TcpLayer, type TcpListenerEndpoint } from '../../src/transport/tcp-layer.ts';
import { readSegment } from '../../src/transport/tcp-segments.ts';
import { ANY_V4, IpAddress } from '../../src/wire/address.ts';
import {
  ACK,
  emitTcp,
  FIN,
  PSH,
  RST,
  SYN,
  TCP_HEADER_LENGTH,
  tcpDestinationPort,
  tcpSourcePort,
} from '../../src/wire/tcp.ts';
import { emitTcpOptions, TcpOptions, tcpOptionsLength } from '../../src/wire/tcp-options.ts';
import { ManualEnv } from '../tcp/harness.ts';

export function ip(text: string): IpAddress {
  const address = IpAddress.parse(text);
  if (address === null) throw new Error(`not an address: ${text}`);
  return address;
}

export const LOCAL = ip('10.0.0.1');
export const PEER = ip('10.0.0.2');
export const PORT = 80;
export const PEER_PORT = 5000;

/** A segment that the layer sent. */
export interface Sent {
  flags: number;
  seq: number;
  ack: number;
  window: number;
  length: number;
  localPort: number;
  remotePort: number;
  remote: IpAddress;
  options: TcpOptions;
}

/** A segment from a peer: raw numbers. */
export interface PeerSegment {
  flags: string;
  seq?: number;
  ack?: number;
  text?: string;
  window?: number;
  from?: IpAddress;
  port?: number;
  to?: IpAddress;
  localPort?: number;
  mss?: number;
  scale?: number;
  sackPermitted?: boolean;
  tsVal?: number;
  tsEcr?: number;
}

/** A TcpLayer between a socket's caller and raw segments, on a hand-driven clock. */
export class LayerBench {
  readonly env = new ManualEnv();
  readonly host: Host;
  readonly layer: TcpLayer;
  readonly log = new TraceLog();
  sent: Sent[] = [];

  constructor(sysctl: Partial<Sysctl> = {}) {
    const limits = { smallSlots: 16, largeSlots: 0 };
    this.host = new Host('h', this.env, new PacketPool(limits), { ...DEFAULT_SYSCTL, ...sysctl });
    this.host.trace = this.log;
    this.layer = new TcpLayer(this.host, this.ipLayer());
  }

  /** Listens on PORT. */
  listen(backlog = 16, settings: Partial<TcpSettings> = {}, port = PORT): TcpListenerEndpoint {
    const binding = this.layer.bind(ANY_V4, port, true, false);
    if (typeof binding === 'number') throw new Error(`bind: ${binding}`);
    const listener = this.layer.listen(binding, backlog, { ...this.layer.defaults, ...settings }, null);
    if (typeof listener === 'number') throw new Error(`listen: ${listener}`);
    return listener;
  }

  receive(peer: PeerSegment): this {
    const { from = PEER, to = LOCAL, port = PEER_PORT, localPort = PORT, text = '' } = peer;
    const options = new TcpOptions();
    if (peer.mss !== undefined) options.mss = peer.mss;
    if (peer.scale !== undefined) options.windowScale = peer.scale;
    options.sackPermitted = peer.sackPermitted ?? false;
    if (peer.tsVal !== undefined) {
      options.timestamps = true;
      options.tsVal = peer.tsVal;
      options.tsEcr = peer.tsEcr ?? 0;
    }
    const headerLength = TCP_HEADER_LENGTH + tcpOptionsLength(options);
    const packet = this.host.pool.take(headerLength + text.length);
    if (packet === null) throw new Error('no packet');
    const { view } = packet;
    const flags = flagsOf(peer.flags);
    const [seq, ack] = [(peer.seq ?? 0) | 0, (peer.ack ?? 0) | 0];
    packet.l4 = HEADROOM;
    emitTcp(view, packet.l4, port, localPort, seq, ack, headerLength, flags, peer.window ?? 65535);
    emitTcpOptions(view, packet.l4, options);
    for (let i = 0; i < text.length; i++) packet.bytes[packet.l4 + headerLength + i] = text.charCodeAt(i);
    packet.end = packet.l4 + headerLength + text.length;
    packet.src = from;
    packet.dst = to;
    packet.checksumState = CHECKSUM_VERIFIED;
    this.layer.receive(packet);
    return this;
  }

  advance(us: number): this {
    const until = this.host.nowUs + us;
    while (this.host.timers.nextUs <= until) {
      this.setNow(Math.max(this.host.timers.nextUs, this.host.nowUs));
      this.host.timers.run(this.host.nowUs, 1);
    }
    this.setNow(until);
    return this;
  }

  takeSent(): Sent[] {
    const { sent } = this;
    this.sent = [];
    return sent;
  }

  /** The flags of what was sent since the last look. */
  take(): string[] {
    return this.takeSent().map(({ flags }) => flagsText(flags));
  }

  get arrows(): string[] {
    return this.log.events.flatMap(event =>
      event.type === 'tcp:state' ? [`${event.from} ${event.cause} ${event.to}`] : [],
    );
  }

  /** SYN, SYN-ACK, ACK with a peer's port; gives our initial sequence number. */
  handshake(port = PEER_PORT, irs = 100): number {
    this.receive({ flags: 'S', seq: irs, port, mss: 1460 });
    const iss = this.takeSent().at(-1)?.seq ?? 0;
    this.receive({ flags: '.', seq: irs + 1, ack: iss + 1, port });
    return iss;
  }

  private setNow(us: number): void {
    this.env.timeUs = us;
    this.host.refreshNow();
  }

  /** An IP layer without links: it writes down what is sent. */
  private ipLayer(): IpLayer {
    const fake = {
      generation: 1,
      register: () => {},
      isLocal: (address: IpAddress) => address.equals(LOCAL),
      isBroadcast: () => false,
      neighborConfirm: () => {},
      learnPathMtu: () => {},
      isBusy: () => false,
      route: (destination: IpAddress): Route => ({
        destination,
        source: LOCAL,
        nextHop: destination,
        netif: 2,
        mtu: 1500,
        advmss: 0,
        gsoMaxSize: 0,
        kind: 'unicast',
        generation: 1,
      }),
      send: (packet: Packet, route: Route): number => {
        this.record(packet, route);
        packet.release();
        return 0;
      },
    };
    return fake as unknown as IpLayer;
  }

  private record(packet: Packet, route: Route): void {
    const segment = new Segment();
    readSegment(packet, segment);
    const { flags, seq, ack, window, dataLength, options } = segment;
    this.sent.push({
      flags,
      seq,
      ack,
      window,
      length: dataLength,
      options,
      localPort: tcpSourcePort(packet.view, packet.l4),
      remotePort: tcpDestinationPort(packet.view, packet.l4),
      remote: route.destination,
    });
  }
}

const LETTERS = [
  ['S', SYN],
  ['F', FIN],
  ['R', RST],
  ['P', PSH],
  ['.', ACK],
] as const;

export function flagsOf(text: string): number {
  return LETTERS.reduce((flags, [letter, flag]) => flags | (text.includes(letter) ? flag : 0), 0);
}

export function flagsText(flags: number): string {
  return LETTERS.filter(([, flag]) => (flags & flag) !== 0)
    .map(([letter]) => letter)
    .join('');
}
