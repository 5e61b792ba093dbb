import { EINVAL } from '../base/errno.ts';
import type { Route } from '../core/network.ts';
import type { Packet } from '../core/packet.ts';
import type { ReadyListener } from '../core/readiness.ts';
import { DatagramEndpoint } from '../datagram/datagram-endpoint.ts';
import type { IpAddress } from '../wire/address.ts';
import { udpSourcePort } from '../wire/udp.ts';
import type { UdpLayer } from './udp-layer.ts';

/** One UDP socket without its descriptor. */
export class UdpEndpoint extends DatagramEndpoint {
  private readonly layer: UdpLayer;

  constructor(layer: UdpLayer, user: ReadyListener | null) {
    super(layer, user);
    this.layer = layer;
  }

  /** As `DatagramEndpoint.send`; -EINVAL for port 0. */
  override send(
    bytes: Uint8Array,
    start: number,
    end: number,
    address: IpAddress | null,
    port: number,
  ): number {
    if (address !== null && port === 0) return -EINVAL;
    return super.send(bytes, start, end, address, port);
  }

  /** Takes a received datagram; drops it when the receive buffer is full. */
  enqueue(packet: Packet): void {
    const counters = this.layer.countersOf(packet.dst);
    if (this.accept(packet)) {
      counters.InDatagrams++;
      return;
    }
    counters.RcvbufErrors++;
    counters.InErrors++;
    this.host.dropped('udp', 'SOCKET_RCVBUFF');
    packet.release();
  }

  protected override hold(address: IpAddress, port: number): number {
    const { ports, host } = this.layer;
    const range = host.sysctl.ip_local_port_range;
    const chosen = port === 0 ? ports.pick(this, address, range, host.random32()) : port;
    if (chosen === 0 || (port !== 0 && ports.conflicts(this, address, port))) return 0;
    this.localPort = chosen;
    ports.add(this);
    return chosen;
  }

  protected override letGo(): void {
    this.layer.ports.remove(this);
  }

  protected override sourcePort(packet: Packet): number {
    return udpSourcePort(packet.view, packet.l4);
  }

  protected override transmit(
    route: Route,
    port: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): number {
    return this.layer.transmit(this, route, port, bytes, start, end);
  }
}
