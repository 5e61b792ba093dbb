import { EINVAL } from '../base/errno.ts';
import type { Route } from '../core/network.ts';
import type { Packet } from '../core/packet.ts';
import type { ReadyListener } from '../core/readiness.ts';
import { DatagramEndpoint } from '../datagram/datagram-endpoint.ts';
import type { IpAddress } from '../wire/address.ts';
import { ICMP4_HEADER_LENGTH } from '../wire/icmp4.ts';
import { echoType } from './echo-type.ts';
import type { PingLayer } from './ping-layer.ts';

/**
 * One ping socket without its descriptor (Linux's SOCK_DGRAM with IPPROTO_ICMP). It sends echo requests, whose
 * identifier is its local port, and receives the replies, both from the ICMP header on.
 */
export class PingEndpoint extends DatagramEndpoint {
  private readonly layer: PingLayer;

  constructor(layer: PingLayer, user: ReadyListener | null) {
    super(layer, user);
    this.layer = layer;
  }

  /**
   * Sends the message bytes[start, end), as `DatagramEndpoint.send`: the sequence number is the caller's, identifier
   * and checksum are filled in. -EINVAL for what is no echo request. The port means nothing.
   */
  override send(
    bytes: Uint8Array,
    start: number,
    end: number,
    address: IpAddress | null,
    port: number,
  ): number {
    if (end - start < ICMP4_HEADER_LENGTH) return -EINVAL;
    if (bytes[start] !== echoType(this.localAddress) || bytes[start + 1] !== 0) return -EINVAL;
    return super.send(bytes, start, end, address, port);
  }

  /** Takes an echo reply; drops it when the receive buffer is full. */
  enqueue(packet: Packet): void {
    packet.payload = packet.l4;
    if (this.accept(packet)) return;
    this.host.dropped('icmp', 'SOCKET_RCVBUFF');
    packet.release();
  }

  /** As in Linux, for the address of many is nobody's source. */
  protected override mayBind(address: IpAddress): boolean {
    return address.isUnspecified || this.ip.isLocal(address);
  }

  protected override hold(_address: IpAddress, port: number): number {
    const { ids } = this.layer;
    if (port !== 0 && ids.conflicts(this, port)) return 0;
    const id = port === 0 ? ids.pick(this.host.random32()) : port;
    if (id !== 0) ids.add(this, id);
    return id;
  }

  protected override letGo(): void {
    this.layer.ids.remove(this, this.localPort);
  }

  protected override sourcePort(): number {
    return 0;
  }

  protected override transmit(
    route: Route,
    _port: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): number {
    return this.layer.transmit(this, route, bytes, start, end);
  }
}
