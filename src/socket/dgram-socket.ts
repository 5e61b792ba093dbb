import { EAGAIN, EINVAL, EMSGSIZE, ENETUNREACH, ENOTCONN, EOPNOTSUPP } from '../base/errno.ts';
import { IPPROTO_UDP } from '../core/network.ts';
import type { DatagramEndpoint } from '../datagram/datagram-endpoint.ts';
import { datagramInfo, SO_EE_ORIGIN_LOCAL } from '../datagram/received.ts';
import type { DatagramSettings, MtuDiscover } from '../datagram/settings.ts';
import { AF_INET6, AF_UNSPEC, MSG_ERRQUEUE, MSG_OOB, MSG_PEEK, MSG_TRUNC, SOCK_DGRAM } from './constants.ts';
import { addControl, type ControlMessage, errorControl, MessageOut } from './control.ts';
import { parseSendControl } from './send-control.ts';
import { type Out, type Sockaddr, sockaddrOf } from './sockaddr.ts';
import { Socket, type SocketContext, type SocketOptions, type TransportSettings } from './socket.ts';

/** By IP_PMTUDISC_*; those beyond never set DF. */
const MTU_DISCOVER: readonly MtuDiscover[] = ['dont', 'want', 'do', 'probe'];

const PING_OPTIONS: Partial<SocketOptions> = { reuseAddress: true };

/** A SOCK_DGRAM socket: UDP, or ICMP echo. */
export class DgramSocket extends Socket {
  readonly endpoint: DatagramEndpoint;
  override readonly protocol: number;

  /** `protocol` is IPPROTO_UDP, IPPROTO_ICMP or IPPROTO_ICMPV6. */
  constructor(context: SocketContext, family: number, protocol: number) {
    super(context, family);
    this.protocol = protocol;
    const layer = protocol === IPPROTO_UDP ? context.udp : context.ping;
    this.endpoint = layer.open(this);
    if (family === AF_INET6) this.endpoint.useIpv6(layer, this.isDualStack && protocol === IPPROTO_UDP);
    if (this.endpoint.settings.reuseAddress) this.options = { ...this.options, ...PING_OPTIONS };
  }

  override get type(): number {
    return SOCK_DGRAM;
  }

  override get transport(): TransportSettings {
    return this.endpoint.settings;
  }

  override poll(): number {
    return this.endpoint.poll();
  }

  override bind(address: Sockaddr): number {
    if (!this.mayReach(address.address)) return -EINVAL;
    return this.endpoint.bind(address.address.toUnmapped(), address.port);
  }

  override listen(): number {
    return -EOPNOTSUPP;
  }

  override accept(): number {
    return -EOPNOTSUPP;
  }

  override connect(address: Sockaddr): number {
    if (address.family === AF_UNSPEC) {
      this.endpoint.disconnect();
      return 0;
    }
    if (!this.mayReach(address.address)) return -ENETUNREACH;
    return this.endpoint.connect(address.address.toUnmapped(), address.port);
  }

