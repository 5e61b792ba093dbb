/**
 * Interfaces with their addresses, routes and neighbours, as `ip addr`, `ip route` and `ip neigh` show them.
 * @module
 */
import type { IpLayer } from '../net/ip-layer.ts';
import { Ipv6Address } from '../net/ipv6-address.ts';
import type { Netif, NetifAddress } from '../net/netif.ts';
import type { AddressRow, InterfaceRow, NeighborRow, RouteRow } from '../trace/ip-rows.ts';
import { AF_INET, formatMac, type IpAddress, SCOPE_LINK, SCOPE_SITE } from '../wire/address.ts';

/** Until when an address was granted to an interface by a server, in microseconds; Infinity when it was not. */
export type LeaseEnd = (netif: Netif, address: IpAddress) => number;

/** Every interface, 'lo' first. `nowUs` in microseconds, as all times of the host. */
export function interfaceRows(ip: IpLayer, leaseEnd: LeaseEnd, nowUs: number): InterfaceRow[] {
  return ip.netifs.map(netif => {
    const { index, name, link, isLoopback, up, hasCarrier, mtu, addresses } = netif;
    const state = isLoopback ? 'UNKNOWN' : up && hasCarrier ? 'UP' : 'DOWN';
    return {
      index,
      name,
      flags: flagsOf(netif),
      mtu,
      state,
      kind: isLoopback ? 'loopback' : link.mac === null ? 'none' : 'ether',
      mac: isLoopback || link.mac === null ? '' : formatMac(link.mac),
      addresses: addresses.map(entry => {
        if (entry instanceof Ipv6Address) return addressRow6(entry, nowUs);
        return addressRow4(entry, isLoopback, leaseEnd(netif, entry.address), nowUs);
      }),
    };
  });
}

/** Every route of both families, IPv4 first, each in the order in which they are looked at. */
export function routeRows(ip: IpLayer, nowUs: number): RouteRow[] {
  const rows = ip.routes.list().map(entry => {
    const { destination, prefixLength, gateway, netif, protocol, source, metric } = entry;
    const untilUs = protocol === 'ra' ? ip.ipv6.routeEndUs(entry) : Number.POSITIVE_INFINITY;
    return {
      family: familyOf(destination),
      destination: prefixLength === 0 ? 'default' : prefixText(destination, prefixLength),
      gateway: gateway === null ? '' : String(gateway.withZone(0)),
      netif: ip.netif(netif)?.name ?? String(netif),
      protocol,
      source: source === null ? '' : String(source.withZone(0)),
      metric,
      expiresSeconds: secondsLeft(untilUs, nowUs),
    };
  });
  return rows.sort((a, b) => a.family - b.family);
}

/** Every neighbour of both families, IPv4 first. */
export function neighborRows(ip: IpLayer): NeighborRow[] {
  return [...ip.ipv4.neighbors.list(), ...ip.ipv6.neighbors.list()].map(
    ({ address, netif, mac, isRouter, state }) => ({
      family: familyOf(address),
      address: String(address.withZone(0)),
      netif: netif.name,
      mac,
      router: isRouter,
      state,
    }),
  );
}

function flagsOf({ isLoopback, link, up, hasCarrier }: Netif): string[] {
  const kind = isLoopback
    ? ['LOOPBACK']
    : link.medium === 'ethernet'
      ? ['BROADCAST', 'MULTICAST']
      : ['POINTOPOINT', 'MULTICAST', 'NOARP'];
  const missing = up && !hasCarrier ? ['NO-CARRIER'] : [];
  return [...missing, ...kind, ...(up ? ['UP'] : []), ...(up && hasCarrier ? ['LOWER_UP'] : [])];
}

function addressRow4(entry: NetifAddress, isLoopback: boolean, untilUs: number, nowUs: number): AddressRow {
  const { address, prefixLength, broadcast } = entry;
  const seconds = secondsLeft(untilUs, nowUs);
  return {
    family: 4,
    address: String(address),
    prefixLength,
    broadcast: broadcast === null || isLoopback ? '' : String(broadcast),
    scope: scopeOf(address),
    flags: seconds === null ? [] : ['dynamic'],
    validSeconds: seconds,
    preferredSeconds: seconds,
  };
}

function addressRow6(entry: Ipv6Address, nowUs: number): AddressRow {
  const { address, prefixLength, validUntilUs, preferredUntilUs } = entry;
  return {
    family: 6,
    address: String(address.withZone(0)),
    prefixLength,
    broadcast: '',
    scope: scopeOf(address),
    flags: addressFlags(entry, nowUs),
    validSeconds: secondsLeft(validUntilUs, nowUs),
    preferredSeconds: secondsLeft(preferredUntilUs, nowUs),
  };
}

/** In the order of iproute2. A duplicate is tentative for ever. */
function addressFlags(entry: Ipv6Address, nowUs: number): string[] {
  const { origin, check, validUntilUs } = entry;
  const flags: readonly (readonly [string, boolean])[] = [
    ['temporary', origin === 'temporary'],
    ['optimistic', check === 'optimistic'],
    ['dadfailed', check === 'duplicate'],
    ['deprecated', entry.isDeprecated(nowUs)],
    ['tentative', check !== 'done'],
    ['dynamic', validUntilUs !== Number.POSITIVE_INFINITY],
    ['stable-privacy', origin === 'slaac' || origin === 'link-local'],
  ];
  return flags.filter(([, holds]) => holds).map(([name]) => name);
}

function scopeOf(address: IpAddress): AddressRow['scope'] {
  if (address.isLoopback) return 'host';
  if (address.scope === SCOPE_LINK) return 'link';
  return address.scope === SCOPE_SITE ? 'site' : 'global';
}

/** A route to one host stands there without a length. */
function prefixText(destination: IpAddress, prefixLength: number): string {
  const address = String(destination.withZone(0));
  return prefixLength === destination.byteLength * 8 ? address : `${address}/${prefixLength}`;
}

function familyOf({ family }: IpAddress): 4 | 6 {
  return family === AF_INET ? 4 : 6;
}

function secondsLeft(untilUs: number, nowUs: number): number | null {
  return untilUs === Number.POSITIVE_INFINITY ? null : Math.max(0, Math.floor((untilUs - nowUs) / 1e6));
}
