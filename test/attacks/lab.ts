import assert from 'node:assert/strict';
import type { Rng } from '../../src/base/rng.ts';
import type { Packet } from '../../src/core/packet.ts';
import type { Sysctl } from '../../src/core/sysctl.ts';
import type { CableEnd } from '../../src/link/cable.ts';
import { World } from '../../src/sim/world.ts';
import { SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET } from '../../src/socket/constants.ts';
import type { Stack } from '../../src/stack/stack.ts';
import type { TcpEndpoint } from '../../src/transport/tcp-endpoint.ts';
import { AF_INET } from '../../src/wire/address.ts';
import { finishChecksum, sum16 } from '../../src/wire/checksum.ts';
import {
  ACK,
  emitTcp,
  formatTcpFlags,
  parseTcp,
  setTcpChecksum,
  TCP_HEADER_LENGTH,
} from '../../src/wire/tcp.ts';
import { emitTcpOptions, parseTcpOptions, TcpOptions, tcpOptionsLength } from '../../src/wire/tcp-options.ts';
import { frame, ipv4 } from '../net/craft.ts';
import { ip } from '../net/harness.ts';

export const SERVER = '10.0.0.1';
export const CLIENT = '10.0.0.2';
export const PORT = 80;
export const MS = 1000;
export const SECOND = 1_000_000;

/** A segment as an attacker writes it. */
export interface Forged {
  from?: string;
  to?: string;
  sport?: number;
  dport?: number;
  seq?: number;
  ack?: number;
  flags?: number;
  window?: number;
  data?: Uint8Array;
  mss?: number;
  scale?: number;
  sackPermitted?: boolean;
  tsVal?: number;
  tsEcr?: number;
  sack?: readonly (readonly [number, number])[];
  /** Of Fast Open; without bytes it asks for one. */
  cookie?: Uint8Array;
}

/** A segment that reached the attacker's card. */
export interface Heard {
  from: string;
  to: string;
  sport: number;
  dport: number;
  seq: number;
  ack: number;
  flags: string;
  window: number;
  length: number;
  options: TcpOptions;
}

/** An IPv4 packet with a TCP segment, all checksums right. */
export function tcpPacket(forged: Forged): Uint8Array {
  const { from = CLIENT, to = SERVER, sport = 1000, dport = PORT, seq = 0, ack = 0, flags = ACK } = forged;
  const data = forged.data ?? new Uint8Array(0);
  const options = new TcpOptions();
  options.mss = forged.mss ?? 0;
  options.windowScale = forged.scale ?? -1;
  options.sackPermitted = forged.sackPermitted ?? false;
  if (forged.tsVal !== undefined) {
    options.timestamps = true;
    options.tsVal = forged.tsVal;
    options.tsEcr = forged.tsEcr ?? 0;
  }
  for (const [left, right] of forged.sack ?? []) options.addSack(left | 0, right | 0);
  if (forged.cookie !== undefined) options.putCookie(forged.cookie, false);
  const headerLength = TCP_HEADER_LENGTH + tcpOptionsLength(options);
  const bytes = new Uint8Array(headerLength + data.length);
  const view = new DataView(bytes.buffer);
  emitTcp(view, 0, sport, dport, seq | 0, ack | 0, headerLength, flags, forged.window ?? 65535);
  emitTcpOptions(view, 0, options);
  bytes.set(data, headerLength);
  const pseudo = ip(from).checksumPart() + ip(to).checksumPart() + 6 + bytes.length;
  setTcpChecksum(view, 0, finishChecksum(sum16(bytes, 0, bytes.length, pseudo)));
  return ipv4({ source: from, destination: to, protocol: 6, df: true, data: bytes });
}

/** The gateway that `routeOutside` makes up. */
const GATEWAY = '10.0.9.9';

/** The server reaches the rest of the world by the attacker's card. */
export function routeOutside({ server }: Lab): void {
  const eth0 = server.ip.netif('eth0');
  assert.ok(eth0);
  server.ip.routes.add({
    destination: ip('0.0.0.0'),
    prefixLength: 0,
    gateway: ip(GATEWAY),
    netif: eth0.index,
  });
  const gateway = server.ip.neighbors.get(eth0, ip(GATEWAY));
  assert.ok(typeof gateway !== 'number');
  gateway.pin(0x0200, 2);
}

/** A source anywhere in the world. */
export function anywhere(rng: Rng): { from: string; sport: number } {
  return {
    from: `${rng.between(11, 126)}.${rng.below(256)}.${rng.below(256)}.${rng.between(1, 254)}`,
    sport: rng.between(1024, 65535),
  };
}

/** A server and an honest client on a switch, and an attacker's card on it that says what it likes. */
export class Lab {
  readonly world: World;
  readonly server: Stack;
  readonly client: Stack;
  /** The segments that reached the attacker's card, and the other frames. */
  heard: Heard[] = [];
  frames: Uint8Array[] = [];
  /** The attacker does not even listen. */
  quiet = false;
  private readonly card: CableEnd;
  private readonly serverMac: Uint8Array;

  constructor(sysctl: Partial<Sysctl> = {}, seed = 1) {
    this.world = new World({ seed, sysctl });
    const lan = this.world.switch('lan');
    this.server = this.world.host('server', { address: `${SERVER}/16` });
    this.client = this.world.host('client', { address: `${CLIENT}/16` });
    this.world.connect(this.server, lan, { delayUs: 50 });
    this.world.connect(this.client, lan, { delayUs: 50 });
    this.card = lan.port({ delayUs: 50 });
    this.card.attach({ receive: packet => this.hear(packet), writable() {}, carrier() {} });
    this.serverMac = this.server.ip.netif('eth0')?.link.mac as Uint8Array;
    this.world.clock.runFor(10 * MS);
  }

