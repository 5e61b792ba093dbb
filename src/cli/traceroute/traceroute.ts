import { strerror } from '../../base/errno.ts';
import { SocketError } from '../../socket/api/errors.ts';
import type { Stack } from '../../stack/stack.ts';
import { formatTracerouteHeading, formatTracerouteHop } from '../../tools/format-traceroute.ts';
import { type TracerouteOptions, traceroute } from '../../tools/traceroute.ts';
import { Failure } from '../failure.ts';
import { print } from '../output.ts';

/** Traces the way to a host and prints a line a hop. Throws a Failure when the probes cannot be sent. */
export async function runTraceroute(
  stack: Stack,
  target: string,
  options: TracerouteOptions,
  numeric: boolean,
): Promise<void> {
  const run = traceroute(stack, target, options);
  print(`${formatTracerouteHeading(run)}\n`);
  try {
    for await (const hop of run) print(`${formatTracerouteHop(hop, numeric)}\n`);
  } catch (error) {
    if (!(error instanceof SocketError)) throw error;
    throw new Failure(`cannot trace the way to ${target}: ${error.syscall}: ${strerror(error.errno)}`);
  }
}
