import { EACCES, EADDRINUSE, EADDRNOTAVAIL, EAGAIN, EDESTADDRREQ, EINVAL, EPIPE } from '../base/errno.ts';
import { Ring } from '../base/ring.ts';
import type { Route } from '../core/network.ts';
import { Packet, type PacketOwner } from '../core/packet.ts';
import { SMALL_SLOT } from '../core/pool.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, type ReadyListener } from '../core/readiness.ts';
import { ANY_V4, type IpAddress } from '../wire/address.ts';
import { sum16 } from '../wire/checksum.ts';
import { udpSourcePort } from '../wire/udp.ts';
import type { UdpSettings } from './settings.ts';
import type { UdpLayer } from './udp-layer.ts';

/** Bytes of book-keeping that a queued datagram is charged besides its slot, as Linux charges its sk_buff. */
const DATAGRAM_OVERHEAD = 256;

/** Who sent a datagram. */
export interface UdpSource {
  address: IpAddress;
  port: number;
}

/** One UDP socket without its descriptor. */
export class UdpEndpoint {
  private readonly layer: UdpLayer;
  user: ReadyListener | null;
  settings: UdpSettings;
  localAddress: IpAddress = ANY_V4;
  /** 0 until it is bound. */
  localPort = 0;
  /** The peer it is connected to. */
  remoteAddress: IpAddress | null = null;
  remotePort = 0;
  /** Whether bind() chose the address, and the port: connect(AF_UNSPEC) leaves those alone. */
  private addressBound = false;
  private portBound = false;
  private readonly queue = new Ring<Packet>();
  /** Bytes of memory that `queue` is charged. */
  private queued = 0;
  private pendingError = 0;
  private readShut = false;
  private writeShut = false;
  private route: Route | null = null;

  constructor(layer: UdpLayer, user: ReadyListener | null) {
    this.layer = layer;
    this.user = user;
    this.settings = layer.defaults;
  }

  /** bind(2). Port 0 picks one (RFC 6056). -EINVAL when bound already, -EADDRNOTAVAIL, -EADDRINUSE. */
  bind(address: IpAddress, port: number): number {
    if (this.localPort !== 0 || this.addressBound) return -EINVAL;
    const { ip } = this.layer;
    const ours =
      address.isUnspecified || address.isMulticast || ip.isLocal(address) || ip.isBroadcast(address);
    if (!ours) return -EADDRNOTAVAIL;
    const result = this.take(address, port);
    if (result < 0) return result;
    this.addressBound = !address.isUnspecified;
    this.portBound = port !== 0;
    return 0;
  }

  /** connect(2): fixes the peer, and the local address and port where they are open. 0 or -errno. */
  connect(address: IpAddress, port: number): number {
    const source = this.addressBound ? this.localAddress : null;
    const route = this.layer.ip.route(address, source);
    if (typeof route === 'number') return route;
    if (route.kind === 'broadcast' && !this.settings.broadcast) return -EACCES;
    if (this.localPort === 0) {
      const result = this.take(route.source, 0);
      if (result < 0) return -EADDRINUSE;
    }
    if (!this.addressBound) this.localAddress = route.source;
    this.remoteAddress = address;
    this.remotePort = port;
    this.route = route;
    return 0;
  }

  /** connect(2) with AF_UNSPEC: forgets the peer, and what connect() had chosen. */
  disconnect(): void {
    this.remoteAddress = null;
    this.remotePort = 0;
    this.route = null;
    if (!this.addressBound) this.localAddress = ANY_V4;
    if (!this.portBound) {
      this.layer.ports.remove(this);
      this.localPort = 0;
    }
  }

  /**
   * Sends bytes[start, end) as one datagram, to `address` or (null) to the connected peer. Returns the number of bytes
   * or -errno: a pending error, -EDESTADDRREQ, -EMSGSIZE, -EACCES (broadcast), -ENETUNREACH, -EPIPE.
   */
  send(bytes: Uint8Array, start: number, end: number, address: IpAddress | null, port: number): number {
    if (this.writeShut) return -EPIPE;
    if (address === null && this.remoteAddress === null) return -EDESTADDRREQ;
    if (address !== null && port === 0) return -EINVAL;
    const destination = address ?? (this.remoteAddress as IpAddress);
    const route = this.routeTo(destination);
    if (typeof route === 'number') return route;
    if (this.pendingError !== 0) return -this.takeError();
    if (this.localPort === 0) {
      const result = this.take(this.localAddress, 0);
      if (result < 0) return -EAGAIN;
    }
    const to = address === null ? this.remotePort : port;
    const result = this.layer.transmit(this, route, to, bytes, start, end);
    return result < 0 ? result : end - start;
  }

