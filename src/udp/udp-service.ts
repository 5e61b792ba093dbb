import type { Route } from '../core/network.ts';
import type { ReadyListener } from '../core/readiness.ts';
import { Alarm } from '../core/timers.ts';
import { type DatagramInfo, datagramInfo } from '../datagram/received.ts';
import { AF_INET6, type IpAddress } from '../wire/address.ts';
import type { UdpEndpoint } from './udp-endpoint.ts';
import type { UdpLayer } from './udp-layer.ts';

/** Bytes of the longest datagram that is looked at. */
const DATAGRAM_MAX = 4096;
/** Datagrams handed on before others have their turn. */
const BUDGET = 32;

/**
 * A UDP port that the stack itself uses, on one interface. What arrives is handed to a function, never from inside the
 * processing of a packet.
 */
export class UdpService implements ReadyListener {
  private readonly layer: UdpLayer;
  private readonly endpoint: UdpEndpoint;
  private readonly handle: (datagram: Uint8Array, from: DatagramInfo) => void;
  private readonly alarm = new Alarm(() => this.drain());
  private readonly buffer = new Uint8Array(DATAGRAM_MAX);

  /** `handle` is lent the datagram's bytes for the time of the call. */
  constructor(layer: UdpLayer, handle: (datagram: Uint8Array, from: DatagramInfo) => void) {
    this.layer = layer;
    this.handle = handle;
    this.endpoint = layer.open(this);
  }

  /** Binds it to any address (`any`: 0.0.0.0 or ::) on the interface with index `netif`. 0 or -EADDRINUSE. */
  open(any: IpAddress, port: number, netif: number): number {
    const { endpoint, layer } = this;
    if (any.family === AF_INET6) endpoint.useIpv6(layer, false);
    endpoint.settings = { ...endpoint.settings, broadcast: true, device: netif };
    return endpoint.bind(any, port);
  }

  /** Sends a datagram to a port; 0 or -errno. */
  send(datagram: Uint8Array, address: IpAddress, port: number): number {
    return Math.min(this.endpoint.send(datagram, 0, datagram.length, address, port), 0);
  }

  /** Sends a datagram by a route of the caller's choice; 0 or -errno. */
  sendBy(route: Route, datagram: Uint8Array, port: number): number {
    return this.layer.transmit(this.endpoint, route, port, datagram, 0, datagram.length);
  }

  /** Gives up the port. */
  close(): void {
    this.layer.host.timers.delete(this.alarm);
    this.endpoint.close();
  }

  /** ReadyListener. */
  ready(): void {
    const { timers, nowUs } = this.layer.host;
    if (!this.alarm.armed) timers.set(this.alarm, nowUs);
  }

  private drain(): void {
    const { endpoint, buffer } = this;
    endpoint.takeError();
    const info = datagramInfo();
    for (let count = 0; count < BUDGET; count++) {
      const length = endpoint.read(buffer, 0, buffer.length, false, info);
      if (length < 0) return;
      if (length <= buffer.length) this.handle(buffer.subarray(0, length), info);
    }
    this.ready();
  }
}
