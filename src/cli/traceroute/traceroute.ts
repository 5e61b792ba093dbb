import { strerror } from '../../base/errno.ts';
import { Resolver } from '../../dns/resolver.ts';
import { SocketError } from '../../socket/api/errors.ts';
import type { Stack } from '../../stack/stack.ts';
import { formatTracerouteHeading, formatTracerouteHop } from '../../tools/format-traceroute.ts';
import { type TracerouteHop, type TracerouteOptions, traceroute } from '../../tools/traceroute.ts';
import { Failure } from '../failure.ts';
import { print } from '../output.ts';

/**
 * Traces the way to `address`, which `target` stands for, and prints a line a hop. Throws a Failure when the probes cannot
 * be sent.
 */
export async function runTraceroute(
  stack: Stack,
  { target, address }: { readonly target: string; readonly address: string },
  options: TracerouteOptions,
  numeric: boolean,
): Promise<void> {
  const run = traceroute(stack, address, options);
  const { maxHops, size } = run;
  print(`${formatTracerouteHeading({ destination: target, address: run.address, maxHops, size })}\n`);
  const resolver = new Resolver(stack);
  const names = new Map<string, string>();
  try {
    for await (const hop of run) {
      // Without a name server nothing is asked, and nothing is waited for.
      if (!numeric && stack.nameServers.length > 0) await lookUpNames(resolver, hop, names);
      print(`${formatTracerouteHop(hop, numeric, names)}\n`);
    }
  } catch (error) {
    if (!(error instanceof SocketError)) throw error;
    throw new Failure(`cannot trace the way to ${target}: ${error.syscall}: ${strerror(error.errno)}`);
  }
}

/** Adds the names of those who answered; one that has none is called by its address. */
async function lookUpNames(
  resolver: Resolver,
  { answers }: TracerouteHop,
  names: Map<string, string>,
): Promise<void> {
  for (const from of answers.map(answer => answer?.from ?? null)) {
    if (from === null || names.has(from)) continue;
    const [name = from] = await resolver.reverse(from).catch(() => []);
    names.set(from, name);
  }
}
