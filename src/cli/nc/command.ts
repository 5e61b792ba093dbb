import { Command, InvalidArgumentError } from 'commander';
import type { IpAddress } from '../../wire/address.ts';
import { EXIT_USAGE, Failure } from '../failure.ts';
import { parseHost, parseInteger, parsePort } from '../host/arguments.ts';
import { addHostOptions, type HostOptions } from '../host/options.ts';
import { withHost } from '../host/with-host.ts';
import type { NcSettings } from './nc.ts';

interface NcOptions extends HostOptions {
  readonly listen?: true;
  readonly udp?: true;
  readonly verbose?: true;
  readonly wait?: number;
}

const SECONDS_MAX = 86_400;

/** `ethertype nc`. */
export function ncCommand(): Command {
  const command = new Command('nc')
    .summary('connect standard input and output to a connection on a real network')
    .description(
      'Sends standard input to a TCP or UDP peer and writes what comes back to standard output. The end of standard ' +
        'input closes our direction of a TCP connection; the command ends when both directions are closed.',
    )
    .usage('[options] <host> <port>\n       ethertype nc [options] -l <port>')
    .argument('<host>', 'an IP address or a name; with -l the port')
    .argument('[port]')
    .option('-l, --listen', 'wait for one peer instead')
    .option('-u, --udp', 'UDP; without -l it ends a second after the end of standard input, see -w')
    .option('-v, --verbose', 'say who is connected')
    .option(
      '-w, --wait <seconds>',
      'give up connecting, and end, when nothing was sent or received for so long',
      parseInteger(1, SECONDS_MAX),
    );
  return addHostOptions(command)
    .helpOption('-h, --help', 'print this help')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      `
Examples:
  $ echo hello | sudo npx ethertype nc 10.65.0.1 7000
  $ echo hello | sudo npx ethertype nc fd65::1 7000
  $ echo hello | sudo npx ethertype nc www.example.test 80 --dns 10.65.0.1
  $ sudo npx ethertype nc -l 7000 --tap tap1 --address 10.66.0.2/24

Exit status: 0 when both directions were closed, 1 when the connection could not be made or broke, 2 for a wrong
command line.`,
    )
    .action(nc);
}

async function nc(first: string, second: string | undefined, options: NcOptions): Promise<void> {
  const settings = settingsOf(first, second, options);
  const { port, peer } = settings;
  const setup =
    peer === null
      ? {
          name: 'nc',
          reach: (address: IpAddress) => `${address} port ${port}${settings.udp ? ' (UDP)' : ''}`,
        }
      : { name: 'nc' };
  await withHost(options, setup, async host => {
    const { runNc, standardInputOutput } = await import('./nc.ts');
    const streams = standardInputOutput(() => host.announce());
    try {
      await runNc(host, settings, streams);
    } finally {
      streams.close();
    }
  });
}

function settingsOf(first: string, second: string | undefined, options: NcOptions): NcSettings {
  const { listen = false, udp = false, verbose = false, wait = null } = options;
  const common = { udp, verbose, waitSeconds: wait };
  if (listen) {
    if (second !== undefined) throw new Failure('-l takes a port only (see ethertype --help)', EXIT_USAGE);
    return { ...common, peer: null, port: argument('port', first, parsePort) };
  }
  if (second === undefined) throw new Failure("missing argument 'port' (see ethertype --help)", EXIT_USAGE);
  return { ...common, peer: argument('host', first, parseHost), port: argument('port', second, parsePort) };
}

/** An argument whose meaning depends on an option: commander cannot parse it. */
function argument<T>(name: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    const why = error.message.replace(/\.$/, '');
    throw new Failure(`argument '${name}': '${text}' is invalid. ${why} (see ethertype --help)`, EXIT_USAGE);
  }
}