  /** Lets time pass. */
  pass(us: number): void {
    this.world.clock.runFor(us);
  }

  /** Sends an IPv4 packet, or another one with its EtherType, to the server. */
  inject(packet: Uint8Array, etherType = 0x0800): void {
    const [a, b, c, d, e, f] = this.serverMac as unknown as [number, number, number, number, number, number];
    this.injectFrame(frame(packet, (a << 8) | b, (c << 24) | (d << 16) | (e << 8) | f, etherType));
  }

  injectFrame(bytes: Uint8Array): void {
    const packet = this.world.pool.take(bytes.length);
    assert.ok(packet !== null);
    packet.bytes.set(bytes, packet.start);
    packet.end = packet.start + bytes.length;
    this.card.send(packet);
  }

  forge(forged: Forged): void {
    this.inject(tcpPacket(forged));
  }

  /** The server listens on PORT; returns the descriptor. */
  listen(backlog = 128): number {
    const { sys } = this.server;
    const fd = sys.socket(AF_INET, SOCK_STREAM);
    sys.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    assert.equal(sys.bind(fd, { address: SERVER, port: PORT }), 0);
    assert.equal(sys.listen(fd, backlog), 0);
    return fd;
  }

  /** An established connection between client and server: descriptors, and the server's end of it. */
  connected(listener = this.listen()): { near: number; far: number; endpoint: TcpEndpoint; port: number } {
    const { sys } = this.client;
    const near = sys.socket(AF_INET, SOCK_STREAM);
    sys.connect(near, { address: SERVER, port: PORT });
    this.pass(20 * MS);
    const far = this.server.sys.accept(listener);
    assert.ok(far >= 0, `accept: ${far}`);
    const endpoint = this.endpoint(far);
    return { near, far, endpoint, port: endpoint.remotePort };
  }

  /** The server's connection behind a descriptor. */
  endpoint(fd: number): TcpEndpoint {
    const file = this.server.sys.ops.socketOf(fd) as unknown as { endpoint: TcpEndpoint };
    return file.endpoint;
  }

  /** Whether a fresh honest client can connect and is accepted within a few seconds. */
  canConnect(listener: number): boolean {
    const { sys } = this.client;
    const fd = sys.socket(AF_INET, SOCK_STREAM);
    sys.connect(fd, { address: SERVER, port: PORT });
    let accepted = -1;
    for (let tries = 0; tries < 50 && accepted < 0; tries++) {
      this.pass(100 * MS);
      for (let next = this.server.sys.accept(listener); next >= 0; next = this.server.sys.accept(listener)) {
        if (this.endpoint(next).remoteAddress.toString() === CLIENT) accepted = next;
        else this.server.sys.close(next);
      }
    }
    const both = accepted >= 0 && this.exchange(fd, accepted);
    sys.close(fd);
    if (accepted >= 0) this.server.sys.close(accepted);
    return both;
  }

  /** Whether bytes still go from client to server and back, unharmed. */
  exchange(near: number, far: number): boolean {
    const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);
    const there = this.carry(this.client, near, this.server, far, bytes);
    return there && this.carry(this.server, far, this.client, near, bytes);
  }

  private carry(from: Stack, out: number, to: Stack, into: number, bytes: Uint8Array): boolean {
    if (from.sys.send(out, bytes) !== bytes.length) return false;
    const got = new Uint8Array(bytes.length);
    for (let at = 0, tries = 0; at < got.length; tries++) {
      if (tries === 100) return false;
      this.pass(50 * MS);
      const n = to.sys.recv(into, got.subarray(at));
      if (n > 0) at += n;
      else if (n !== -11) return false;
    }
    return got.every((byte, i) => byte === bytes[i]);
  }

  /** Closes the world; nothing may be left. */
  end(): void {
    this.world.close();
    this.card.close();
    assert.equal(this.world.pool.inUse, 0, 'packets in use');
    assert.equal(this.server.tcp.context.blocks.inUse, 0, 'blocks in use');
    assert.equal(this.server.host.timers.size, 0, 'timers');
  }

  private hear(packet: Packet): void {
    if (this.quiet) {
      packet.release();
      return;
    }
    const bytes = packet.bytes.slice(packet.start, packet.end);
    packet.release();
    const view = new DataView(bytes.buffer);
    const isTcp = bytes.length >= 34 && view.getUint16(12) === 0x0800 && view.getUint8(23) === 6;
    const l4 = 14 + 4 * (view.getUint8(14) & 15);
    const end = Math.min(bytes.length, 14 + view.getUint16(16));
    const repr = isTcp ? parseTcp(view, l4, end) : null;
    if (repr === null) {
      this.frames.push(bytes);
      return;
    }
    const options = new TcpOptions();
    parseTcpOptions(view, l4 + TCP_HEADER_LENGTH, l4 + repr.headerLength, options);
    this.heard.push({
      from: bytes.subarray(26, 30).join('.'),
      to: bytes.subarray(30, 34).join('.'),
      sport: repr.sourcePort,
      dport: repr.destinationPort,
      seq: repr.seq,
      ack: repr.ack,
      flags: formatTcpFlags(repr.flags),
      window: repr.window,
      length: end - l4 - repr.headerLength,
      options,
    });
  }
}
