/**
 * DNS over the stack: `import { Resolver, serveDns } from 'ethertype/dns'`. It depends on a library for the formats of
 * record data.
 * @module
 */
export { DnsError, type DnsErrorCode } from './errors.ts';
export { formatData, formatName, formatQuestion, formatRecord } from './format.ts';
export { MDNS_LIMITS, type MdnsLimits, RESOLVER_LIMITS, type ResolverLimits } from './limits.ts';
export { MulticastDns, type MulticastDnsOptions, type MulticastResolveOptions } from './mdns.ts';
export type { MulticastRecord } from './mdns-owned.ts';
export {
  BLANK_MESSAGE,
  decodeMessage,
  type Edns,
  type EdnsOption,
  encodeMessage,
  type Message,
  type MessageOptions,
  type Question,
} from './message.ts';
export type { NameServer } from './name-server.ts';
export { isWithin, normalName, reverseName, sameName, splitLabels } from './names.ts';
export type {
  CaaData,
  DataOf,
  HinfoData,
  KnownType,
  MxData,
  NsecData,
  RecordData,
  ResourceRecord,
  SoaData,
  SrvData,
} from './records.ts';
export { isType } from './records.ts';
export { parseResolvConf, type ResolvConf } from './resolv-conf.ts';
export { type LookupOptions, Resolver, type ResolverOptions } from './resolver.ts';
export { DnsServer, type DnsServerOptions, SERVER_LIMITS, type ServerLimits, serveDns } from './server.ts';
export type { OneOrMore, ZoneData, ZoneNode, Zones } from './zone.ts';
