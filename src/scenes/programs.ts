/**
 * Pieces that the programs of several scenes are made of. Each is a few plain socket calls.
 * @module
 */
import { assert } from '../base/assert.ts';
import { strerror } from '../base/errno.ts';
import type { Netif } from '../net/netif.ts';
import type { Sys } from '../socket/calls.ts';
import { AF_INET, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET } from '../socket/constants.ts';
import type { Stack } from '../stack/stack.ts';
import { ANY_V4, IpAddress } from '../wire/address.ts';

/** The port of every server. */
export const PORT = 80;
/** The first host of a world, and the second. */
export const CLIENT = '10.0.0.1';
export const SERVER = '10.0.0.2';

/** The result of a call that must not fail here. */
export function must(result: number): number {
  if (result < 0) throw new Error(strerror(result));
  return result;
}

/** A socket that listens on PORT: socket(), bind(), listen(). */
export function listen(sys: Sys, backlog = 128): number {
  const fd = must(sys.socket(AF_INET, SOCK_STREAM, 0));
  must(sys.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1));
  must(sys.bind(fd, { address: '0.0.0.0', port: PORT }));
  must(sys.listen(fd, backlog));
  return fd;
}

/** A socket that is connected to PORT of a host, or -errno: socket(), connect(). */
export async function connect(sys: Sys, address: string = SERVER): Promise<number> {
  const fd = must(sys.socket(AF_INET, SOCK_STREAM, 0));
  const result = await sys.wait.connect(fd, { address, port: PORT });
  if (result === 0) return fd;
  sys.close(fd);
  return result;
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
 * Tells the hosts of one network each other's hardware address for good, as `ip neigh add` does, so that ARP has no
 * part in the scene. (It has one of its own.)
 */
export function introduce(...hosts: readonly Stack[]): void {
  for (const host of hosts) {
    for (const other of hosts) {
      const { macHigh, macLow, addresses } = interfaceOf(other);
      const [own] = addresses;
      if (other !== host && own !== undefined) know(host, own.address, macHigh, macLow);
    }
  }
}

/** The interface that the first cable of a host is in. */
export function interfaceOf(host: Stack): Netif {
  const netif = host.ip.netif('eth0');
  assert(netif !== null, 'the host has its cable');
  return netif;
}

/** `ip neigh add ADDRESS lladdr MAC dev eth0`. */
export function know(host: Stack, address: IpAddress, macHigh: number, macLow: number): void {
  const neighbor = host.ip.neighbors.get(interfaceOf(host), address);
  if (typeof neighbor !== 'number') neighbor.pin(macHigh, macLow);
}

/** `ip route add default via GATEWAY`. */
export function routeBy(host: Stack, gateway: string): void {
  const netif = interfaceOf(host).index;
  must(
    host.ip.routes.add({ destination: ANY_V4, prefixLength: 0, gateway: IpAddress.parse(gateway), netif }),
  );
}
