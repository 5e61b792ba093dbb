import type { Rng } from '../base/rng.ts';
import type { HostAddress, RoutePlan } from './world-plan.ts';

/** What the hosts of a world speak. */
export type Families = 'IPv4' | 'IPv6' | 'both';

/** Half of all traffic is IPv6. */
export function drawFamilies(rng: Rng): Families {
  return rng.pick(['IPv4', 'IPv6', 'both', 'both']);
}

/** Bits that name the network, in either family. */
export const PREFIX_IPV4 = 24;
export const PREFIX_IPV6 = 64;

/** The addresses of host `number` (1 .. 254) in network `network` (0 .. 255). */
export function addressAt(families: Families, network: number, number: number): HostAddress {
  return {
    ipv4: families === 'IPv6' ? null : `10.0.${network}.${number}`,
    ipv6: families === 'IPv4' ? null : `fd00:0:0:${network}::${number.toString(16)}`,
  };
}

/** From a host in network `here`: the ways to network `to`, by the router with this number. */
export function routesBetween(families: Families, to: number, here: number, router: number): RoutePlan[] {
  const { ipv4, ipv6 } = addressAt(families, here, router);
  const routes: RoutePlan[] = [];
  if (ipv4 !== null) routes.push({ network: `10.0.${to}.0/${PREFIX_IPV4}`, gateway: ipv4 });
  if (ipv6 !== null) routes.push({ network: `fd00:0:0:${to}::/${PREFIX_IPV6}`, gateway: ipv6 });
  return routes;
}

/** Addresses of a client and a server in a family that both speak. */
export function drawPair(rng: Rng, client: HostAddress, server: HostAddress): readonly [string, string] {
  const pairs = [
    [client.ipv4, server.ipv4],
    [client.ipv6, server.ipv6],
  ] as const;
  const [from, to] = rng.pick(pairs.filter(pair => !pair.includes(null)));
  return [from as string, to as string];
}

/** Whether a host's address, as a plan has it, is an IPv6 one. */
export function isIpv6(address: string): boolean {
  return address.includes(':');
}

/** The address of the host itself, in the family of `address`. */
export function loopbackOf(address: string): string {
  return isIpv6(address) ? '::1' : '127.0.0.1';
}

/** The address for bind(2) that takes what comes to any address, in the family of `address`. */
export function anyOf(address: string): string {
  return isIpv6(address) ? '::' : '0.0.0.0';
}