  override send(bytes: Uint8Array, start: number, end: number, flags: number, to: Sockaddr | null): number {
    if ((flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    if (end - start > 0xffff) return -EMSGSIZE;
    if (to !== null && !this.mayReach(to.address)) return -ENETUNREACH;
    return this.endpoint.send(bytes, start, end, to?.address.toUnmapped() ?? null, to?.port ?? 0);
  }

  /** As `send`, with the control data of sendmsg(2). */
  sendWith(
    control: readonly ControlMessage[],
    bytes: Uint8Array,
    flags: number,
    to: Sockaddr | null,
  ): number {
    if ((flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    if (bytes.length > 0xffff) return -EMSGSIZE;
    if (to !== null && !this.mayReach(to.address)) return -ENETUNREACH;
    const { endpoint, family } = this;
    const address = to?.address.toUnmapped() ?? null;
    const overIpv6 = ((address ?? endpoint.remoteAddress)?.family ?? family) === AF_INET6;
    const parsed = parseSendControl(control, family, overIpv6, endpoint.ip);
    if (typeof parsed === 'number') return parsed;
    return endpoint.sendWith(parsed, bytes, 0, bytes.length, address, to?.port ?? 0);
  }

  /** With MSG_TRUNC returns the datagram's full length, as recv(2) says. */
  override receive(
    into: Uint8Array,
    start: number,
    end: number,
    flags: number,
    from: Out<Sockaddr> | null,
  ): number {
    if ((flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    if ((flags & MSG_ERRQUEUE) !== 0) return this.receiveError(into, start, end, flags, from);
    const { endpoint } = this;
    const error = endpoint.takeError();
    if (error !== 0) return -error;
    const info = from === null ? null : datagramInfo();
    const length = endpoint.read(into, start, end, (flags & MSG_PEEK) !== 0, info);
    if (length < 0) return endpoint.eof ? 0 : -EAGAIN;
    if (from !== null && info !== null) {
      from.value = sockaddrOf(this.family, info.address, info.port);
      if (from instanceof MessageOut) addControl(from.control, this, info, endpoint.ip);
    }
    return (flags & MSG_TRUNC) !== 0 ? length : Math.min(length, end - start);
  }

  /** MSG_ERRQUEUE: what came back of the datagram, where it was sent to, and why it failed. */
  private receiveError(
    into: Uint8Array,
    start: number,
    end: number,
    flags: number,
    from: Out<Sockaddr> | null,
  ): number {
    const { endpoint, family } = this;
    const error = endpoint.readError();
    if (error === null) return -EAGAIN;
    const { data, destination: address, port, received } = error;
    const count = Math.min(data.length, end - start);
    into.set(data.subarray(0, count), start);
    if (from !== null) from.value = sockaddrOf(family, address, port);
    if (from instanceof MessageOut) {
      from.flags |= MSG_ERRQUEUE;
      if (error.origin !== SO_EE_ORIGIN_LOCAL) addControl(from.control, this, received, endpoint.ip);
      from.control.push(errorControl(error, family));
    }
    return (flags & MSG_TRUNC) !== 0 ? data.length : count;
  }

  override shutdown(read: boolean, write: boolean): number {
    this.endpoint.shutdown(read, write);
    return this.endpoint.remoteAddress === null ? -ENOTCONN : 0;
  }

  override localName(): Sockaddr {
    const { localAddress, localPort } = this.endpoint;
    return sockaddrOf(this.family, localAddress, localPort);
  }

  override peerName(): Sockaddr | null {
    const { remoteAddress, remotePort } = this.endpoint;
    return remoteAddress === null ? null : sockaddrOf(this.family, remoteAddress, remotePort);
  }

  override takeError(): number {
    return this.endpoint.takeError();
  }

  override readableBytes(): number {
    return Math.max(0, this.endpoint.nextLength);
  }

  override outq(): number {
    return 0;
  }

  override outqNotSent(): number {
    return -EINVAL;
  }

  override get isBound(): boolean {
    return this.endpoint.localPort !== 0;
  }

  override get pathMtu(): number {
    return this.endpoint.pathMtu;
  }

  override changeTransport(change: Partial<TransportSettings>): void {
    this.change(change);
  }

  override setBuffer(which: 'sndBuf' | 'rcvBuf', bytes: number): void {
    this.change({ [which]: bytes });
  }

  /** Changes settings of this socket alone. */
  change(change: Partial<DatagramSettings>): void {
    this.endpoint.settings = { ...this.endpoint.settings, ...change };
  }

  /** The interface it is bound to by SO_BINDTODEVICE; '' for none. */
  get device(): string {
    const { endpoint } = this;
    return endpoint.ip.netif(endpoint.settings.device)?.name ?? '';
  }

  /** SO_BINDTODEVICE: '' for any interface. False when there is none of this name. */
  useDevice(name: string): boolean {
    const index = name === '' ? 0 : this.endpoint.ip.netif(name)?.index;
    if (index === undefined) return false;
    this.endpoint.useDevice(index);
    return true;
  }

  override optionsChanged(): void {
    const { reuseAddress, reusePort, broadcast, mtuDiscover, dontFrag, recvErr } = this.options;
    const discover = MTU_DISCOVER[mtuDiscover] ?? 'dont';
    if (!this.isBound) this.endpoint.dualStack = this.isDualStack && this.protocol === IPPROTO_UDP;
    this.change({
      reuseAddress,
      reusePort,
      broadcast,
      mtuDiscover: dontFrag && discover !== 'probe' ? 'do' : discover,
      recvErr,
    });
    if (!recvErr) this.endpoint.clearErrors();
  }

  protected override release(): void {
    this.endpoint.close();
  }
}
