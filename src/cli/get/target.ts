import { isIP } from 'node:net';
import { Failure } from '../failure.ts';
import { isHostName } from '../host/arguments.ts';
import { EXIT_HOST_NOT_FOUND, EXIT_UNSUPPORTED, EXIT_URL } from './exit.ts';

/** What to fetch. */
export interface Target {
  /** A name, or an IP address with the zone that the user gave: 'fe80::1%tap0'. */
  readonly hostname: string;
  readonly port: number;
  /** The request target: path and query. */
  readonly path: string;
  /** The Host field: the host, with the port when it is not 80. It never has a zone (RFC 6874 section 1). */
  readonly host: string;
}

const HTTP_PORT = 80;
/** A zone in a URL, which URL does not know: 'http://[fe80::1%25tap0]/', and without the 25 as curl takes it. */
const ZONE = /^([a-z][a-z0-9+.-]*:\/\/\[[0-9a-f:.]+)%(?:25)?([^\]/?#]+)\]/i;

/** Takes a URL apart; 'http://' may be left out. Throws a Failure with curl's exit status. */
export function targetOf(text: string): Target {
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const zone = ZONE.exec(whole)?.[2] ?? '';
  const url = parse(whole.replace(ZONE, '$1]'));
  if (url === null) throw new Failure(`'${text}' is not a URL`, EXIT_URL);
  if (url.protocol !== 'http:')
    throw new Failure(`${url.protocol}// is not there yet, only http://`, EXIT_UNSUPPORTED);
  const hostname = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (isIP(hostname) === 0 && !isHostName(hostname))
    throw new Failure(`cannot find the host '${hostname}': it is not a domain name`, EXIT_HOST_NOT_FOUND);
  const port = url.port === '' ? HTTP_PORT : Number(url.port);
  return {
    hostname: zone === '' ? hostname : `${hostname}%${zone}`,
    port,
    path: url.pathname + url.search,
    host: url.host,
  };
}

function parse(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}
