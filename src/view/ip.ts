/**
 * Interfaces, routes and neighbours as ip(8) prints them: `ip addr`, `ip route`, `ip -6 route`, `ip neigh`.
 * @module
 */
import type { AddressRow, InterfaceRow, NeighborRow, RouteRow } from '../trace/ip-rows.ts';

const NO_MAC = '00:00:00:00:00:00';
const BROADCAST_MAC = 'ff:ff:ff:ff:ff:ff';

/** `ip addr`: two lines for an interface, two for each of its addresses. */
export function formatInterfaces(rows: readonly InterfaceRow[]): string[] {
  return rows.flatMap(({ index, name, flags, mtu, state, kind, mac, addresses }) => [
    `${index}: ${name}: <${flags.join(',')}> mtu ${mtu} state ${state}`,
    `    link/${kind}${kind === 'none' ? '' : ` ${mac || NO_MAC} brd ${mac === '' ? NO_MAC : BROADCAST_MAC}`}`,
    ...addresses.flatMap(address => formatAddress(address, name)),
  ]);
}

function formatAddress(row: AddressRow, name: string): string[] {
  const { family, address, prefixLength, broadcast, scope, flags, validSeconds, preferredSeconds } = row;
  const words = [
    family === 4 ? 'inet' : 'inet6',
    `${address}/${prefixLength}`,
    ...(broadcast === '' ? [] : [`brd ${broadcast}`]),
    `scope ${scope}`,
    ...flags,
    ...(family === 4 ? [name] : []),
  ];
  return [
    `    ${words.join(' ')}`,
    `       valid_lft ${lifetime(validSeconds)} preferred_lft ${lifetime(preferredSeconds)}`,
  ];
}

function lifetime(seconds: number | null): string {
  return seconds === null ? 'forever' : `${seconds}sec`;
}

/** `ip route`, a line for each; those that were added by hand say nothing of who did it. */
export function formatRoutes(rows: readonly RouteRow[]): string[] {
  return rows.map(row => {
    const { family, destination, gateway, netif, protocol, source, metric, expiresSeconds } = row;
    return [
      destination,
      ...(gateway === '' ? [] : [`via ${gateway}`]),
      `dev ${netif}`,
      ...(protocol === 'static' ? [] : [`proto ${protocol}`]),
      // IPv6 has no such scope.
      ...(family === 4 && gateway === '' ? ['scope link'] : []),
      ...(source === '' ? [] : [`src ${source}`]),
      ...(metric === 0 ? [] : [`metric ${metric}`]),
      ...(expiresSeconds === null ? [] : [`expires ${expiresSeconds}sec`]),
    ].join(' ');
  });
}

/** `ip neigh`, a line for each. */
export function formatNeighbors(rows: readonly NeighborRow[]): string[] {
  return rows.map(({ address, netif, mac, router, state }) =>
    [
      address,
      `dev ${netif}`,
      ...(mac === '' ? [] : [`lladdr ${mac}`]),
      ...(router ? ['router'] : []),
      state,
    ].join(' '),
  );
}
