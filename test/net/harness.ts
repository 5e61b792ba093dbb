import { Rng } from '../../src/base/rng.ts';
import type { Env, Task } from '../../src/core/env.ts';
import { Host } from '../../src/core/host.ts';
import type { Link, LinkPort, Medium, Offloads } from '../../src/core/link.ts';
import type { IcmpError, IpSendOptions, Route, TransportProtocol } from '../../src/core/network.ts';
import type { Packet } from '../../src/core/packet.ts';
import { PacketPool } from '../../src/core/pool.ts';
import { DEFAULT_SYSCTL, type Sysctl } from '../../src/core/sysctl.ts';
import { IpLayer } from '../../src/net/ip-layer.ts';
import type { Netif } from '../../src/net/netif.ts';
import { TraceLog } from '../../src/trace/sink.ts';
import { IpAddress } from '../../src/wire/address.ts';
import { type ArpRepr, parseArp } from '../../src/wire/arp.ts';
import { sum16 } from '../../src/wire/checksum.ts';
import { ethernetType, parseEthernet } from '../../src/wire/ethernet.ts';
import { type Ipv4Repr, parseIpv4 } from '../../src/wire/ipv4.ts';
import { type Ipv6Repr, parseIpv6 } from '../../src/wire/ipv6.ts';
import { formatNdp, parseNdp } from '../../src/wire/ndp.ts';

/** The protocol number of the transport that tests use. */
export const TEST_PROTOCOL = 253;
export const OPTIONS: IpSendOptions = { ttl: 64, tos: 0, dontFragment: false };

/** An address from its text, which must be one. */
export function ip(text: string): IpAddress {
  const address = IpAddress.parse(text);
  if (address === null) throw new Error(`not an address: ${text}`);
  return address;
}

/** A clock that stands still until it is told to move. */
export class ManualEnv implements Env {
  timeUs = 1_000_000_000;
  private readonly rng = new Rng(7);

  nowUs(): number {
    return this.timeUs;
  }
  task(): Task {
    return { wakeAt() {}, cancel() {} };
  }
  fillRandom(out: Uint8Array): void {
    this.rng.fill(out);
  }
  settled(): void {}
}

export interface TestLinkOptions {
  medium?: Medium;
  mtu?: number;
  mac?: number;
  offloads?: Offloads;
}

/** A link that records each frame and, when it has a peer, delivers a copy there at once. */
export class TestLink implements Link {
  readonly medium: Medium;
  readonly mtu: number;
  readonly mac: Uint8Array | null;
  readonly offloads: Offloads;
  /** Copies of the frames that were sent. */
  readonly frames: Uint8Array[] = [];
  readonly gsoSizes: number[] = [];
  port: LinkPort | null = null;
  peer: TestLink | null = null;
  /** Where this end takes packets from for what it receives. */
  pool: PacketPool | null = null;
  busy = false;
  /** Frames for which this returns true get lost. */
  lose: (frame: Uint8Array) => boolean = () => false;

  constructor(options: TestLinkOptions = {}) {
    this.medium = options.medium ?? 'ethernet';
    this.mtu = options.mtu ?? 1500;
    this.mac = this.medium === 'ethernet' ? Uint8Array.of(2, 0, 0, 0, 0, options.mac ?? 1) : null;
    this.offloads = options.offloads ?? { checksum: false, gsoMaxSize: 0 };
  }

  attach(port: LinkPort): void {
    this.port = port;
  }

  send(packet: Packet): boolean {
    if (this.busy) return false;
    const frame = packet.bytes.slice(packet.start, packet.end);
    this.frames.push(frame);
    this.gsoSizes.push(packet.gsoSize);
    packet.release();
    if (this.peer !== null && !this.lose(frame)) this.peer.inject(frame);
    return true;
  }

  /** Lets a frame come in by this link. */
  inject(frame: Uint8Array): void {
    const packet = this.pool?.take(frame.length);
    if (packet == null || this.port === null) throw new Error('the link is not connected');
    packet.end = packet.start + frame.length;
    packet.bytes.set(frame, packet.start);
    this.port.receive(packet);
  }

  /** Room again, for what waits. */
  free(): void {
    this.busy = false;
    this.port?.writable();
  }

  close(): void {
    this.port = null;
  }

  /** The ARP packets among the frames sent. */
  arps(): ArpRepr[] {
    return this.frames.flatMap(frame => {
      const view = viewOf(frame);
      const repr = ethernetType(view, 0) === 0x0806 ? parseArp(view, 14, frame.length) : null;
      return repr === null ? [] : [repr];
    });
  }

  /** The IPv4 packets among the frames sent. */
  packets(): SentPacket[] {
    const at = this.medium === 'ethernet' ? 14 : 0;
    return this.frames.flatMap(frame => {
      const view = viewOf(frame);
      if (at > 0 && ethernetType(view, 0) !== 0x0800) return [];
      const header = parseIpv4(view, at, frame.length);
      if (header === null) return [];
      const data = frame.slice(at + header.headerLength, at + header.totalLength);
      return [{ header, data, ethernet: at > 0 ? parseEthernet(view, 0, frame.length) : null }];
    });
  }
}

