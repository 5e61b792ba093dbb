import type { IpSendOptions, TransportProtocol } from '../core/network.ts';
import type { Packet } from '../core/packet.ts';
import type { IpAddress } from '../wire/address.ts';
import type { IpRoute } from './ip-route.ts';
import type { NeighborTable } from './neighbor.ts';
import type { Netif, NetifAddress } from './netif.ts';

/** The transports of a host, by protocol number. */
export type Transports = readonly (TransportProtocol | undefined)[];

/** IPv4 or IPv6, as IpLayer sees either: addresses are always of its own family. */
export interface IpFamily {
  readonly neighbors: NeighborTable;
  /** Takes a packet that begins at `start`. `toGroup`: the frame was for a group, not for our MAC address. */
  receive(packet: Packet, netif: Netif, toGroup: boolean): void;
  /** As IpLayer.route. */
  route(destination: IpAddress, source: IpAddress | null, netif: number): IpRoute | number;
  /** As IpLayer.send. */
  send(packet: Packet, route: IpRoute, protocol: number, options: IpSendOptions): number;
  /** As IpLayer.sendIcmp. */
  sendIcmp(packet: Packet, route: IpRoute, options: IpSendOptions): number;
  /** Tells the sender of a packet to us that nobody listens on its port. The packet stays the caller's. */
  portUnreachable(packet: Packet): void;
  /** As IpLayer.learnPathMtu. */
  learnPathMtu(destination: IpAddress, mtu: number): void;
  /** As IpLayer.isLocal. */
  isLocal(address: IpAddress): boolean;
  addressAdded(netif: Netif, entry: NetifAddress): void;
  addressRemoved(netif: Netif, entry: NetifAddress): void;
  /** The interface was put up or down, its MTU changed, or its cable was put in or pulled out. */
  changed(netif: Netif): void;
  /** Gives back every packet and stops every timer. */
  close(): void;
}
