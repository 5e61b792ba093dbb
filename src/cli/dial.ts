import { strerror } from '../base/errno.ts';
import type { NameResolver } from '../core/name-resolver.ts';
import { type ConnectError, type Connected, HappyEyeballs } from '../socket/api/happy-eyeballs.ts';
import type { Sys } from '../socket/calls.ts';
import { SOCK_STREAM } from '../socket/constants.ts';
import type { IpAddress } from '../wire/address.ts';
import { openSocketTo } from './sockets.ts';

/** Whom to connect to, and who finds the addresses. */
export interface Peer {
  readonly hosts: NameResolver;
  /** A name or an address. */
  readonly hostname: string;
  readonly port: number;
}

/** How a connection is watched and given up. */
export interface DialOptions {
  /** Ends it: dial rejects with the signal's reason. */
  readonly signal: AbortSignal;
  /** Told of each address that is tried. */
  readonly trying?: (address: string) => void;
}

/** Connects to the first address of a host that answers. Rejects with ConnectError, or a Failure for a name. */
export async function dial(sys: Sys, peer: Peer, { signal, trying }: DialOptions): Promise<Connected> {
  signal.throwIfAborted();
  const open = (text: string): number => {
    trying?.(text);
    return openSocketTo(sys, text, SOCK_STREAM);
  };
  const { ip } = sys.context.tcp;
  const dialer = { sys, resolver: peer.hosts, open: (address: IpAddress) => open(ip.textOf(address)) };
  const race = new HappyEyeballs(dialer, peer.hostname, peer.port);
  const stop = (): void => race.stop(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await race.run();
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** 'Connection refused'; of a host with several addresses '10.0.0.2: Connection refused, fd00::2: No route to host'. */
export function whyNotConnected({ errors }: ConnectError): string {
  const [first] = errors;
  if (errors.length === 1 && first !== undefined) return strerror(first.errno);
  return errors.map(({ address, errno }) => `${address}: ${strerror(errno)}`).join(', ');
}