/** An IPv6 packet that was sent. */
export interface SentPacket6 {
  header: Ipv6Repr;
  /** Behind the IPv6 header. */
  data: Uint8Array;
  ethernet: ReturnType<typeof parseEthernet>;
}

/** The IPv6 packets among the frames that a link sent. */
export function packets6(link: TestLink): SentPacket6[] {
  const at = link.medium === 'ethernet' ? 14 : 0;
  return link.frames.flatMap(frame => {
    const view = viewOf(frame);
    if (at > 0 && ethernetType(view, 0) !== 0x86dd) return [];
    const header = parseIpv6(view, at, frame.length);
    if (header === null) return [];
    const data = frame.slice(at + 40, at + 40 + header.payloadLength);
    return [{ header, data, ethernet: at > 0 ? parseEthernet(view, 0, frame.length) : null }];
  });
}

/** The messages of neighbour discovery among the frames that a link sent, as tcpdump would say them. */
export function discoveries(link: TestLink): string[] {
  return packets6(link).flatMap(({ header, data }) => {
    const message = header.nextHeader === 58 ? parseNdp(viewOf(data), 0, data.length) : null;
    return message === null ? [] : [`${header.source} > ${header.destination}: ${formatNdp(message)}`];
  });
}

export interface SentPacket {
  header: Ipv4Repr;
  data: Uint8Array;
  ethernet: ReturnType<typeof parseEthernet>;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** What a transport was given. */
export interface Received {
  src: string;
  dst: string;
  data: string;
  length: number;
}

/** A transport that writes down what it gets. */
export class TestTransport implements TransportProtocol {
  readonly protocol: number;
  readonly received: Received[] = [];
  /** The type of service, or traffic class, of each. */
  readonly tos: number[] = [];
  readonly errors: {
    errno: number;
    fatal: boolean;
    mtu: number;
    src: string;
    dst: string;
    quoted: string;
  }[] = [];

  constructor(protocol: number) {
    this.protocol = protocol;
  }

  receive(packet: Packet): void {
    const word = packet.view.getUint16(packet.l3);
    this.tos.push((word >> 12 === 4 ? word : word >> 4) & 0xff);
    this.received.push({
      src: packet.src.toString(),
      dst: packet.dst.toString(),
      data: text(packet.bytes.subarray(packet.l4, packet.end)),
      length: packet.end - packet.l4,
    });
    packet.release();
  }

  error(error: IcmpError): void {
    const { errno, fatal, mtu, src, dst } = error;
    const quoted = text(error.packet.bytes.subarray(error.offset, Math.min(error.end, error.offset + 8)));
    this.errors.push({ errno, fatal, mtu, src: src.toString(), dst: dst.toString(), quoted });
  }
}

/** The bytes as one character each. */
export function text(bytes: Uint8Array): string {
  let out = '';
  for (const byte of bytes) out += String.fromCharCode(byte);
  return out;
}

export function bytesOf(string: string): Uint8Array {
  return Uint8Array.from(string, character => character.charCodeAt(0));
}

/** A loopback as plain as it can be. */
function loopbackLink(pool: PacketPool): TestLink {
  const link = new TestLink({ medium: 'ip', mtu: 65536, offloads: { checksum: true, gsoMaxSize: 65536 } });
  link.pool = pool;
  link.peer = link;
  return link;
}

/** One host: its IP layer, a transport for tests, and a log of everything. */
export class TestHost {
  readonly host: Host;
  readonly ip: IpLayer;
  readonly lo: TestLink;
  readonly transport = new TestTransport(TEST_PROTOCOL);
  readonly log = new TraceLog();
  readonly env: ManualEnv;

  constructor(env: ManualEnv, name: string, sysctl: Partial<Sysctl> = {}) {
    this.env = env;
    this.host = new Host(name, env, new PacketPool({ smallSlots: 256, largeSlots: 8 }), {
      ...DEFAULT_SYSCTL,
      arp_notify: false,
      ...sysctl,
    });
    this.host.trace = this.log;
    this.lo = loopbackLink(this.host.pool);
    this.ip = new IpLayer(this.host, this.lo);
    this.ip.register(this.transport);
  }

  attach(link: TestLink, cidr?: string): Netif {
    link.pool = this.host.pool;
    const netif = this.ip.attach(link);
    if (cidr !== undefined) {
      const [address, length] = cidr.split('/');
      netif.addAddress(ip(address as string), Number(length));
    }
    return netif;
  }

  /** The route to a destination, which must exist. */
  route(destination: string): Route {
    const route = this.ip.route(ip(destination), null);
    if (typeof route === 'number') throw new Error(`no route to ${destination}: ${route}`);
    return route;
  }

