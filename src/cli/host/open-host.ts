import { nodeEnv } from '../../node/env.ts';
import { Stack } from '../../stack/stack.ts';
import { TcpEndpoint } from '../../transport/tcp-endpoint.ts';
import { Failure } from '../failure.ts';
import { LineWriter, say } from '../output.ts';
import { captureTo } from './capture-file.ts';
import type { Device } from './device.ts';
import { type Lifetime, pause } from './lifetime.ts';
import { openLinuxDevice } from './linux-device.ts';
import type { HostPlan } from './options.ts';
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
  const stack = new Stack({ env, name: setup.name });
  life.onEnd(() => stack.close());
  const lines = new LineWriter(2, closed => life.end(closed));
  life.onEnd(() => lines.flush());
  stack.trace = liveTraces(plan.traces, line => lines.line(line));
  attach(stack, capture === null ? device : { ...device, link: capture.tap(device.link, env) }, plan);
  await registration.serve(stack);
  let announced = plan.quiet;
  const announce = (): void => {
    if (!announced) say(reachLine(plan, setup, device));
    announced = true;
  };
  if (setup.reach === undefined) announce();
  return {
    stack,
    env,
    plan,
    address: String(plan.address),
    kernelSide: device.kernelSide,
    signal: life.signal,
    announce,
    end: reason => life.end(reason),
  };
}

function attach(stack: Stack, device: Device, plan: HostPlan): void {
  const { address, prefixLength, gateway } = plan;
  const options = { address: `${address}/${prefixLength}` };
  const result = stack.attach(
    device.link,
    gateway === null ? options : { ...options, gateway: String(gateway) },
  );
  if (result < 0) throw new Failure(`cannot use ${options.address} with the gateway ${gateway}`);
}

function reachLine(plan: HostPlan, setup: HostSetup, device: Device): string {
  const address = String(plan.address);
  const side = device.kernelSide === null ? '' : ` ${device.kernelSide}`;
  const where =
    plan.mode === 'packet' ? `on ${plan.device}, for others there` : `kernel side ${plan.device}${side}`;
  const what = setup.reach === undefined ? `This stack is ${address}` : `Reach it at ${setup.reach(address)}`;
  return `${what} ; ${where}`;
}

/** What is on its way at the end has this long to arrive. */
const LEAVE_MS = 1000;
const LEAVE_STEP_MS = 5;
/** States of a connection that has nothing more to say or to hear. */
const DONE: ReadonlySet<string> = new Set(['CLOSED', 'LISTEN', 'TIME_WAIT', 'SYN_RCVD']);

/**
 * Closes every socket and waits, not for long, until the peers have what was sent: a stack that is gone cannot send it
 * again. What is not done by then is reset, so that no peer waits for us.
 */
export async function leave(stack: Stack): Promise<void> {
  stack.host.refreshNow();
  stack.sys.closeAll();
  for (let waited = 0; waited < LEAVE_MS; waited += LEAVE_STEP_MS) {
    if (stack.sockets().every(({ state }) => DONE.has(state))) return;
    await pause(LEAVE_STEP_MS);
  }
  stack.host.refreshNow();
  for (const flow of [...stack.tcp.flows]) if (flow instanceof TcpEndpoint) flow.abort();
}
