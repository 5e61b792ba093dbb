/**
 * The addresses of a stack: those that it was told, and those that it is told of by the network.
 * @module
 */
import { strerror } from '../../base/errno.ts';
import type { Link } from '../../core/link.ts';
import type { Netif } from '../../net/netif.ts';
import type { Stack } from '../../stack/stack.ts';
import { AF_INET } from '../../wire/address.ts';
import { Failure } from '../failure.ts';
import { say } from '../output.ts';
import { cidrText } from './addresses.ts';
import { waitForDhcp } from './dhcp.ts';
import type { Lifetime } from './lifetime.ts';
import type { HostPlan } from './plan.ts';
import { waitForSlaac } from './slaac.ts';

/** Puts the stack on the link of a plan, with the addresses given; ends `life` when one of them is another's. */
export function attach(stack: Stack, link: Link, plan: HostPlan, life: Lifetime): Netif {
  const { device: name, slaac, dhcp } = plan;
  stack.ip.ipv6.onAddress = (_, entry) => {
    if (entry.check !== 'duplicate' || entry.origin !== 'manual') return;
    life.end(new Failure(`${entry.address} is in use by another host on ${name}: take another --address`));
  };
  const addresses = plan.addresses.map(cidrText);
  const index = stack.attach(link, { name, addresses, ipv6: slaac, dhcp, ...gatewaysOf(plan) });
  const netif = stack.ip.netif(index);
  if (netif === null) throw new Failure(`cannot use ${addresses.join(', ')} on ${name}: ${strerror(index)}`);
  // What was said here comes before what the network says.
  stack.ip.dns.replace('static', index, plan.nameServers, []);
  return netif;
}

/** Resolves when what the network is to say is known, and was said to the user. Rejects with a Failure. */
export async function configure(stack: Stack, netif: Netif, plan: HostPlan): Promise<void> {
  const tell = (line: string): void => {
    if (!plan.quiet) say(line);
  };
  await Promise.all([
    plan.dhcp ? waitForDhcp(stack, plan.quiet).then(tell) : null,
    plan.slaac ? waitForSlaac(stack, netif).then(tell) : null,
  ]);
}

function gatewaysOf({ gateways }: HostPlan): { gateway?: string; gateway6?: string } {
  const options: { gateway?: string; gateway6?: string } = {};
  for (const gateway of gateways) {
    if (gateway.family === AF_INET) options.gateway = String(gateway);
    else options.gateway6 = String(gateway);
  }
  return options;
}
