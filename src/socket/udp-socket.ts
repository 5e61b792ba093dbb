import { EAGAIN, EINVAL, EMSGSIZE, ENOTCONN, EOPNOTSUPP } from '../base/errno.ts';
import { IPPROTO_UDP } from '../core/network.ts';
import type { MtuDiscover, UdpSettings } from '../udp/settings.ts';
import type { UdpEndpoint, UdpSource } from '../udp/udp-endpoint.ts';
import { ANY_V4 } from '../wire/address.ts';
import { AF_UNSPEC, MSG_OOB, MSG_PEEK, MSG_TRUNC, SOCK_DGRAM } from './constants.ts';
import type { Out, Sockaddr } from './sockaddr.ts';
import { Socket, type SocketContext, type TransportSettings } from './socket.ts';

/** By IP_PMTUDISC_*; those beyond never set DF. */
const MTU_DISCOVER: readonly MtuDiscover[] = ['dont', 'want', 'do', 'probe'];

/** A SOCK_DGRAM socket. */
export class UdpSocket extends Socket {
  readonly endpoint: UdpEndpoint;

  constructor(context: SocketContext, family: number) {
    super(context, family);
    this.endpoint = context.udp.open(this);
  }

  override get type(): number {
    return SOCK_DGRAM;
  }

  override get protocol(): number {
    return IPPROTO_UDP;
  }

  override get transport(): TransportSettings {
    return this.endpoint.settings;
  }

  override poll(): number {
    return this.endpoint.poll();
  }

  override bind(address: Sockaddr): number {
    return this.endpoint.bind(address.address, address.port);
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
    return this.endpoint.connect(address.address, address.port);
  }

  override send(bytes: Uint8Array, start: number, end: number, flags: number, to: Sockaddr | null): number {
    if ((flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    if (end - start > 0xffff) return -EMSGSIZE;
    return this.endpoint.send(bytes, start, end, to?.address ?? null, to?.port ?? 0);
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
    const { endpoint } = this;
    const error = endpoint.takeError();
    if (error !== 0) return -error;
    const source: UdpSource | null = from === null ? null : { address: ANY_V4, port: 0 };
    const length = endpoint.read(into, start, end, (flags & MSG_PEEK) !== 0, source);
    if (length < 0) return endpoint.eof ? 0 : -EAGAIN;
    if (from !== null && source !== null) {
      from.value = { family: source.address.family, address: source.address, port: source.port };
    }
    return (flags & MSG_TRUNC) !== 0 ? length : Math.min(length, end - start);
  }

  override shutdown(read: boolean, write: boolean): number {
    this.endpoint.shutdown(read, write);
    return this.endpoint.remoteAddress === null ? -ENOTCONN : 0;
  }

  override localName(): Sockaddr {
    const { localAddress, localPort } = this.endpoint;
    return { family: this.family, address: localAddress, port: localPort };
  }

  override peerName(): Sockaddr | null {
    const { remoteAddress, remotePort } = this.endpoint;
    return remoteAddress === null ? null : { family: this.family, address: remoteAddress, port: remotePort };
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
  change(change: Partial<UdpSettings>): void {
    this.endpoint.settings = { ...this.endpoint.settings, ...change };
  }

  override optionsChanged(): void {
    const { reuseAddress, reusePort, broadcast, mtuDiscover } = this.options;
    this.change({ reuseAddress, reusePort, broadcast, mtuDiscover: MTU_DISCOVER[mtuDiscover] ?? 'dont' });
  }

  protected override release(): void {
    this.endpoint.close();
  }
}
