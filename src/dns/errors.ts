/**
 * Why a name could not be resolved: the codes of Node's dns module, and ENOSERVER of c-ares.
 * - ENOTFOUND: there is no such name. ENODATA: it has no record of the type.
 * - ETIMEOUT, ECONNREFUSED: no name server answered, or none is there. ENOSERVER: none is known.
 * - ESERVFAIL, EREFUSED, EFORMERR, ENOTIMP: what the name servers answered. EBADRESP: nothing that made sense.
 * - EBADNAME: the text is no domain name. ECANCELLED: the stack was closed, or too many lookups wait.
 */
export type DnsErrorCode =
  | 'ENOTFOUND'
  | 'ENODATA'
  | 'ETIMEOUT'
  | 'ECONNREFUSED'
  | 'ENOSERVER'
  | 'ESERVFAIL'
  | 'EREFUSED'
  | 'EFORMERR'
  | 'ENOTIMP'
  | 'EBADRESP'
  | 'EBADNAME'
  | 'ECANCELLED';

const REASONS: Readonly<Record<DnsErrorCode, string>> = {
  ENOTFOUND: 'there is no such name',
  ENODATA: 'the name has no such record',
  ETIMEOUT: 'no name server answered in time',
  ECONNREFUSED: 'no name server could be reached',
  ENOSERVER: 'no name server is known',
  ESERVFAIL: 'the name server failed',
  EREFUSED: 'the name server refused to answer',
  EFORMERR: 'the name server did not understand the question',
  ENOTIMP: 'the name server does not do such questions',
  EBADRESP: "the name server's answer made no sense",
  EBADNAME: 'it is not a domain name',
  ECANCELLED: 'the lookup was given up',
};

/** A name that could not be resolved, in the shape of Node's errors: 'queryA ENOTFOUND www.example.test: ...'. */
export class DnsError extends Error {
  override name = 'DnsError';
  readonly code: DnsErrorCode;
  /** 'queryA', 'queryMX' ..., 'getaddrinfo' for lookups of host names. */
  readonly syscall: string;
  readonly hostname: string;

  constructor(code: DnsErrorCode, syscall: string, hostname: string) {
    super(`${syscall} ${code} ${hostname}: ${REASONS[code]}`);
    this.code = code;
    this.syscall = syscall;
    this.hostname = hostname;
  }
}

/** What is wrong, for a user: 'no name server answered in time'. */
export function dnsReason(code: DnsErrorCode): string {
  return REASONS[code];
}
