import { Command, InvalidArgumentError, Option } from 'commander';
import { parseHost, parseInteger, parsePort } from '../host/arguments.ts';
import { addHostOptions, type HostOptions } from '../host/options.ts';
import { withHost } from '../host/with-host.ts';
import { print } from '../output.ts';
import { parseBytes } from '../units.ts';

interface FloodOptions extends HostOptions {
  readonly seconds: number;
  readonly bytes?: number;
  readonly parallel: number;
  readonly interval: number;
  readonly json?: true;
}

const SECONDS_MAX = 86_400;
const PARALLEL_MAX = 128;

/** `ethertype flood`. */
export function floodCommand(): Command {
  const command = new Command('flood')
    .summary('send as much as goes to a port on a real network, and say how fast')
    .description(
      'Opens TCP connections to a port and sends as much as goes: a known pattern, which `ethertype sink --check` ' +
        'verifies. Any receiver will do that reads and throws away.',
    )
    .argument('<host>', 'an IP address', parseHost)
    .argument('<port>', '', parsePort)
    .option('-t, --seconds <number>', 'how long to send', parseInteger(1, SECONDS_MAX), 10)
    .addOption(
      new Option('-n, --bytes <number>', 'how much to send on each connection instead: 512, 64k, 10M, 1G')
        .argParser(parseByteCount)
        .conflicts('seconds'),
    )
    .option('-P, --parallel <number>', 'connections at once', parseInteger(1, PARALLEL_MAX), 1)
    .option('-i, --interval <seconds>', 'between reports', parseInteger(1, SECONDS_MAX), 1)
    .option('--json', 'reports as JSON lines');
  return addHostOptions(command)
    .helpOption('-h, --help', 'print this help')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      `
Examples:
  $ nc -l 5001 > /dev/null &
  $ sudo npx ethertype flood 10.65.0.1 5001 --seconds 5
  $ sudo npx ethertype flood fd65::1 5001 --bytes 1G --parallel 4 --json

Exit status: 0 when all was sent and acknowledged, 1 when a connection could not be made or broke, 2 for a wrong
command line.`,
    )
    .action(flood);
}

async function flood(peer: string, port: number, options: FloodOptions): Promise<void> {
  await withHost(options, { name: 'flood', lastWords: true }, async host => {
    const { runFlood } = await import('./flood.ts');
    await runFlood(host, {
      address: await host.lookup(peer),
      port,
      seconds: options.bytes === undefined ? options.seconds : null,
      bytes: options.bytes ?? null,
      parallel: options.parallel,
      interval: options.interval,
      json: options.json ?? false,
      print,
    });
  });
}

function parseByteCount(text: string): number {
  const bytes = parseBytes(text);
  if (bytes === null || bytes === 0)
    throw new InvalidArgumentError('Not a number of bytes, as 512, 64k or 1G.');
  return bytes;
}
