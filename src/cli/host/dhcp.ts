/**
 * Waiting for a DHCP server to give this host an IPv4 address.
 * @module
 */
import { type Ipv4Settings, LINK_LOCAL_AFTER_SECONDS } from '../../dhcp/ipv4-configuration.ts';
import type { DhcpLease } from '../../dhcp/lease.ts';
import type { Stack } from '../../stack/stack.ts';
import { say } from '../output.ts';
import { formatSeconds } from '../units.ts';
import { cidrText } from './addresses.ts';
import { pause } from './lifetime.ts';

/** After so long without an answer the user is told what it is waited for, in milliseconds. */
const SILENCE_MS = 8000;

/**
 * Resolves to a line that says what came: a lease, or a link-local address when there was none for a minute. Until then
 * it says once, if it is not to be `quiet`, that it waits.
 */
export async function waitForDhcp(stack: Stack, quiet: boolean): Promise<string> {
  const configured = stack.configured();
  const silent = pause(SILENCE_MS).then(() => null);
  const settings = await Promise.race([configured, silent]);
  if (settings === null && !quiet && !hasOffer(stack))
    say(
      `DHCP: no server answers; in ${LINK_LOCAL_AFTER_SECONDS - SILENCE_MS / 1000} s a link-local address is taken`,
    );
  const [found] = settings ?? (await configured);
  return found === undefined ? 'DHCP: nothing to do' : lineOf(stack, found);
}

/** Whether a server has offered an address, which is being checked or asked for. */
function hasOffer(stack: Stack): boolean {
  const states = stack.ip.netifs.map(netif => stack.autoconfiguration.of(netif)?.client.state);
  return states.some(state => state === 'REQUESTING' || state === 'CHECKING');
}

/** 'DHCP: 10.0.0.7/24 from 10.0.0.1 for 1 h ; router 10.0.0.1 ; name servers 10.0.0.1' */
function lineOf(stack: Stack, settings: Ipv4Settings): string {
  const { lease } = settings;
  const address = cidrText(settings);
  if (lease === null)
    return `DHCP: no server answered in ${LINK_LOCAL_AFTER_SECONDS} s ; link-local ${address} until one does`;
  const { server, nameServers } = lease;
  const router = routerOf(lease);
  return [
    `DHCP: ${address} from ${server} ${timeOf(lease)}`,
    router === null ? 'no router to other networks' : `router ${router}`,
    ...(nameServers.length === 0
      ? []
      : [`name servers ${nameServers.map(each => stack.ip.textOf(each)).join(' ')}`]),
  ].join(' ; ');
}

function routerOf({ routes }: DhcpLease): string | null {
  const route = routes.find(({ prefixLength, router }) => prefixLength === 0 && !router.isUnspecified);
  return route === undefined ? null : String(route.router);
}

function timeOf({ leaseSeconds }: DhcpLease): string {
  return leaseSeconds === Number.POSITIVE_INFINITY ? 'for ever' : `for ${formatSeconds(leaseSeconds)}`;
}

/** What waits for the server's hardware address has this long, in milliseconds. */
const RELEASE_MS = 200;
const STEP_MS = 5;

/** Gives leases back, and waits until the servers can have heard of it. */
export async function releaseLeases(stack: Stack): Promise<void> {
  const { ip, autoconfiguration } = stack;
  const leased = ip.netifs.filter(netif => autoconfiguration.of(netif)?.client.lease != null);
  for (const netif of leased) autoconfiguration.stop(netif);
  if (leased.length === 0) return;
  const waits = (): boolean => ip.neighbors.list().some(({ queued }) => queued > 0);
  for (let waited = 0; waits() && waited < RELEASE_MS; waited += STEP_MS) await pause(STEP_MS);
}
