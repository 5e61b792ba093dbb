import {
  EACCES,
  EADDRINUSE,
  EADDRNOTAVAIL,
  EAGAIN,
  EDESTADDRREQ,
  EINVAL,
  EMSGSIZE,
  ENOBUFS,
  ENODEV,
  EPIPE,
} from '../base/errno.ts';
import { Ring } from '../base/ring.ts';
import type { BoundAddress } from '../core/bound-address.ts';
import type { Host } from '../core/host.ts';
import type { IcmpError, Route } from '../core/network.ts';
import type { Packet } from '../core/packet.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, type ReadyListener } from '../core/readiness.ts';
import type { IpLayer } from '../net/ip-layer.ts';
import type { Netif } from '../net/netif.ts';
import { AF_INET, AF_INET6, ANY_V4, ANY_V6, type IpAddress } from '../wire/address.ts';
import { ipv4Tos, ipv4Ttl } from '../wire/ipv4.ts';
import { ipv6HopLimit, ipv6TrafficClass } from '../wire/ipv6.ts';
import {
  chargeOfDatagram,
  chargeOfError,
  compact,
  type DatagramInfo,
  datagramInfo,
  type QueuedError,
  SO_EE_ORIGIN_ICMP,
  SO_EE_ORIGIN_ICMP6,
  SO_EE_ORIGIN_LOCAL,
} from './received.ts';
import type { DatagramSettings } from './settings.ts';

/** What the layer of a protocol has for its endpoints. */
export interface DatagramLayer {
  readonly host: Host;
  readonly ip: IpLayer;
  /** Settings of a fresh socket, and of an IPv6 one. */
  readonly defaults: DatagramSettings;
  readonly defaults6: DatagramSettings;
}

/** What holds for one datagram alone (Linux's ipcm_cookie). */
export interface SendControl {
  /** An address of ours to send from; null leaves it to the socket. */
  readonly source: IpAddress | null;
  /** Index of the interface to send by; 0 leaves it to the socket. */
  readonly device: number;
  readonly settings: Partial<Pick<DatagramSettings, 'ttl' | 'tos' | 'mtuDiscover'>>;
}

/** A multicast group that a socket has joined. */
interface Membership {
  readonly group: IpAddress;
  readonly netif: Netif;
}

/** One datagram socket without its descriptor: what UDP and ping sockets have in common. */
export abstract class DatagramEndpoint implements BoundAddress {
  user: ReadyListener | null;
  settings: DatagramSettings;
  localAddress: IpAddress = ANY_V4;
  /** Bound to ::, it takes IPv4 as well. */
  dualStack = false;
  /** 0 until it is bound. A ping socket's is the identifier of its echo requests. */
  localPort = 0;
  /** The peer it is connected to. */
  remoteAddress: IpAddress | null = null;
  remotePort = 0;
  protected readonly host: Host;
  readonly ip: IpLayer;
  /** Whether bind() chose the address, and the port: connect(AF_UNSPEC) leaves those alone. */
  private addressBound = false;
  private portBound = false;
  /** What it is bound to when it is bound to nothing. */
  private any: IpAddress = ANY_V4;
  private readonly queue = new Ring<Packet>();
  private readonly errors = new Ring<QueuedError>();
  /** Bytes of memory that both queues are charged. */
  private queued = 0;
  private pendingError = 0;
  private readShut = false;
  private writeShut = false;
  private route: Route | null = null;
  /** Of the datagram that is being sent, when it was given one. */
  private source: IpAddress | null = null;
  private memberships: readonly Membership[] = [];

  constructor(layer: DatagramLayer, user: ReadyListener | null) {
    this.host = layer.host;
    this.ip = layer.ip;
    this.user = user;
    this.settings = layer.defaults;
  }

  /** BoundAddress. */
  get address(): IpAddress {
    return this.localAddress;
  }

  /** Makes a fresh endpoint one for IPv6, with IPv4 as well if `dualStack`. */
  useIpv6(layer: DatagramLayer, dualStack: boolean): void {
    this.settings = layer.defaults6;
    this.any = this.localAddress = ANY_V6;
    this.dualStack = dualStack;
  }

