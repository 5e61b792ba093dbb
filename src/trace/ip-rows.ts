/**
 * Interfaces, addresses, routes and neighbours as plain values: what a stack tells of them, and `ip` prints.
 * @module
 */

/** One interface of `ip addr`. */
export interface InterfaceRow {
  readonly index: number;
  readonly name: string;
  /** 'UP', 'LOWER_UP', 'LOOPBACK' ... */
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly state: 'UP' | 'DOWN' | 'UNKNOWN';
  /** 'ether', 'loopback', or 'none' where there are no hardware addresses. */
  readonly kind: 'ether' | 'loopback' | 'none';
  /** The hardware address; '' where there is none. */
  readonly mac: string;
  readonly addresses: readonly AddressRow[];
}

/** One address of `ip addr`. */
export interface AddressRow {
  readonly family: 4 | 6;
  readonly address: string;
  readonly prefixLength: number;
  /** '' where there is none. */
  readonly broadcast: string;
  readonly scope: 'global' | 'site' | 'link' | 'host';
  /** As ip has them: 'temporary', 'optimistic', 'dadfailed', 'deprecated', 'tentative', 'dynamic', 'stable-privacy'. */
  readonly flags: readonly string[];
  /** Seconds that are left; null for ever. */
  readonly validSeconds: number | null;
  readonly preferredSeconds: number | null;
}

/** One line of `ip route`. */
export interface RouteRow {
  readonly family: 4 | 6;
  /** 'default', '10.65.0.0/24'. */
  readonly destination: string;
  /** '' when the destination is on the link. */
  readonly gateway: string;
  readonly netif: string;
  readonly protocol: 'kernel' | 'ra' | 'dhcp' | 'static';
  /** The source address to prefer; '' leaves it to the interface. */
  readonly source: string;
  readonly metric: number;
  /** Seconds until a router's word is over; null for ever. */
  readonly expiresSeconds: number | null;
}

/** One line of `ip neigh`. */
export interface NeighborRow {
  readonly family: 4 | 6;
  readonly address: string;
  readonly netif: string;
  /** '' when it is not known. */
  readonly mac: string;
  readonly router: boolean;
  /** Linux's NUD states: 'INCOMPLETE', 'REACHABLE', 'STALE', 'DELAY', 'PROBE', 'FAILED', 'PERMANENT'. */
  readonly state: string;
}
