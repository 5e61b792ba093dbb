import { ANY_V4, type IpAddress } from '../wire/address.ts';
import type { DhcpMessage } from '../wire/dhcp.ts';
import { type ClasslessRoute, DHCP_INFINITE } from '../wire/dhcp-options.ts';
import { isDomainName } from '../wire/domain-name.ts';

/** What a server has granted. */
export interface DhcpLease {
  readonly address: IpAddress;
  readonly prefixLength: number;
  /** Who granted it. */
  readonly server: IpAddress;
  /** Routes, by routers or (0.0.0.0) on the link; the default route among them. */
  readonly routes: readonly ClasslessRoute[];
  readonly nameServers: readonly IpAddress[];
  readonly searchDomains: readonly string[];
  /** What the server calls this host, and the domain it is in; '' when it did not say. */
  readonly hostName: string;
  readonly domain: string;
  /** Of the interface, in bytes; 0 when the server did not say. */
  readonly mtu: number;
  /** Infinity for ever. */
  readonly leaseSeconds: number;
  /** T1, T2 and the end, in microseconds since the Unix epoch. */
  readonly renewUs: number;
  readonly rebindUs: number;
  readonly expiresUs: number;
}

/** RFC 2131 section 4.4.5. */
const T1_SHARE = 0.5;
const T2_SHARE = 0.875;
/** Nobody is made to renew more often than once in so many seconds. */
const RENEWAL_MIN = 1;
const LEASE_MIN = 2 * RENEWAL_MIN;

/**
 * The lease that a DHCPACK grants, counted from when it was asked for, in microseconds; null when it lacks what a lease
 * must have.
 */
export function leaseOf({ yiaddr, options }: DhcpMessage, requestedUs: number): DhcpLease | null {
  const { serverId, leaseTime = 0, nameServers = [], mtu = 0, hostName = '', domainName = '' } = options;
  if (serverId === undefined || leaseTime < LEASE_MIN || !isHost(yiaddr)) return null;
  const forEver = leaseTime === DHCP_INFINITE;
  const leaseSeconds = forEver ? Number.POSITIVE_INFINITY : leaseTime;
  const { renewalTime = leaseSeconds * T1_SHARE, rebindingTime = leaseSeconds * T2_SHARE } = options;
  const said = RENEWAL_MIN <= renewalTime && renewalTime <= rebindingTime && rebindingTime <= leaseSeconds;
  const [t1, t2] =
    said && !forEver ? [renewalTime, rebindingTime] : [leaseSeconds * T1_SHARE, leaseSeconds * T2_SHARE];
  const at = (seconds: number): number => requestedUs + Math.floor(seconds * 1e6);
  return {
    address: yiaddr,
    prefixLength: prefixOf(options.subnetMask) ?? classOf(yiaddr),
    server: serverId,
    routes: routesOf(options.classlessRoutes, options.routers),
    nameServers: nameServers.filter(isHost),
    searchDomains: options.searchList ?? domainsIn(domainName),
    hostName,
    domain: domainsIn(domainName)[0] ?? '',
    mtu,
    leaseSeconds,
    renewUs: at(t1),
    rebindUs: at(t2),
    expiresUs: at(leaseSeconds),
  };
}

/** Whether a host can have the address. */
export function isHost(address: IpAddress): boolean {
  const first = address.w3 >>> 24;
  return first !== 0 && first !== 127 && first < 224;
}

/** RFC 3442: with option 121 the routers of option 3 do not count; a client needs no more than one of these. */
function routesOf(
  classless: readonly ClasslessRoute[] | undefined,
  routers: readonly IpAddress[] | undefined,
): readonly ClasslessRoute[] {
  if (classless !== undefined) return classless;
  const router = routers?.find(isHost);
  return router === undefined ? [] : [{ destination: ANY_V4, prefixLength: 0, router }];
}

/** The names in the domain name option: some servers put a search list there. */
function domainsIn(domainName: string): readonly string[] {
  return domainName.split(/\s+/).filter(isDomainName);
}

/** The length of the prefix that a mask covers; undefined when it is no mask of a subnet. */
function prefixOf(mask: IpAddress | undefined): number | undefined {
  if (mask === undefined) return undefined;
  const length = Math.clz32(~mask.w3);
  return length > 0 && (length === 32 || mask.w3 << length === 0) ? length : undefined;
}

/** The prefix of the address's class, as before there were masks. */
function classOf({ w3 }: IpAddress): number {
  if (w3 >>> 31 === 0) return 8;
  return w3 >>> 30 === 2 ? 16 : 24;
}
