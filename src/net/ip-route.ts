import type { Route } from '../core/network.ts';
import type { IpAddress } from '../wire/address.ts';
import type { Neighbor } from './neighbor.ts';
import type { Netif } from './netif.ts';

/** A Route with what the IP layer needs to send by it. */
export class IpRoute implements Route {
  readonly destination: IpAddress;
  readonly source: IpAddress;
  readonly nextHop: IpAddress;
  readonly netif: number;
  readonly mtu: number;
  readonly gsoMaxSize: number;
  readonly kind: Route['kind'];
  readonly generation: number;
  /** The path is narrower than `mtu`, so that routers must be allowed to cut (Linux: the metric is locked). IPv4. */
  narrow = false;
  /** Whether we get ourselves what we send to everyone. IPv4. */
  loopsBack = true;
  advmss = 0;
  /** What the two addresses contribute to a flow label. IPv6. */
  flowSeed = 0;
  /** The outgoing interface. */
  readonly out: Netif;
  /** The next hop's entry in the neighbour table, once looked up. */
  neighbor: Neighbor | null = null;

  constructor(
    destination: IpAddress,
    source: IpAddress,
    nextHop: IpAddress,
    out: Netif,
    mtu: number,
    gsoMaxSize: number,
    kind: Route['kind'],
    generation: number,
  ) {
    this.destination = destination;
    this.source = source;
    this.nextHop = nextHop;
    this.netif = out.index;
    this.out = out;
    this.mtu = mtu;
    this.gsoMaxSize = gsoMaxSize;
    this.kind = kind;
    this.generation = generation;
  }
}