  /**
   * Copies the next datagram into into[start, end) and forgets it unless `peek`. Returns its FULL length, which may be
   * more than what fitted; -1 when none waits (an empty datagram is 0). `from` is filled in when given.
   */
  read(into: Uint8Array, start: number, end: number, peek: boolean, from: UdpSource | null): number {
    const packet = this.queue.at(0);
    if (packet === undefined) return -1;
    const length = packet.end - packet.payload;
    const count = Math.min(length, end - start);
    if (count > 0) into.set(packet.bytes.subarray(packet.payload, packet.payload + count), start);
    if (from !== null) {
      from.address = packet.src;
      from.port = udpSourcePort(packet.view, packet.l4);
    }
    if (!peek) this.drop();
    return length;
  }

  /** Bytes of the next datagram, or -1 when none waits (FIONREAD says 0 then). */
  get nextLength(): number {
    const packet = this.queue.at(0);
    return packet === undefined ? -1 : packet.end - packet.payload;
  }

  /** The largest IP packet to the connected peer, in bytes; 0 when not connected. */
  get pathMtu(): number {
    if (this.remoteAddress === null) return 0;
    const route = this.routeTo(this.remoteAddress);
    return typeof route === 'number' ? 0 : route.mtu;
  }

  /** recv returns 0 once the queue is empty. */
  get eof(): boolean {
    return this.readShut;
  }

  /** poll(2)'s bits now. */
  poll(): number {
    let mask = POLLOUT;
    if (this.queue.length > 0 || this.readShut) mask |= POLLIN;
    if (this.readShut) mask |= POLLRDHUP;
    if (this.readShut && this.writeShut) mask |= POLLHUP;
    if (this.pendingError !== 0) mask |= POLLERR;
    return mask;
  }

  /** The pending error (SO_ERROR), positive; clears it. */
  takeError(): number {
    const error = this.pendingError;
    this.pendingError = 0;
    return error;
  }

  /** Sets the pending error; wakes everyone. */
  fail(errno: number): void {
    this.pendingError = errno;
    this.user?.ready(POLLERR);
  }

  shutdown(read: boolean, write: boolean): void {
    if (read) this.readShut = true;
    if (write) this.writeShut = true;
    this.user?.ready((read ? POLLIN | POLLRDHUP : 0) | (this.readShut && this.writeShut ? POLLHUP : 0));
  }

  /** Gives up the port and what is queued. */
  close(): void {
    this.layer.ports.remove(this);
    this.localPort = 0;
    this.user = null;
    while (this.queue.length > 0) this.drop();
  }

  /** Takes a received datagram; drops it when the receive buffer is full. */
  enqueue(received: Packet): void {
    const { host } = this.layer;
    if (this.queued > this.settings.rcvBuf) {
      host.mib.Udp.RcvbufErrors++;
      host.mib.Udp.InErrors++;
      host.dropped('udp', 'SOCKET_RCVBUFF');
      received.release();
      return;
    }
    const packet = compact(received);
    this.queued += chargeOf(packet);
    this.queue.push(packet);
    host.mib.Udp.InDatagrams++;
    this.user?.ready(POLLIN);
  }

  private drop(): void {
    const packet = this.queue.shift();
    if (packet === undefined) return;
    this.queued -= chargeOf(packet);
    packet.release();
  }

  private take(address: IpAddress, port: number): number {
    const { layer } = this;
    const { ip_local_port_range } = layer.host.sysctl;
    const chosen =
      port === 0 ? layer.ports.pick(this, address, ip_local_port_range, layer.host.random32()) : port;
    if (chosen === 0 || (port !== 0 && layer.ports.conflicts(this, address, port))) return -EADDRINUSE;
    this.localAddress = address;
    this.localPort = chosen;
    layer.ports.add(this);
    return 0;
  }

  /** The route, from the cache while it holds. */
  private routeTo(destination: IpAddress): Route | number {
    const { ip } = this.layer;
    const cached = this.route;
    if (cached !== null && cached.generation === ip.generation && cached.destination.equals(destination)) {
      return cached;
    }
    const bound =
      this.localAddress.isUnspecified || ip.isBroadcast(this.localAddress) || this.localAddress.isMulticast;
    const route = ip.route(destination, bound ? null : this.localAddress);
    if (typeof route !== 'number') this.route = route;
    return route;
  }
}

/** Memory outside the pool, collected by the engine. */
const HEAP: PacketOwner = {
  take: () => null,
  recycle() {},
  sum: (packet, start, end, initial) => sum16(packet.bytes, start, end, initial),
};

/** A datagram that fills less than half of a large slot moves to memory of its size, so that the slot is free again. */
function compact(packet: Packet): Packet {
  const length = packet.end - packet.l4;
  if (packet.bytes.length <= SMALL_SLOT || length * 2 > packet.bytes.length) return packet;
  const copy = new Packet(HEAP, packet.bytes.slice(packet.l4, packet.end));
  copy.start = 0;
  copy.l4 = 0;
  copy.payload = packet.payload - packet.l4;
  copy.end = length;
  copy.src = packet.src;
  copy.dst = packet.dst;
  packet.release();
  return copy;
}

function chargeOf(packet: Packet): number {
  return packet.bytes.length + DATAGRAM_OVERHEAD;
}
