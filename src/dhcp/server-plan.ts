/**
 * What a DHCP server can be told, and what follows from it.
 * @module
 */
import type { Netif, NetifAddress } from '../net/netif.ts';
import { AF_INET, formatMac, IpAddress, parseCidr, parseMac } from '../wire/address.ts';
import type { ClasslessRoute, DhcpOptions } from '../wire/dhcp-options.ts';
import { isDomainName } from '../wire/domain-name.ts';

/** What a DHCP server gives to the hosts of its link. */
export interface DhcpServerOptions {
  /** First and last address for clients. Default: the whole network of the interface's address. */
  readonly pool?: readonly [string, string];
  /** Default 3600; Infinity for ever. */
  readonly leaseSeconds?: number;
  /** T1 and T2: when clients ask for more time. Default: half of it, and seven eighths. */
  readonly renewSeconds?: number;
  readonly rebindSeconds?: number;
  /** Default routers. Default: the interface's own address when this host forwards, else none. */
  readonly routers?: readonly string[];
  readonly nameServers?: readonly string[];
  /** The domain that hosts are in, and those to complete short names with. */
  readonly domain?: string;
  readonly searchDomains?: readonly string[];
  /** Of the link, in bytes. */
  readonly mtu?: number;
  /** Routes besides the default one: ['10.1.0.0/16', '10.0.0.254']; 0.0.0.0 for a network on the link itself. */
  readonly routes?: readonly (readonly [string, string])[];
  /** Addresses that are kept for hosts: { '02:00:00:00:00:07': '10.0.0.7' }. */
  readonly fixed?: Readonly<Record<string, string>>;
  /** Addresses that are remembered; when there are no more, new clients get none. Default 1024. */
  readonly leasesMax?: number;
  /**
   * Whether this is the only server of the link, which answers clients that it does not know, too: after a restart they
   * keep their addresses. Default true; false is what RFC 2131 section 4.3.2 asks of one of several.
   */
  readonly authoritative?: boolean;
}

/** A server's options, checked. */
export interface DhcpServerPlan {
  /** Our address, by which clients know the server. */
  readonly server: IpAddress;
  /** The first address of the network: no host's. */
  readonly network: IpAddress;
  readonly prefixLength: number;
  readonly first: number;
  readonly last: number;
  readonly fixed: ReadonlyMap<string, IpAddress>;
  readonly limit: number;
  readonly leaseSeconds: number;
  readonly renewSeconds: number;
  readonly rebindSeconds: number;
  readonly authoritative: boolean;
  /** The options that do not differ from client to client. */
  readonly settings: DhcpOptions;
}

const LEASE_SECONDS = 3600;
const LEASES_MAX = 1024;

/** The plan for a server on an interface. RangeError for options that make no sense there. */
export function dhcpServerPlan(netif: Netif, options: DhcpServerOptions, forwards: boolean): DhcpServerPlan {
  const own = ownAddress(netif, options.pool?.[0]);
  const { address: server, prefixLength } = own;
  const mask = prefixLength === 0 ? 0 : -1 << (32 - prefixLength);
  const network = IpAddress.v4(server.w3 & mask);
  const within = (text: string): IpAddress => {
    const address = v4(text);
    if (!address.inPrefix(network, prefixLength))
      throw new RangeError(`${text} is not in ${network}/${prefixLength}`);
    return address;
  };
  const { pool = [String(network), String(own.broadcast ?? IpAddress.v4(server.w3 | ~mask))] } = options;
  const [first, last] = [within(pool[0]).w3 >>> 0, within(pool[1]).w3 >>> 0];
  if (first > last) throw new RangeError(`the pool ends before it begins: ${pool[0]} to ${pool[1]}`);
  const kept = (text: string): IpAddress => {
    const address = within(text);
    if ([server, network, own.broadcast].some(other => other?.equals(address) === true))
      throw new RangeError(
        `${text} is no client's: it is the server's, or names the network or everyone in it`,
      );
    return address;
  };
  const fixed = Object.entries(options.fixed ?? {}).map(([mac, text]) => [macText(mac), kept(text)] as const);
  const { leaseSeconds = LEASE_SECONDS, leasesMax: limit = LEASES_MAX, authoritative = true } = options;
  const { renewSeconds = Math.floor(leaseSeconds / 2), rebindSeconds = Math.floor((leaseSeconds * 7) / 8) } =
    options;
  if (!(leaseSeconds >= 2)) throw new RangeError(`a lease of ${leaseSeconds} seconds`);
  return {
    server,
    network,
    prefixLength,
    first,
    last,
    fixed: new Map(fixed),
    limit,
    leaseSeconds,
    renewSeconds,
    rebindSeconds,
    authoritative,
    settings: settingsOf(options, own, IpAddress.v4(mask), forwards),
  };
}

function settingsOf(
  options: DhcpServerOptions,
  own: NetifAddress,
  subnetMask: IpAddress,
  forwards: boolean,
): DhcpOptions {
  const {
    routers = forwards ? [String(own.address)] : [],
    nameServers = [],
    domain,
    searchDomains = [],
  } = options;
  const { routes = [], mtu } = options;
  for (const name of [...searchDomains, domain ?? 'localhost']) {
    if (!isDomainName(name)) throw new RangeError(`not a domain name: '${name}'`);
  }
  const some = <T>(list: readonly T[]): readonly T[] | undefined => (list.length > 0 ? list : undefined);
  const routerAddresses = routers.map(v4);
  return {
    subnetMask,
    broadcastAddress: own.broadcast ?? undefined,
    routers: some(routerAddresses),
    nameServers: some(nameServers.map(v4)),
    domainName: domain,
    searchList: some(searchDomains),
    mtu,
    classlessRoutes: some(classlessRoutes(routes, routerAddresses)),
  };
}

/** Who takes option 121 does not look at the routers of option 3 (RFC 3442): the default route is in it, too. */
function classlessRoutes(
  routes: readonly (readonly [string, string])[],
  routers: readonly IpAddress[],
): readonly ClasslessRoute[] {
  if (routes.length === 0) return [];
  const named = routes.map(([to, by]) => {
    const cidr = parseCidr(to);
    if (cidr === null || cidr.address.family !== AF_INET) throw new RangeError(`not a network: '${to}'`);
    return { destination: cidr.address, prefixLength: cidr.prefixLength, router: v4(by) };
  });
  const [router] = routers;
  const hasDefault = router === undefined || named.some(({ prefixLength }) => prefixLength === 0);
  return hasDefault ? named : [...named, { destination: IpAddress.v4(0), prefixLength: 0, router }];
}

/** The interface's address in whose network the pool is: its first when no pool was given. */
function ownAddress(netif: Netif, inPool: string | undefined): NetifAddress {
  const found = netif.addresses.find(
    ({ address, prefixLength }) =>
      address.family === AF_INET && (inPool === undefined || v4(inPool).inPrefix(address, prefixLength)),
  );
  if (found === undefined) {
    const where = inPool === undefined ? 'no IPv4 address' : `no address in the network of ${inPool}`;
    throw new RangeError(`${netif.name} has ${where}: a server needs one`);
  }
  return found;
}

function v4(text: string): IpAddress {
  const address = IpAddress.parse(text);
  if (address?.family !== AF_INET) throw new RangeError(`not an IPv4 address: '${text}'`);
  return address;
}

function macText(text: string): string {
  const mac = parseMac(text);
  if (mac === null) throw new RangeError(`not a hardware address: '${text}'`);
  return formatMac(mac);
}
