import type { AdvertiseOptions } from '../net/router-advertiser.ts';
import { AF_INET6, IpAddress, parseCidr } from '../wire/address.ts';
import { isDomainName } from '../wire/domain-name.ts';
import type { PrefixInformation } from '../wire/ndp-options.ts';

/** What a router tells the hosts of a link (RFC 4861 section 6.2), in text. */
export interface RouterOptions extends Omit<AdvertiseOptions, 'prefixes' | 'nameServers'> {
  /** 'fd00:1::/64'. Default: those of the interface's addresses. */
  readonly prefixes?: readonly string[];
  readonly nameServers?: readonly string[];
}

const VALID_SECONDS = 2592000;
const PREFERRED_SECONDS = 604800;

/** The same as values. RangeError for what is not an address, a prefix or a name. */
export function advertiseOptions(options: RouterOptions): AdvertiseOptions {
  const { prefixes, nameServers = [], ...others } = options;
  for (const name of options.searchDomains ?? []) {
    if (!isDomainName(name)) throw new RangeError(`not a domain name: '${name}'`);
  }
  const plan = { ...others, nameServers: nameServers.map(v6) };
  return prefixes === undefined ? plan : { ...plan, prefixes: prefixes.map(prefixOf) };
}

function prefixOf(text: string): PrefixInformation {
  const cidr = parseCidr(text);
  if (cidr?.address.family !== AF_INET6) throw new RangeError(`not an IPv6 prefix: '${text}'`);
  return {
    prefix: cidr.address,
    prefixLength: cidr.prefixLength,
    onLink: true,
    autonomous: cidr.prefixLength === 64,
    validSeconds: VALID_SECONDS,
    preferredSeconds: PREFERRED_SECONDS,
  };
}

function v6(text: string): IpAddress {
  const address = IpAddress.parse(text);
  if (address?.family !== AF_INET6) throw new RangeError(`not an IPv6 address: '${text}'`);
  return address;
}
