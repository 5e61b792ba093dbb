import { EINVAL } from '../../base/errno.ts';
import { IpAddress, LOOPBACK_V4 } from '../../wire/address.ts';
import type { Sys } from '../calls.ts';
import type { Sockaddr } from '../sockaddr.ts';
import { SocketError } from './errors.ts';

/**
 * An address as the high-level API takes it: `hostname` is an IP address, that of a neighbour with its zone
 * ('fe80::1%eth0'), or 'localhost'. `connect` takes other names as well, when the stack has a resolver.
 */
export interface SocketAddress {
  hostname: string;
  port: number;
}

/** The socket address for `hostname` and `port`; a zone is known by its name. Throws SocketError (ENOTFOUND, EINVAL). */
export function resolve(sys: Sys, syscall: string, hostname: string, port: number): Sockaddr {
  checkPort(syscall, hostname, port);
  const address = addressOf(sys, hostname);
  if (address === null) throw new HostNotFoundError(hostname);
  return { family: address.family, address, port };
}

/** Whether the host is given by a name that has to be looked up. Throws SocketError (EINVAL) for the port. */
export function isName(sys: Sys, { hostname, port }: SocketAddress): boolean {
  checkPort('connect', hostname, port);
  return addressOf(sys, hostname) === null;
}

function addressOf(sys: Sys, hostname: string): IpAddress | null {
  const { ip } = sys.context.tcp;
  const zoneOf = (name: string): number => ip.netif(name)?.index ?? 0;
  return hostname === 'localhost' ? LOOPBACK_V4 : IpAddress.parse(hostname, zoneOf);
}

function checkPort(syscall: string, hostname: string, port: number): void {
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new SocketError(syscall, -EINVAL, hostname, port);
  }
}

/** '10.0.0.2:80' or '[::1]:80' taken apart. Throws SocketError (EINVAL). */
export function parseHostPort(text: string): SocketAddress {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text);
  if (match === null) throw new SocketError('connect', -EINVAL, text);
  return { hostname: match[1] ?? match[2] ?? '', port: Number(match[3]) };
}

/** A host name that is not an address, where nobody looks names up: the stack has no resolver. */
export class HostNotFoundError extends Error {
  override name = 'HostNotFoundError';
  readonly code = 'ENOTFOUND';
  readonly syscall = 'getaddrinfo';
  readonly hostname: string;

  constructor(hostname: string) {
    super(`getaddrinfo ENOTFOUND ${hostname}`);
    this.hostname = hostname;
  }
}
