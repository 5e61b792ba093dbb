import { Command } from 'commander';
import type { IpAddress } from '../../wire/address.ts';
import { parseInteger, parsePort } from '../host/arguments.ts';
import { addHostOptions, type HostOptions } from '../host/options.ts';
import { withHost } from '../host/with-host.ts';
import { print } from '../output.ts';

interface SinkOptions extends HostOptions {
  readonly check?: true;
  readonly once?: true;
  readonly interval: number;
  readonly json?: true;
}

const SECONDS_MAX = 86_400;

/** `ethertype sink`. */
export function sinkCommand(): Command {
  const command = new Command('sink')
    .summary('receive as much as comes on a port of a real network, and say how fast')
    .description(
      'Listens on a TCP port, reads what comes and throws it away: the other end of `ethertype flood`.',
    )
    .argument('<port>', '', parsePort)
    .option('--check', 'verify that every byte is the one that `ethertype flood` sends there')
    .option('-1, --once', 'end when the last connection has ended, after at least one')
    .option('-i, --interval <seconds>', 'between reports', parseInteger(1, SECONDS_MAX), 1)
    .option('--json', 'reports as JSON lines');
  return addHostOptions(command)
    .helpOption('-h, --help', 'print this help')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      `
Examples:
  $ sudo npx ethertype sink 5001 &
  $ head -c 1G /dev/zero | nc -N 10.65.0.2 5001
  $ head -c 1G /dev/zero | nc -N fd65::2 5001
  $ sudo npx ethertype sink 5001 --check --once

Exit status: 0 after Ctrl-C, or with --once at the end; 1 when it cannot listen, or --check found a wrong byte, 2 for
a wrong command line.`,
    )
    .action(sink);
}

async function sink(port: number, options: SinkOptions): Promise<void> {
  const reach = (address: IpAddress): string => `${address} port ${port}`;
  await withHost(options, { name: 'sink', reach, lastWords: true }, async host => {
    const { runSink } = await import('./sink.ts');
    await runSink(host, {
      port,
      check: options.check ?? false,
      once: options.once ?? false,
      interval: options.interval,
      json: options.json ?? false,
      print,
    });
  });
}
