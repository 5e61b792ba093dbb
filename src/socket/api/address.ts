import { EINVAL } from '../../base/errno.ts';
import { IpAddress, LOOPBACK_V4 } from '../../wire/address.ts';
import type { Sys } from '../calls.ts';
import type { Sockaddr } from '../sockaddr.ts';
import { SocketError } from './errors.ts';

/**
 * An address as the high-level API takes it. There is no DNS: `hostname` is an IP address, that of a neighbour with its
 * zone ('fe80::1%eth0'), or 'localhost'.
 */
export interface SocketAddress {
  hostname: string;
  port: number;
}

/** The socket address for `hostname` and `port`; a zone is known by its name. Throws SocketError (ENOTFOUND, EINVAL). */
export function resolve(sys: Sys, syscall: string, hostname: string, port: number): Sockaddr {
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new SocketError(syscall, -EINVAL, hostname, port);
  }
  const { ip } = sys.context.tcp;
  const zoneOf = (name: string): number => ip.netif(name)?.index ?? 0;
  const address = hostname === 'localhost' ? LOOPBACK_V4 : IpAddress.parse(hostname, zoneOf);
  if (address === null) throw new HostNotFoundError(hostname);
  return { family: address.family, address, port };
}

/** '10.0.0.2:80' or '[::1]:80' taken apart. Throws SocketError (EINVAL). */
export function parseHostPort(text: string): SocketAddress {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text);
  if (match === null) throw new SocketError('connect', -EINVAL, text);
  return { hostname: match[1] ?? match[2] ?? '', port: Number(match[3]) };
}

/** A host name that is not an address: names are not looked up here. */
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
