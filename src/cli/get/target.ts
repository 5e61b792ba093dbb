import { isIPv4 } from 'node:net';
import { Failure } from '../failure.ts';
import { EXIT_HOST_NOT_FOUND, EXIT_UNSUPPORTED, EXIT_URL } from './exit.ts';

/** What to fetch. */
export interface Target {
  /** An IP address. */
  readonly address: string;
  readonly port: number;
  /** The request target: path and query. */
  readonly path: string;
  /** The Host field: the address, with the port when it is not 80. */
  readonly host: string;
}

const HTTP_PORT = 80;

/** Takes a URL apart; 'http://' may be left out. Throws a Failure with curl's exit status. */
export function targetOf(text: string): Target {
  const url = parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  if (url === null) throw new Failure(`'${text}' is not a URL`, EXIT_URL);
  if (url.protocol !== 'http:')
    throw new Failure(`${url.protocol}// is not there yet, only http://`, EXIT_UNSUPPORTED);
  if (url.hostname.startsWith('[')) throw new Failure('IPv6 is not there yet', EXIT_UNSUPPORTED);
  if (!isIPv4(url.hostname))
    throw new Failure(
      `cannot find the host '${url.hostname}': names are not looked up yet, give an IP address`,
      EXIT_HOST_NOT_FOUND,
    );
  return {
    address: url.hostname,
    port: url.port === '' ? HTTP_PORT : Number(url.port),
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
