import { EAFNOSUPPORT, EFAULT, EINVAL } from '../base/errno.ts';
import { AF_INET6, AF_UNSPEC, IpAddress } from '../wire/address.ts';

/** A socket address, struct sockaddr_in and struct sockaddr_in6 in one. */
export interface Sockaddr {
  /** AF_INET or AF_INET6; AF_UNSPEC in connect() dissolves an association. */
  readonly family: number;
  /** On AF_INET6 sockets always an IPv6 address: that of an IPv4 peer is mapped. Its zone is sin6_scope_id. */
  readonly address: IpAddress;
  readonly port: number;
}

/** A socket address as callers may write it: the address as text, the family left to the address. */
export interface SockaddrInput {
  readonly family?: number;
  /** Text may have a zone: 'fe80::1%eth0'. */
  readonly address: IpAddress | string;
  readonly port: number;
  /** sin6_scope_id: the index of the interface that a link-local address belongs to. */
  readonly scope_id?: number;
}

/** What C writes through a pointer argument: the call fills `value` in. */
export interface Out<T> {
  value: T | null;
}

/** A fresh place for a result: `const peer = out<Sockaddr>()`. */
export function out<T>(): Out<T> {
  return { value: null };
}

/**
 * Checks and completes a caller's address for a socket of `family`; `zoneOf` knows interfaces by name. -EFAULT, -EINVAL
 * or -EAFNOSUPPORT.
 */
export function checkSockaddr(
  input: SockaddrInput | null | undefined,
  family: number,
  zoneOf?: (name: string) => number,
): Sockaddr | number {
  if (typeof input !== 'object' || input === null) return -EFAULT;
  const { port, scope_id: scope = 0 } = input;
  if (!Number.isInteger(port) || port < 0 || port > 65535) return -EINVAL;
  const given = typeof input.address === 'string' ? IpAddress.parse(input.address, zoneOf) : input.address;
  if (!(given instanceof IpAddress) || !Number.isInteger(scope)) return -EINVAL;
  const address = scope === 0 ? given : given.withZone(scope);
  const claimed = input.family ?? address.family;
  if (claimed === AF_UNSPEC) return { family: AF_UNSPEC, address, port };
  return claimed === family && address.family === family ? { family, address, port } : -EAFNOSUPPORT;
}

/** The name of an address for a socket of `family`. */
export function sockaddrOf(family: number, address: IpAddress, port: number): Sockaddr {
  return { family, address: family === AF_INET6 ? address.toMapped() : address, port };
}
