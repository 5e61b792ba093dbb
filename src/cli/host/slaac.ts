/**
 * Waiting for a router to say which IPv6 address this host may make itself (RFC 4862).
 * @module
 */
import type { Ipv6Address } from '../../net/ipv6-address.ts';
import type { Netif } from '../../net/netif.ts';
import type { Stack } from '../../stack/stack.ts';
import type { IpAddress } from '../../wire/address.ts';
import { Failure } from '../failure.ts';
import { cidrText } from './addresses.ts';
import { pause } from './lifetime.ts';

/**
 * How long it is waited: two checks for duplicates (up to 2 seconds each, RFC 4862 section 5.4), and three questions
 * for routers, 4 seconds apart (RFC 4861 section 6.3.7).
 */
const SLAAC_MS = 16_000;
const STEP_MS = 20;

/** Resolves to a line that says what came, once an address is certain. Rejects with a Failure when none is in time. */
export async function waitForSlaac(stack: Stack, netif: Netif, limitMs = SLAAC_MS): Promise<string> {
  for (let waited = 0; waited < limitMs; waited += STEP_MS) {
    const entry = slaacAddress(netif);
    if (entry !== null) return lineOf(stack, entry);
    await pause(STEP_MS);
  }
  throw new Failure(`${whyNot(stack, netif)} (it was waited for ${limitMs / 1000} s)`);
}

function slaacAddress(netif: Netif): Ipv6Address | null {
  const isThere = ({ origin, check }: Ipv6Address): boolean => origin === 'slaac' && check === 'done';
  return netif.ipv6?.addresses.find(isThere) ?? null;
}

/** 'SLAAC: fd65:1::7c1b:2/64 ; router fe80::1%tap0 ; name servers fd65:1::1' */
function lineOf({ ip }: Stack, entry: Ipv6Address): string {
  const { defaultRouters, nameServers } = ip.ipv6;
  const names = (addresses: readonly IpAddress[]): string =>
    addresses.map(address => ip.textOf(address)).join(' ');
  return [
    `SLAAC: ${cidrText(entry)}`,
    defaultRouters.length === 0 ? 'no router to other networks' : `router ${names(defaultRouters)}`,
    ...(nameServers.length === 0 ? [] : [`name servers ${names(nameServers)}`]),
  ].join(' ; ');
}

function whyNot({ ip }: Stack, { name, ipv6 }: Netif): string {
  if (ipv6?.linkLocal === null) return `--slaac: no link-local address on ${name} is free`;
  if (ipv6?.addresses.some(({ origin }) => origin === 'slaac') === true)
    return `--slaac: other hosts on ${name} have the addresses that this one made itself`;
  const [router] = ip.ipv6.defaultRouters;
  return router === undefined
    ? `--slaac: no router on ${name} gives addresses: is one there? else give an --address`
    : `--slaac: the router ${ip.textOf(router)} gives no prefix for addresses: give an --address`;
}
