/**
 * The options that hold a command to one family, as ping and traceroute have them: -4 and -6, or the 6 in its name.
 * @module
 */
import { type Command, Option } from 'commander';
import { type AddressFamily, AF_INET, AF_INET6 } from '../../wire/address.ts';
import { EXIT_USAGE, Failure } from '../failure.ts';
import { isHostName } from './arguments.ts';

/** As commander gives them. */
export interface FamilyOptions {
  readonly ipv4?: true;
  readonly ipv6?: true;
}

/** Adds -4 and -6. */
export function addFamilyOptions(command: Command): Command {
  return command
    .addOption(new Option('-4, --ipv4', 'IPv4 only').conflicts('ipv6'))
    .addOption(new Option('-6, --ipv6', 'IPv6 only'));
}

/**
 * The family of a host argument; null for a name that may be of either. Throws a Failure when another one was asked
 * for.
 */
export function familyOf(host: string, { ipv4, ipv6 }: FamilyOptions): AddressFamily | null {
  const wanted = ipv6 === true ? AF_INET6 : ipv4 === true ? AF_INET : null;
  if (isHostName(host)) return wanted;
  const family = familyOfAddress(host);
  if (wanted === null || family === wanted) return family;
  throw new Failure(`'${host}' is not an IPv${wanted === AF_INET ? 4 : 6} address`, EXIT_USAGE);
}

/** The family of an address as text. */
export function familyOfAddress(address: string): AddressFamily {
  return address.includes(':') ? AF_INET6 : AF_INET;
}
