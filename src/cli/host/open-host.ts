import type { Netif } from '../../net/netif.ts';
import { nodeEnv } from '../../node/env.ts';
import { Stack } from '../../stack/stack.ts';
import { TcpEndpoint } from '../../transport/tcp-endpoint.ts';
import { EXIT_FAILURE } from '../failure.ts';
import { LineWriter, say } from '../output.ts';
import { ownAddresses } from './addresses.ts';
import { captureTo } from './capture-file.ts';
import { attach, configure } from './configure.ts';
import type { Device } from './device.ts';
import { releaseLeases } from './dhcp.ts';
import { type Lifetime, pause } from './lifetime.ts';
import { openLinuxDevice } from './linux-device.ts';
import { Hosts } from './lookup.ts';
import type { HostPlan } from './plan.ts';
import { register } from './register.ts';
import { liveTraces } from './traces.ts';
import type { CommandHost, HostSetup } from './with-host.ts';

/** Makes the device, the stack and all that goes with it; `life` undoes it. Throws a Failure. */
export async function openHost(plan: HostPlan, setup: HostSetup, life: Lifetime): Promise<CommandHost> {
  const env = nodeEnv();
  // Before anything is made: a file that cannot be written is said at once.
  const capture = plan.write === null ? null : captureTo(plan.write, plan.mode === 'tun' ? 'ip' : 'ethernet');
  if (capture !== null) life.onEnd(() => capture.close());
  const registration = await register(plan, setup.name);
  life.onEnd(() => registration.close());
  const { left, note } = registration;
  const device = (setup.open ?? openLinuxDevice)(plan, { env, left, note });
  life.onEnd(() => device.close());
  // Where nobody else can be, nobody is asked: an IPv6 address can be used at once.
  const sysctl = device.isPrivate ? { dad_transmits: 0 } : {};
  const stack = new Stack({ env, name: setup.name, sysctl });
  life.onEnd(() => stack.close());
  const lines = new LineWriter(2, closed => life.end(closed));
  life.onEnd(() => lines.flush());
  stack.trace = liveTraces(plan.traces, line => lines.line(line));
  const link = capture === null ? device.link : capture.tap(device.link, env);
  const netif = attach(stack, link, plan, life);
  await registration.serve(stack);
  await life.run(configure(stack, netif, plan), false);
  const hosts = new Hosts(stack, netif, setup.notFound ?? EXIT_FAILURE);
  stack.resolver = hosts;
  let announced = plan.quiet;
  const announce = (): void => {
    if (!announced) say(reachLine(plan, setup, device, netif));
    announced = true;
  };
  if (setup.reach === undefined) announce();
  return {
    stack,
    env,
    signal: life.signal,
    announce,
    lookup: (host, family = null) => hosts.lookup(host, family),
    hosts,
    end: reason => life.end(reason),
  };
}

/** 'Reach it at http://10.65.0.2/ or http://[fd65::2]/ ; kernel side tap0 10.65.0.1/24 fd65::1/64' */
function reachLine(plan: HostPlan, setup: HostSetup, device: Device, netif: Netif): string {
  const { reach } = setup;
  const addresses = ownAddresses(netif).map(({ address }) => address.withZone(0));
  const where =
    plan.mode === 'packet'
      ? `on ${plan.device}, for others there`
      : ['kernel side', plan.device, ...device.kernelSides].join(' ');
  const what =
    reach === undefined
      ? `This stack is ${addresses.join(' ')}`
      : `Reach it at ${addresses.map(reach).join(' or ')}`;
  return `${what} ; ${where}`;
}

/** What is on its way at the end has this long to arrive. */
const LEAVE_MS = 1000;
const LEAVE_STEP_MS = 5;
/** States of a connection that has nothing more to say or to hear. */
const DONE: ReadonlySet<string> = new Set(['CLOSED', 'LISTEN', 'TIME_WAIT', 'SYN_RCVD']);

/** Says goodbye: to the peers of connections, then to the DHCP server. */
export async function leave(stack: Stack): Promise<void> {
  await closeSockets(stack);
  await releaseLeases(stack);
}

/**
 * Closes every socket and waits, not for long, until the peers have what was sent: a stack that is gone cannot send it
 * again. What is not done by then is reset, so that no peer waits for us.
 */
async function closeSockets(stack: Stack): Promise<void> {
  stack.host.refreshNow();
  stack.sys.closeAll();
  for (let waited = 0; waited < LEAVE_MS; waited += LEAVE_STEP_MS) {
    if (stack.sockets().every(({ state }) => DONE.has(state))) return;
    await pause(LEAVE_STEP_MS);
  }
  stack.host.refreshNow();
  for (const flow of [...stack.tcp.flows]) if (flow instanceof TcpEndpoint) flow.abort();
}
