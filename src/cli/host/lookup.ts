/**
 * The hosts that a command is told to reach: addresses, or names that are looked up.
 * @module
 */
import type { NameResolver } from '../../core/name-resolver.ts';
import { DnsError, dnsReason } from '../../dns/errors.ts';
import { Resolver } from '../../dns/resolver.ts';
import type { Netif } from '../../net/netif.ts';
import type { Stack } from '../../stack/stack.ts';
import { type AddressFamily, AF_INET, AF_INET6, IpAddress } from '../../wire/address.ts';
import { EXIT_USAGE, Failure } from '../failure.ts';
import { isHostName } from './arguments.ts';

/** Finds hosts for a stack on one link. All that fails is a Failure. */
export class Hosts implements NameResolver {
  private readonly netif: Netif;
  private readonly stack: Stack;
  private readonly resolver: Resolver;
  private readonly exitStatus: number;

  /** `exitStatus`: of the command when a name is not found. */
  constructor(stack: Stack, netif: Netif, exitStatus: number) {
    this.stack = stack;
    this.netif = netif;
    this.resolver = new Resolver(stack);
    this.exitStatus = exitStatus;
  }

  /** The address to send to, with its zone if it needs one: 'fe80::1%tap0'. Of the name's family, if one is given. */
  async lookup(host: string, family: AddressFamily | null): Promise<string> {
    if (!isHostName(host)) return this.stack.ip.textOf(this.address(host));
    try {
      const options = family === null ? {} : { family: family === AF_INET ? (4 as const) : (6 as const) };
      const [first = ''] = await this.resolver.lookup(host, options);
      return first;
    } catch (error) {
      throw this.failure(host, error);
    }
  }

  async findAddresses(
    host: string,
    found: (family: AddressFamily, addresses: readonly IpAddress[]) => void,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    if (isHostName(host)) {
      await this.resolver.findAddresses(host, found, options).catch(error => {
        throw this.failure(host, error);
      });
      return;
    }
    const address = this.address(host);
    for (const family of [AF_INET6, AF_INET] as const)
      found(family, address.family === family ? [address] : []);
  }

  /** The zone of a link-local address is the one link there is, if it is left out. Throws a Failure for another one. */
  private address(text: string): IpAddress {
    const { name, index } = this.netif;
    const address = IpAddress.parse(text, zone => (zone === name ? index : 0));
    if (address === null || (address.zone !== 0 && address.zone !== index))
      throw new Failure(`'${text}' is on another link: this stack is on ${name} alone`, EXIT_USAGE);
    return address.withZone(index);
  }

  private failure(host: string, error: unknown): unknown {
    if (!(error instanceof DnsError)) return error;
    const hint = error.code === 'ENOSERVER' ? ': say which with --dns, as --dns 10.65.0.1' : '';
    return new Failure(`cannot find the host '${host}': ${dnsReason(error.code)}${hint}`, this.exitStatus);
  }
}
