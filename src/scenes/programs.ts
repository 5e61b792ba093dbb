/**
 * Pieces that the programs of several scenes are made of. Each is a few plain socket calls.
 * @module
 */
import { assert } from '../base/assert.ts';
import { strerror } from '../base/errno.ts';
import type { Netif } from '../net/netif.ts';
import type { Sys } from '../socket/calls.ts';
import { SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET } from '../socket/constants.ts';
import type { Stack } from '../stack/stack.ts';
import { AF_INET, AF_INET6, ANY_V4, ANY_V6, IpAddress } from '../wire/address.ts';

/** The port of every server. */
export const PORT = 80;

/** The result of a call that must not fail here. */
export function must(result: number): number {
  if (result < 0) throw new Error(strerror(result));
  return result;
}

/** A socket that listens on PORT of an address: socket(), bind(), listen(). */
export function listen(sys: Sys, address: string, backlog = 128): number {
  const fd = must(sys.socket(familyOf(address), SOCK_STREAM, 0));
  must(sys.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1));
  must(sys.bind(fd, { address, port: PORT }));
  must(sys.listen(fd, backlog));
  return fd;
}

/** A socket that is connected to PORT of a host, or -errno: socket(), connect(). */
export async function connect(sys: Sys, address: string): Promise<number> {
  const fd = must(sys.socket(familyOf(address), SOCK_STREAM, 0));
  const result = await sys.wait.connect(fd, { address, port: PORT });
  if (result === 0) return fd;
  sys.close(fd);
  return result;
}

function familyOf(address: string): number {
  return address.includes(':') ? AF_INET6 : AF_INET;
}

/** Reads to the end of the stream; how many bytes, or -errno. */
export async function readAll(sys: Sys, fd: number): Promise<number> {
  const buffer = new Uint8Array(65536);
  for (let total = 0; ; ) {
    const length = await sys.wait.recv(fd, buffer);
    if (length <= 0) return length < 0 ? length : total;
    total += length;
  }
}

/** Does nothing for so many milliseconds: poll() without descriptors, as C programs do. */
export async function sleep(sys: Sys, ms: number): Promise<void> {
  await sys.wait.poll([], ms);
}

/** So many bytes to send: the alphabet over and over. */
export function alphabet(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => 97 + (index % 26));
}

/** Text as bytes. */
export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The bytes that a call put into a buffer, as text. */
export function textOf(buffer: Uint8Array, length: number = buffer.length): string {
  return new TextDecoder().decode(buffer.subarray(0, length));
}

/**
 * Tells the hosts of one network each other's hardware address for good, as `ip neigh add` does, so that asking for it
 * has no part in the scene. (It has one of its own.)
 */
export function introduce(...hosts: readonly Stack[]): void {
  for (const host of hosts) {
    for (const other of hosts) {
      const { macHigh, macLow } = interfaceOf(other);
      if (other !== host) know(host, addressOf(other), macHigh, macLow);
    }
  }
}

/** The interface that the first cable of a host is in. */
export function interfaceOf(host: Stack): Netif {
  const netif = host.ip.netif('eth0');
  assert(netif !== null, 'the host has its cable');
  return netif;
}

/** The address that a host was given. */
export function addressOf(host: Stack): IpAddress {
  const own = interfaceOf(host).addresses.find(({ address }) => !address.isLinkLocal);
  assert(own !== undefined, 'the host has an address');
  return own.address;
}

/** `ip neigh add ADDRESS lladdr MAC dev eth0`. */
export function know(host: Stack, address: IpAddress, macHigh: number, macLow: number): void {
  const { neighbors } = address.family === AF_INET ? host.ip : host.ip.ipv6;
  const neighbor = neighbors.get(interfaceOf(host), address);
  if (typeof neighbor !== 'number') neighbor.pin(macHigh, macLow);
}

/** `ip route add default via GATEWAY`. */
export function routeBy(host: Stack, gateway: string): void {
  const netif = interfaceOf(host).index;
  const destination = gateway.includes(':') ? ANY_V6 : ANY_V4;
  must(host.ip.routes.add({ destination, prefixLength: 0, gateway: IpAddress.parse(gateway), netif }));
}
