import type { IpAddress } from '../wire/address.ts';
import { ALL_NODES, SCOPE_INTERFACE } from '../wire/address.ts';
import { Ipv6Address } from './ipv6-address.ts';
import type { Netif } from './netif.ts';

/** A group that an interface is in, and how many reasons there are for it. */
interface Membership {
  readonly group: IpAddress;
  uses: number;
}

/** What is known of the IPv6 of one interface: groups, and what routers said (Linux's inet6_dev). */
export class Ipv6Netif {
  readonly netif: Netif;
  /** Of packets, when the socket does not say. */
  hopLimit: number;
  /** What a router said of the link; 0 when none did. In bytes, and in milliseconds. */
  linkMtu = 0;
  reachableMs = 0;
  retransMs = 0;
  private readonly memberships: Membership[] = [];

  constructor(netif: Netif) {
    this.netif = netif;
    this.hopLimit = netif.host.sysctl.hop_limit;
  }

  /** Takes back what routers said of the link. */
  forgetRouters(): void {
    this.hopLimit = this.netif.host.sysctl.hop_limit;
    this.linkMtu = 0;
    this.reachableMs = 0;
    this.retransMs = 0;
  }

  /** The largest packet, in bytes: the interface's, unless a router says that the link takes less. */
  get mtu(): number {
    const { mtu } = this.netif;
    return this.linkMtu > 0 ? Math.min(mtu, this.linkMtu) : mtu;
  }

  /** Its IPv6 addresses, those not (yet) usable, too. */
  get addresses(): readonly Ipv6Address[] {
    return this.netif.addresses.filter(entry => entry instanceof Ipv6Address);
  }

  /** Its link-local address that may be used; null while there is none. */
  get linkLocal(): IpAddress | null {
    return this.addresses.find(({ address, usable }) => usable && address.isLinkLocal)?.address ?? null;
  }

  /** The entry of an address; null when it has none. */
  find(address: IpAddress): Ipv6Address | null {
    return this.addresses.find(entry => entry.address.equals(address)) ?? null;
  }

  /** The groups it has joined; ff02::1 needs no joining. */
  get groups(): readonly IpAddress[] {
    return this.memberships.map(({ group }) => group);
  }

  /** Whether packets to `group` are taken from this interface. */
  isMember(group: IpAddress): boolean {
    for (const membership of this.memberships) if (membership.group.equals(group)) return true;
    if (group.w3 !== 1 || group.w1 !== 0 || group.w2 !== 0) return false;
    return group.w0 === ALL_NODES.w0 || (group.scope === SCOPE_INTERFACE && this.netif.isLoopback);
  }

  /** Counts one more reason to be in a group; true when it is the first. */
  enter(group: IpAddress): boolean {
    const known = this.memberships.find(other => other.group.equals(group));
    if (known === undefined) this.memberships.push({ group, uses: 1 });
    else known.uses++;
    return known === undefined;
  }

  /** Counts one reason less; true when it was the last. */
  leave(group: IpAddress): boolean {
    const at = this.memberships.findIndex(other => other.group.equals(group));
    const known = this.memberships[at];
    if (known === undefined || --known.uses > 0) return false;
    this.memberships.splice(at, 1);
    return true;
  }
}