  /** Takes the port, or a free one for 0, and can be found under it from now on. The port, or 0 when it is in use. */
  protected abstract hold(address: IpAddress, port: number): number;
  /** Gives the port up. */
  protected abstract letGo(): void;
  /** The sender's port of a queued datagram; 0 where there are none. */
  protected abstract sourcePort(packet: Packet): number;
  /** Sends bytes[start, end) as one datagram; 0 or -errno. */
  protected abstract transmit(
    route: Route,
    port: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): number;

  /** Bytes of memory that the datagrams not read yet take, as ss shows them. */
  get queuedBytes(): number {
    return this.queued;
  }

  /** bind(2). Port 0 picks one (RFC 6056). -EINVAL when bound already, -EADDRNOTAVAIL, -EADDRINUSE. */
  bind(address: IpAddress, port: number): number {
    if (this.localPort !== 0 || this.addressBound) return -EINVAL;
    if (!this.mayBind(address)) return -EADDRNOTAVAIL;
    const result = this.take(address, port);
    if (result < 0) return result;
    this.addressBound = !address.isUnspecified;
    this.portBound = port !== 0;
    return 0;
  }

  /** Whether datagrams can be sent to the address and come to this host. */
  protected mayBind(address: IpAddress): boolean {
    const { ip } = this;
    return address.isUnspecified || address.isMulticast || ip.isLocal(address) || ip.isBroadcast(address);
  }

  /** connect(2): fixes the peer, and the local address and port where they are open. 0 or -errno. */
  connect(address: IpAddress, port: number): number {
    const source = this.addressBound ? this.localAddress : null;
    const route = this.ip.route(address, source, this.settings.device);
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
    if (!this.addressBound) this.localAddress = this.any;
    if (!this.portBound) {
      this.letGo();
      this.localPort = 0;
    }
  }

  /**
   * Sends bytes[start, end) as one datagram, to `address` or (null) to the connected peer. Returns the number of bytes
   * or -errno: a pending error, -EDESTADDRREQ, -EMSGSIZE, -EACCES (broadcast), -ENETUNREACH, -EPIPE.
   */
  send(bytes: Uint8Array, start: number, end: number, address: IpAddress | null, port: number): number {
    if (this.writeShut) return -EPIPE;
    const destination = address ?? this.remoteAddress;
    if (destination === null) return -EDESTADDRREQ;
    const route = this.routeTo(destination);
    if (typeof route === 'number') return route;
    if (this.pendingError !== 0) return -this.takeError();
    if (this.localPort === 0) {
      const result = this.take(this.localAddress, 0);
      if (result < 0) return -EAGAIN;
    }
    const result = this.transmit(route, address === null ? this.remotePort : port, bytes, start, end);
    return result < 0 ? result : end - start;
  }

  /** As `send`, of a datagram with control data. -EINVAL for another interface than IPv6 is bound to. */
  sendWith(
    control: SendControl,
    bytes: Uint8Array,
    start: number,
    end: number,
    address: IpAddress | null,
    port: number,
  ): number {
    const { settings, route } = this;
    const device = control.device || settings.device;
    const isIpv6 = (address ?? this.remoteAddress)?.family === AF_INET6;
    if (isIpv6 && settings.device !== 0 && device !== settings.device) return -EINVAL;
    const multicastTtl = control.settings.ttl ?? settings.multicastTtl;
    const multicastNetif = control.device || settings.multicastNetif;
    this.settings = { ...settings, ...control.settings, device, multicastTtl, multicastNetif };
    this.source = control.source;
    this.route = null;
    const result = this.send(bytes, start, end, address, port);
    this.settings = settings;
    this.source = null;
    this.route = route;
    return result;
  }

