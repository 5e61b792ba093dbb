import { EAFNOSUPPORT, EFAULT, EINVAL } from '../base/errno.ts';
import { AF_UNSPEC, IpAddress } from '../wire/address.ts';

/** A socket address, struct sockaddr_in and struct sockaddr_in6 in one. */
export interface Sockaddr {
  /** AF_INET or AF_INET6; AF_UNSPEC in connect() dissolves an association. */
  readonly family: number;
  readonly address: IpAddress;
  readonly port: number;
}

/** A socket address as callers may write it: the address as text, the family left to the address. */
export interface SockaddrInput {
  readonly family?: number;
  readonly address: IpAddress | string;
  readonly port: number;
}

/** What C writes through a pointer argument: the call fills `value` in. */
export interface Out<T> {
  value: T | null;
}

/** A fresh place for a result: `const peer = out<Sockaddr>()`. */
export function out<T>(): Out<T> {
  return { value: null };
}

/** Checks and completes a caller's address for a socket of `family`; -EFAULT, -EINVAL or -EAFNOSUPPORT. */
export function checkSockaddr(input: SockaddrInput | null | undefined, family: number): Sockaddr | number {
  if (typeof input !== 'object' || input === null) return -EFAULT;
  const { port } = input;
  if (!Number.isInteger(port) || port < 0 || port > 65535) return -EINVAL;
  const address = typeof input.address === 'string' ? IpAddress.parse(input.address) : input.address;
  if (!(address instanceof IpAddress)) return -EINVAL;
  const given = input.family ?? address.family;
  if (given === AF_UNSPEC) return { family: AF_UNSPEC, address, port };
  return given === family && address.family === family ? { family, address, port } : -EAFNOSUPPORT;
}
