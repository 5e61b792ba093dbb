import { Command, InvalidArgumentError } from 'commander';
import { parseInteger } from '../host/arguments.ts';
import { addHostOptions, type HostOptions } from '../host/options.ts';
import { withHost } from '../host/with-host.ts';
import { EXIT_HOST_NOT_FOUND } from './exit.ts';
import { type Target, targetOf } from './target.ts';

/** The options of `get` alone. */
export interface GetSettings {
  readonly verbose?: true;
  readonly output?: string;
  readonly head?: true;
  readonly fail?: true;
  readonly silent?: true;
  readonly range?: string;
  readonly header: readonly (readonly [name: string, value: string])[];
  readonly connectTimeout?: number;
  readonly maxTime?: number;
}

interface GetOptions extends HostOptions, GetSettings {}

const SECONDS_MAX = 86_400;

/** `ethertype get`. */
export function getCommand(): Command {
  const command = new Command('get')
    .summary('fetch a URL from a real network')
    .description(
      'Fetches a URL by HTTP/1.1 through a TAP device, as curl does, and writes what comes to standard output.',
    )
    .argument('<url>', 'http:// and a name or an IP address')
    .option('-v, --verbose', 'show what is sent and received, as curl -v does')
    .option('-o, --output <file>', 'write to a file')
    .option('-I, --head', 'ask for the head only, and print it')
    .option('-f, --fail', 'end with 22, and write nothing, when the answer is an error (400 and above)')
    .option('-s, --silent', 'no progress')
    .option('-r, --range <range>', "only these bytes: '0-499', '-500'", parseRange)
    .option('-H, --header <line>', "one more field: 'Name: value'", collectHeader, [])
    .option('--connect-timeout <seconds>', 'for the connection to stand', parseInteger(1, SECONDS_MAX))
    .option('-m, --max-time <seconds>', 'for everything', parseInteger(1, SECONDS_MAX));
  return addHostOptions(command)
    .helpOption('-h, --help', 'print this help')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      `
Examples:
  $ sudo npx ethertype get http://10.65.0.1:8000/ -v
  $ sudo npx ethertype get http://[fd65::1]:8000/
  $ sudo npx ethertype get http://10.65.0.1/big.iso -o big.iso --write get.pcap
  $ sudo npx ethertype get http://www.example.test/ --dns 10.65.0.1

Exit status, as curl's: 0 when all went well, 1 when it is no http URL or there is no device, 2 for a wrong
command line, 3 when it is no URL, 6 for a name that is not found, 7 when there was no connection, 8 when the
answer was not HTTP, 18 when it was cut short, 22 for an error with --fail, 23 when it could not be written, 28
when it took too long, 52 for no answer, 55 and 56 when sending and receiving failed.`,
    )
    .action(get);
}

async function get(url: string, options: GetOptions): Promise<void> {
  const target: Target = targetOf(url);
  await withHost(options, { name: 'get', notFound: EXIT_HOST_NOT_FOUND }, async host => {
    const { fetchUrl } = await import('./fetch.ts');
    await fetchUrl(host, target, options);
  });
}

function parseRange(text: string): string {
  if (!/^(\d+-\d*|-\d+)(,(\d+-\d*|-\d+))*$/.test(text))
    throw new InvalidArgumentError('Not a range of bytes.');
  return text;
}

function collectHeader(text: string, before: readonly (readonly [string, string])[]): [string, string][] {
  const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e\t]*)$/.exec(text);
  if (match === null) throw new InvalidArgumentError("Not a field, as 'Name: value'.");
  return [...(before as [string, string][]), [match[1] ?? '', (match[2] ?? '').trimEnd()]];
}
