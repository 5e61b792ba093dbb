/**
 * Happy Eyeballs version 2 (RFC 8305): a connection to a host with several addresses, of both families, without waiting
 * long for those that do not work.
 * @module
 */
import { EBADF, ECONNABORTED, ENETUNREACH } from '../../base/errno.ts';
import type { NameResolver } from '../../core/name-resolver.ts';
import { type AddressFamily, AF_INET, AF_INET6, type IpAddress } from '../../wire/address.ts';
import type { Sys } from '../calls.ts';
import type { Sockaddr } from '../sockaddr.ts';
import { Deferred } from './deferred.ts';
import { Delay } from './delay.ts';
import { SocketError } from './errors.ts';

/** How long IPv6 addresses are waited for when IPv4's are known (RFC 8305 section 3), in microseconds. */
export const RESOLUTION_DELAY_US = 50_000;
/** How long one attempt goes on alone (section 5), in microseconds. */
export const CONNECTION_ATTEMPT_DELAY_US = 250_000;
/** Addresses of one host that are tried. */
export const ADDRESSES_MAX = 32;

/** None of a host's addresses could be connected to: `errors` says why, address by address in the order of the tries. */
export class ConnectError extends SocketError {
  override name = 'ConnectError';
  readonly errors: readonly SocketError[];

  /** The code is that of the first try that had a route. */
  constructor(hostname: string, port: number, errors: readonly SocketError[]) {
    const telling = errors.find(({ errno }) => errno !== -ENETUNREACH) ?? errors[0];
    super('connect', telling?.errno ?? -ENETUNREACH, hostname, port);
    this.errors = errors;
    this.message += ` (${errors.map(({ address, code }) => `${address} ${code}`).join(', ')})`;
  }
}

/** A descriptor whose connection stands. */
export interface Connected {
  readonly fd: number;
  readonly remote: Sockaddr;
}

/** What is needed to try addresses. */
export interface Dialer {
  readonly sys: Sys;
  readonly resolver: NameResolver;
  /** A fresh TCP socket for an address, or -errno. */
  readonly open: (address: IpAddress) => number;
}

/** One connection to one host. */
export class HappyEyeballs {
  private readonly dialer: Dialer;
  private readonly hostname: string;
  private readonly port: number;
  private readonly result: Deferred<Connected>;
  /** Ends the lookup and every attempt. */
  private readonly controller = new AbortController();
  /** Until more addresses are there, then until the next one is tried. */
  private readonly delay: Delay;
  /** In the order in which they will be tried. */
  private untried: readonly IpAddress[] = [];
  private readonly errors: SocketError[] = [];
  /** Families of which it is known what addresses there are. */
  private readonly known = new Set<AddressFamily>();
  private lookupDone = false;
  private resolutionDelayOver = false;
  private lastFamily: AddressFamily | null = null;
  private tried = 0;
  private underWay = 0;

  constructor(dialer: Dialer, hostname: string, port: number) {
    this.dialer = dialer;
    this.hostname = hostname;
    this.port = port;
    const { host } = dialer.sys.context;
    this.result = new Deferred(host.env);
    this.delay = new Delay(host, () => {
      this.resolutionDelayOver = true;
      this.step();
    });
  }

  /** The first connection that stands. Rejects with ConnectError, what the lookup rejects with, or the reason of `stop`. */
  run(): Promise<Connected> {
    const { signal } = this.controller;
    this.dialer.resolver
      .findAddresses(this.hostname, (family, addresses) => this.found(family, addresses), { signal })
      .then(
        () => this.endLookup(),
        error => (this.tried > 0 || this.untried.length > 0 ? this.endLookup() : this.stop(error)),
      );
    return this.result.promise;
  }

  /** Gives everything up. */
  stop(reason: unknown): void {
    if (this.result.settled) return;
    this.result.reject(reason);
    this.end();
  }

  private end(): void {
    this.delay.stop();
    this.controller.abort();
  }

  private found(family: AddressFamily, addresses: readonly IpAddress[]): void {
    this.known.add(family);
    const { ip } = this.dialer.sys.context.tcp;
    this.untried = this.interlaced(ip.sortDestinations([...this.untried, ...addresses]));
    this.step();
  }

  private endLookup(): void {
    this.lookupDone = true;
    this.step();
  }

  /** The families in turn, beginning with the one that is preferred or, later, was not tried last (section 4). */
  private interlaced(sorted: readonly IpAddress[]): readonly IpAddress[] {
    const first = this.lastFamily === null ? sorted[0]?.family : other(this.lastFamily);
    const [one, two] = [
      sorted.filter(({ family }) => family === first),
      sorted.filter(({ family }) => family !== first),
    ];
    const order = sorted.flatMap((_, i) => [...one.slice(i, i + 1), ...two.slice(i, i + 1)]);
    return order.slice(0, ADDRESSES_MAX - this.tried);
  }

  /** Does what the present state asks for: wait for more addresses, try one, or give up. */
  private step(): void {
    if (this.result.settled) return;
    // What the first attempt waits for may have come; the others have to wait.
    if (this.delay.running && (this.tried > 0 || !this.mayBegin())) return;
    if (this.untried.length === 0) {
      if (this.lookupDone && this.underWay === 0) {
        this.stop(new ConnectError(this.hostname, this.port, this.errors));
      }
    } else if (this.mayBegin()) {
      void this.tryNext();
    } else {
      this.delay.start(RESOLUTION_DELAY_US);
    }
  }

  private mayBegin(): boolean {
    return this.lookupDone || this.resolutionDelayOver || this.known.has(AF_INET6);
  }

  private async tryNext(): Promise<void> {
    const [address, ...rest] = this.untried as [IpAddress, ...IpAddress[]];
    this.untried = rest;
    this.lastFamily = address.family;
    this.tried++;
    this.underWay++;
    this.delay.start(CONNECTION_ATTEMPT_DELAY_US);
    const { sys, open } = this.dialer;
    const remote = { family: address.family, address, port: this.port };
    const fd = open(address);
    const { signal } = this.controller;
    const result = fd < 0 ? fd : await sys.wait.connect(fd, remote, { signal });
    this.underWay--;
    if (result === 0 && !this.result.settled) {
      this.result.resolve({ fd, remote });
      this.end();
      return;
    }
    if (fd >= 0) sys.close(fd);
    if (this.result.settled) return;
    // A descriptor that was closed under the call: the whole stack was closed.
    const errno = result === -EBADF ? -ECONNABORTED : result;
    this.errors.push(new SocketError('connect', errno, String(address), this.port));
    // Who has failed needs no time of its own.
    this.delay.stop();
    this.step();
  }
}

function other(family: AddressFamily): AddressFamily {
  return family === AF_INET ? AF_INET6 : AF_INET;
}