  /** Sends bytes as a packet of the test protocol. */
  send(destination: string, data: string | Uint8Array, options = OPTIONS, protocol = TEST_PROTOCOL): number {
    const bytes = typeof data === 'string' ? bytesOf(data) : data;
    const packet = this.host.pool.take(bytes.length);
    if (packet === null) throw new Error('the pool is empty');
    packet.l4 = packet.start;
    packet.end = packet.l4 + bytes.length;
    packet.bytes.set(bytes, packet.l4);
    return this.ip.send(packet, this.route(destination), protocol, options);
  }

  run(): void {
    this.host.refreshNow();
    this.ip.run(1000);
  }

  /** Reasons of the drops so far. */
  drops(): string[] {
    return this.log.events.flatMap(event => (event.type === 'drop' ? [event.reason] : []));
  }

  /** State changes of neighbours so far: 'NONE>INCOMPLETE'. */
  neighborChanges(): string[] {
    return this.log.events.flatMap(event => (event.type === 'neighbor' ? [`${event.from}>${event.to}`] : []));
  }
}

/** Processes everything that is queued on these hosts, until all is quiet. */
export function settle(...hosts: TestHost[]): void {
  for (let turn = 0; turn < 1000; turn++) {
    for (const host of hosts) host.run();
    if (hosts.every(({ ip }) => ip.netifs.every(netif => netif.ingress.length === 0))) return;
  }
  throw new Error('the network does not come to rest');
}

/** Lets time pass, firing timers in order and processing what comes of them. */
export function advance(us: number, ...hosts: TestHost[]): void {
  const env = (hosts[0] as TestHost).env;
  const endUs = env.timeUs + us;
  for (;;) {
    const nextUs = Math.min(...hosts.map(({ host }) => host.timers.nextUs));
    if (nextUs > endUs) break;
    env.timeUs = Math.max(env.timeUs, nextUs);
    for (const { host } of hosts) host.timers.run(host.refreshNow(), 1000);
    settle(...hosts);
  }
  env.timeUs = endUs;
  for (const { host } of hosts) host.refreshNow();
}

export interface Pair {
  env: ManualEnv;
  a: TestHost;
  b: TestHost;
  linkA: TestLink;
  linkB: TestLink;
}

/** 10.0.0.1/24 and 10.0.0.2/24 on one Ethernet link. */
export function pair(sysctl: Partial<Sysctl> = {}, link: TestLinkOptions = {}): Pair {
  const env = new ManualEnv();
  const a = new TestHost(env, 'a', sysctl);
  const b = new TestHost(env, 'b', sysctl);
  const linkA = new TestLink({ ...link, mac: 1 });
  const linkB = new TestLink({ ...link, mac: 2 });
  linkA.peer = linkB;
  linkB.peer = linkA;
  a.attach(linkA, '10.0.0.1/24');
  b.attach(linkB, '10.0.0.2/24');
  return { env, a, b, linkA, linkB };
}

/** fd00::1/64 and fd00::2/64 on one Ethernet link, their addresses checked and the neighbours not yet known. */
export function pair6(sysctl: Partial<Sysctl> = {}, link: TestLinkOptions = {}): Pair {
  const env = new ManualEnv();
  const a = new TestHost(env, 'a', { ...QUIET, ...sysctl });
  const b = new TestHost(env, 'b', { ...QUIET, ...sysctl });
  const linkA = new TestLink({ ...link, mac: 1 });
  const linkB = new TestLink({ ...link, mac: 2 });
  a.attach(linkA, 'fd00::1/64');
  b.attach(linkB, 'fd00::2/64');
  linkA.peer = linkB;
  linkB.peer = linkA;
  advance(2_000_000, a, b);
  for (const made of [linkA, linkB]) made.frames.length = 0;
  for (const host of [a, b]) host.log.events.length = 0;
  return { env, a, b, linkA, linkB };
}

/** No questions about one's own address, nor for routers; link-local addresses that follow from MAC addresses. */
export const QUIET: Partial<Sysctl> = { dad_transmits: 0, router_solicitations: 0, addr_gen_mode: 0 };

/** The link-local address of 02:00:00:00:00:0N. */
export function linkLocal(last: number): string {
  return `fe80::ff:fe00:${last}`;
}

/** Lets both hosts of a pair learn each other's hardware address, and forgets the traces of it. */
export function introduce(hosts: Pair): void {
  introduceBy('10.0.0.2', hosts);
}

/** The same over IPv6. */
export function introduce6(hosts: Pair): void {
  introduceBy('fd00::2', hosts);
}

function introduceBy(address: string, { a, b, linkA, linkB }: Pair): void {
  a.send(address, 'hello');
  settle(a, b);
  a.transport.received.length = 0;
  b.transport.received.length = 0;
  for (const link of [linkA, linkB]) link.frames.length = 0;
  for (const host of [a, b]) host.log.events.length = 0;
}

/** Whether the transport checksum of an IPv4 packet holds. */
export function transportSumOk({ header, data }: SentPacket): boolean {
  const pseudo =
    header.source.checksumPart() + header.destination.checksumPart() + header.protocol + data.length;
  return sum16(data, 0, data.length, pseudo) === 0xffff;
}
