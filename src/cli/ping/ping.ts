import { strerror } from '../../base/errno.ts';
import { SocketError } from '../../socket/api/errors.ts';
import type { Stack } from '../../stack/stack.ts';
import { formatPingEvent, formatPingHeading, formatPingStatistics } from '../../tools/format-ping.ts';
import { type Ping, type PingEvent, type PingOptions, ping } from '../../tools/ping.ts';
import { EXIT_USAGE, Failure } from '../failure.ts';
import type { CommandHost } from '../host/with-host.ts';
import { print, say } from '../output.ts';

/** The exit status of a ping that nobody answered. */
const EXIT_NO_ANSWER = 1;

/**
 * Pings `address` until it is done or the host's signal aborts, and prints what there is to say of `target`, which stands
 * for it. Resolves to the exit status.
 */
export async function runPing(
  host: Pick<CommandHost, 'stack' | 'signal'>,
  { target, address }: { readonly target: string; readonly address: string },
  options: PingOptions,
  quiet: boolean,
): Promise<number> {
  const run = open(host.stack, target, address, options);
  host.signal.addEventListener('abort', () => run.stop(), { once: true });
  if (host.signal.aborted) run.stop();
  print(`${formatPingHeading({ destination: target, address: run.address, size: run.size })}\n`);
  await show(run, options.flood === true, quiet);
  const gaps = options.flood === true || options.intervalUs === 0;
  print(`\n${formatPingStatistics(target, run.statistics, gaps)}`);
  return run.statistics.received > 0 ? 0 : EXIT_NO_ANSWER;
}

function open(stack: Stack, target: string, address: string, options: PingOptions): Ping {
  try {
    return ping(stack, address, options);
  } catch (error) {
    if (!(error instanceof SocketError)) throw error;
    throw new Failure(`cannot ping ${target}: ${error.syscall}: ${strerror(error.errno)}`, EXIT_USAGE);
  }
}

async function show(run: Ping, flood: boolean, quiet: boolean): Promise<void> {
  for await (const event of run) {
    if (quiet) continue;
    if (flood) {
      print(MARKS[event.type]);
    } else {
      const line = formatPingEvent(event);
      if (isOurOwn(event)) say(line);
      else if (line !== '') print(`${line}\n`);
    }
  }
}

/** What a flood prints: a dot for each request, which its answer takes back. */
const MARKS = { sent: '.', reply: '\b \b', error: '\bE', pending: '' } as const;

/** This host could not send it. */
function isOurOwn(event: PingEvent): boolean {
  return event.type === 'error' && event.from === null;
}
