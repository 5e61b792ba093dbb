/**
 * Sockets as the commands open them: of the family that an address is of, or of both.
 * @module
 */
import { hostPort } from '../socket/api/errors.ts';
import type { Sys } from '../socket/calls.ts';
import { SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET } from '../socket/constants.ts';
import type { Sockaddr } from '../socket/sockaddr.ts';
import { check } from './check.ts';
import { familyOfAddress } from './host/family.ts';

/** A socket of a type (SOCK_*) that can be connected to an address, which is text. Throws a Failure. */
export function openSocketTo(sys: Sys, address: string, type: number, protocol = 0): number {
  return check('socket', sys.socket(familyOfAddress(address), type, protocol));
}

/** Where the sockets of `bindSocket` are bound: every address of the host. */
export function anyAddress(sys: Sys): '::' | '0.0.0.0' {
  const hasIpv6 = sys.context.tcp.ip.netifs.some(({ isLoopback, ipv6 }) => !isLoopback && ipv6 !== null);
  return hasIpv6 ? '::' : '0.0.0.0';
}

/** A socket of a type (SOCK_*) that is bound to a port of every address of the host. Throws a Failure. */
export function bindSocket(sys: Sys, type: number, port: number): number {
  const address = anyAddress(sys);
  const fd = openSocketTo(sys, address, type);
  if (type === SOCK_STREAM) check('setsockopt', sys.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1));
  check(`cannot listen on port ${port}: bind`, sys.bind(fd, { address, port }));
  return fd;
}

/** A socket that listens for TCP connections to a port of every address of the host. Throws a Failure. */
export function listenOn(sys: Sys, port: number, backlog: number): number {
  const fd = bindSocket(sys, SOCK_STREAM, port);
  check(`cannot listen on port ${port}: listen`, sys.listen(fd, backlog));
  return fd;
}

/** '10.65.0.1:51234', '[fe80::1%tap0]:80': a peer as users know it, IPv4 without the prefix of mapped addresses. */
export function peerText(sys: Sys, peer: Sockaddr | null): string {
  return peer === null ? '-' : hostPort(peerAddress(sys, peer), peer.port);
}

/** The address alone: 'fe80::1%tap0'. */
export function peerAddress(sys: Sys, { address }: Sockaddr): string {
  return sys.context.tcp.ip.textOf(address.toUnmapped());
}