  /**
   * Copies the next datagram into into[start, end) and forgets it unless `peek`. Returns its FULL length, which may be
   * more than what fitted; -1 when none waits (an empty datagram is 0). `info` is filled in when given.
   */
  read(into: Uint8Array, start: number, end: number, peek: boolean, info: DatagramInfo | null): number {
    const packet = this.queue.at(0);
    if (packet === undefined) return -1;
    const length = packet.end - packet.payload;
    const count = Math.min(length, end - start);
    if (count > 0) into.set(packet.bytes.subarray(packet.payload, packet.payload + count), start);
    if (info !== null) this.describe(packet, info);
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
    if (this.pendingError !== 0 || this.errors.length > 0) mask |= POLLERR;
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

  /**
   * The next of the error queue (MSG_ERRQUEUE), which forgets it; null when it is empty. As in Linux the pending error
   * becomes that of the next ICMP error in the queue, and is gone with the last.
   */
  readError(): QueuedError | null {
    const error = this.errors.shift();
    if (error === undefined) return null;
    this.queued -= chargeOfError(error);
    const next = this.errors.at(0);
    if (next !== undefined && next.origin !== SO_EE_ORIGIN_LOCAL) this.pendingError = next.errno;
    else if (error.origin !== SO_EE_ORIGIN_LOCAL) this.pendingError = 0;
    if (next !== undefined) this.user?.ready(POLLERR);
    return error;
  }

  /** Forgets the error queue: IP_RECVERR was turned off. */
  clearErrors(): void {
    for (let error = this.errors.shift(); error !== undefined; error = this.errors.shift())
      this.queued -= chargeOfError(error);
  }

  /**
   * An ICMP error about a datagram of this socket, sent to `port`. With IP_RECVERR the socket hears of every error,
   * connected or not, and its details are queued; without, a connected one hears of those that are final (RFC 1122
   * section 4.1.3.3). `data` is the offset of what is to be queued of the quoted packet.
   */
  hear(error: IcmpError, port: number, data: number): void {
    const tooBig = error.errno === EMSGSIZE;
    if (tooBig && this.settings.mtuDiscover === 'dont') return;
    if (tooBig) this.ip.learnPathMtu(error.dst, error.mtu);
    if (this.settings.recvErr) this.queueError(queuedFrom(error, port, data, this.host.nowUs));
    else if (this.remoteAddress === null || !(tooBig || error.fatal)) return;
    this.fail(error.errno);
  }

  /** SO_BINDTODEVICE: sends and receives by the interface with this index only; 0 for any. */
  useDevice(index: number): void {
    this.settings = { ...this.settings, device: index };
    this.route = null;
  }

  /** IP_MULTICAST_IF: what is sent to groups goes by the interface with this index; 0 leaves it to the routes. */
  useMulticastNetif(index: number): void {
    this.settings = { ...this.settings, multicastNetif: index };
    this.route = null;
  }

  /**
   * Joins a multicast group on the interface with this index; 0: where a packet to it would go. 0, -EINVAL (no group),
   * -ENODEV, -EADDRINUSE (has joined), -ENOBUFS (igmp_max_memberships).
   */
  joinGroup(group: IpAddress, index: number): number {
    if (!group.isMulticast) return -EINVAL;
    const netif = this.netifFor(group, index);
    if (netif === null) return -ENODEV;
    if (this.memberships.some(each => each.netif === netif && each.group.equals(group))) return -EADDRINUSE;
    if (this.memberships.length >= this.host.sysctl.igmp_max_memberships) return -ENOBUFS;
    this.memberships = [...this.memberships, { group, netif }];
    this.ip.joinGroup(netif, group);
    return 0;
  }

  /** Leaves a group. 0, -ENODEV, -EADDRNOTAVAIL (has not joined). */
  leaveGroup(group: IpAddress, index: number): number {
    const netif = index === 0 ? null : this.ip.netif(index);
    if (index !== 0 && netif === null) return -ENODEV;
    const left = this.memberships.find(
      each => each.group.equals(group) && (netif === null || each.netif === netif),
    );
    if (left === undefined) return -EADDRNOTAVAIL;
    this.memberships = this.memberships.filter(each => each !== left);
    this.ip.leaveGroup(left.netif, group);
    return 0;
  }

  private netifFor(group: IpAddress, index: number): Netif | null {
    if (index !== 0) return this.ip.netif(index);
    const route = this.ip.route(group, null, this.settings.device);
    return typeof route === 'number' ? null : this.ip.netif(route.netif);
  }

  /** The largest IP packet that may go by `route` as a whole, in bytes. */
  mtuOf(route: Route): number {
    return this.settings.mtuDiscover === 'probe' ? this.ip.interfaceMtu(route) : route.mtu;
  }

  /**
   * An IP packet is larger than `mtuOf(route)`, and DF is set: with IP_RECVERR the MTU is queued, as Linux does. Returns
   * -EMSGSIZE.
   */
  tooBig(route: Route): number {
    if (!this.settings.recvErr) return -EMSGSIZE;
    const received = { ...datagramInfo(), atUs: this.host.nowUs };
    this.queueError({
      errno: EMSGSIZE,
      origin: SO_EE_ORIGIN_LOCAL,
      type: 0,
      code: 0,
      info: this.mtuOf(route),
      offender: null,
      destination: route.destination,
      port: this.remotePort,
      data: new Uint8Array(0),
      received,
    });
    this.user?.ready(POLLERR);
    return -EMSGSIZE;
  }

  shutdown(read: boolean, write: boolean): void {
    if (read) this.readShut = true;
    if (write) this.writeShut = true;
    this.user?.ready((read ? POLLIN | POLLRDHUP : 0) | (this.readShut && this.writeShut ? POLLHUP : 0));
  }

  /** Gives up the port and what is queued. */
  close(): void {
    this.letGo();
    for (const { group, netif } of this.memberships) this.ip.leaveGroup(netif, group);
    this.memberships = [];
    this.localPort = 0;
    this.user = null;
    this.clearErrors();
    while (this.queue.length > 0) this.drop();
  }

  /** Queues a received datagram (`payload` is set); false when the receive buffer is full: it stays the caller's. */
  protected accept(received: Packet): boolean {
    if (this.queued > this.settings.rcvBuf) return false;
    const packet = compact(received);
    this.queued += chargeOfDatagram(packet);
    this.queue.push(packet);
    this.user?.ready(POLLIN);
    return true;
  }

  private queueError(error: QueuedError): void {
    const charge = chargeOfError(error);
    if (this.queued + charge > this.settings.rcvBuf) {
      this.host.dropped('socket', 'SOCKET_RCVBUFF', 'error queue');
      return;
    }
    this.queued += charge;
    this.errors.push(error);
  }

  private describe(packet: Packet, info: DatagramInfo): void {
    const { view, l3, src } = packet;
    const isV4 = src.family === AF_INET;
    info.address = src;
    info.port = this.sourcePort(packet);
    info.destination = packet.dst;
    info.netif = packet.netif;
    info.ttl = isV4 ? ipv4Ttl(view, l3) : ipv6HopLimit(view, l3);
    info.tos = isV4 ? ipv4Tos(view, l3) : ipv6TrafficClass(view, l3);
    info.atUs = packet.atUs;
  }

  private drop(): void {
    const packet = this.queue.shift();
    if (packet === undefined) return;
    this.queued -= chargeOfDatagram(packet);
    packet.release();
  }

  private take(address: IpAddress, port: number): number {
    const before = this.localAddress;
    this.localAddress = address;
    this.localPort = this.hold(address, port);
    if (this.localPort !== 0) return 0;
    this.localAddress = before;
    return -EADDRINUSE;
  }

  /** The route, from the cache while it holds. */
  private routeTo(destination: IpAddress): Route | number {
    const { ip } = this;
    const cached = this.route;
    if (cached !== null && cached.generation === ip.generation && cached.destination.equals(destination)) {
      return cached;
    }
    const bound =
      this.localAddress.isUnspecified || ip.isBroadcast(this.localAddress) || this.localAddress.isMulticast;
    const source = this.source ?? (bound ? null : this.localAddress);
    const { device, multicastNetif } = this.settings;
    const netif = destination.isMulticast && multicastNetif !== 0 ? multicastNetif : device;
    const route = ip.route(destination, source, netif);
    if (typeof route !== 'number') this.route = route;
    return route;
  }
}

function queuedFrom(error: IcmpError, port: number, data: number, atUs: number): QueuedError {
  const { packet, src, dst, offender } = error;
  return {
    errno: error.errno,
    origin: offender.family === AF_INET ? SO_EE_ORIGIN_ICMP : SO_EE_ORIGIN_ICMP6,
    type: error.type,
    code: error.code,
    info: error.info,
    offender,
    destination: dst,
    port,
    data: packet.bytes.slice(data, Math.max(data, error.end)),
    received: {
      address: offender,
      port: 0,
      destination: src,
      netif: packet.netif,
      ttl: error.ttl,
      tos: error.tos,
      atUs,
    },
  };
}
