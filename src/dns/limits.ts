/** Bounds on what the network, or a busy program, can make a resolver keep and do. */
export interface ResolverLimits {
  /** Questions under way at once: each has a socket of its own. */
  queries: number;
  /** Questions that wait for their turn; more are refused with ECANCELLED. */
  waiting: number;
  /** What is remembered: answers, and the bytes of the messages that they came in, together. */
  cacheEntries: number;
  cacheBytes: number;
  /** Seconds that an answer is remembered at most, and that something does not exist (RFC 2308 section 5). */
  maxTtl: number;
  maxNegativeTtl: number;
  /** Aliases (CNAME) followed for one name. */
  cnames: number;
  /** Datagrams to a question's port that are not its answer; after these it is asked by TCP (RFC 5452 section 9). */
  strays: number;
  /** Name servers that are used, and domains of the search list. MAXNS of glibc, and more domains than anybody has. */
  servers: number;
  searchDomains: number;
  /** Addresses of one name and family that are told. */
  addresses: number;
}

/** The bounds unless told otherwise. */
export const RESOLVER_LIMITS: ResolverLimits = {
  queries: 256,
  waiting: 65_536,
  cacheEntries: 4096,
  cacheBytes: 4 << 20,
  maxTtl: 86_400,
  maxNegativeTtl: 10_800,
  cnames: 16,
  strays: 16,
  servers: 3,
  searchDomains: 32,
  addresses: 64,
};

/** Bounds on what a link can make multicast DNS keep and do; times in microseconds. */
export interface MdnsLimits {
  /** Questions under way at once; more are refused with ECANCELLED. */
  queries: number;
  /** Records that are remembered. */
  cacheRecords: number;
  /** Seconds that a record is remembered at most. */
  maxTtl: number;
  /** Records of this host. */
  records: number;
  /** Questions of one message that are looked at, and records. */
  questions: number;
  messageRecords: number;
  /** Bytes of a message that is sent, unless one record alone has more (RFC 6762 section 17). */
  messageSize: number;
  /** Conflicts after which each further one is followed by a pause, and that pause (RFC 6762 section 8.1). */
  conflicts: number;
  conflictPauseUs: number;
}

/** The bounds unless told otherwise. */
export const MDNS_LIMITS: MdnsLimits = {
  queries: 256,
  cacheRecords: 1024,
  maxTtl: 86_400,
  records: 256,
  questions: 64,
  messageRecords: 512,
  messageSize: 1440,
  conflicts: 15,
  conflictPauseUs: 5_000_000,
};
