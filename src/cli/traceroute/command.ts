import { Command, InvalidArgumentError } from 'commander';
import type { TracerouteOptions } from '../../tools/traceroute.ts';
import type { IpAddress } from '../../wire/address.ts';
import { EXIT_USAGE, Failure } from '../failure.ts';
import { addHostOptions, type HostOptions, parseHost, parseInteger, parsePort } from '../host/options.ts';
import { withHost } from '../host/with-host.ts';
import { parseMicroseconds } from '../units.ts';

interface Wait {
  readonly waitUs: number;
  readonly hereFactor?: number;
  readonly nearFactor?: number;
}

interface TracerouteCommandOptions extends HostOptions {
  readonly firstHop: number;
  readonly maxHops: number;
  readonly queries: number;
  readonly wait?: Wait;
  readonly port: number;
  readonly simQueries: number;
  readonly dontFragment?: true;
  readonly tos?: number;
  readonly numeric?: true;
}

const HOPS_MAX = 255;
const QUERIES_MAX = 10;
const SIMULTANEOUS_MAX = 1000;
/** The headers of IPv4 and UDP, and the largest packet. */
const SIZE_MIN = 28;
const SIZE_MAX = 65535;
const SIZE = 60;

/** `ethertype traceroute`. */
export function tracerouteCommand(): Command {
  const command = new Command('traceroute')
    .summary('find the routers on the way to a host on a real network')
    .description(
      'Sends UDP datagrams to ports where nobody listens, with a TTL that grows, and prints who sends them back, in ' +
        "the lines of Linux's traceroute. !N, !H, !P: network, host, protocol unreachable; !X: prohibited; " +
        '!F-MTU: too big; *: no answer.',
    )
    .argument('<host>', 'an IP address', parseHost)
    .argument('[bytes]', `of a probe, with its headers (default: ${SIZE})`, parseInteger(SIZE_MIN, SIZE_MAX))
    .option('-f, --first-hop <number>', 'the TTL to begin with', parseInteger(1, HOPS_MAX), 1)
    .option('-m, --max-hops <number>', 'the TTL to end with', parseInteger(1, HOPS_MAX), 30)
    .option('-q, --queries <number>', 'probes a hop', parseInteger(1, QUERIES_MAX), 3)
    .option(
      '-w, --wait <max[,here,near]>',
      'seconds to wait for an answer; at most here times as long as another of the same hop took, near times as ' +
        'long as one of a later hop (default: 5,3,10)',
      parseWait,
    )
    .option('-p, --port <number>', 'the first port, one more for each probe', parsePort, 33434)
    .option('-N, --sim-queries <number>', 'probes under way at once', parseInteger(1, SIMULTANEOUS_MAX), 16)
    .option('-F, --dont-fragment', 'routers must not cut the probes')
    .option('-t, --tos <number>', 'the type-of-service byte', parseInteger(0, 255))
    .option('-n, --numeric', 'each address once (names are not looked up anyway)');
  return addHostOptions(command, '--quiet')
    .helpOption('-h, --help', 'print this help')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      `
Examples:
  $ sudo npx ethertype traceroute 192.0.2.1 --gateway 10.65.0.1
  $ sudo npx ethertype traceroute -n -q 1 -m 5 192.0.2.1 --gateway 10.65.0.1 --trace packets

Exit status: 0 when the probes could be sent, 1 when not, 2 for a wrong command line.`,
    )
    .action(traceroute);
}

function parseWait(text: string): Wait {
  const [max = '', here, near, ...rest] = text.split(',');
  const waitUs = parseMicroseconds(max);
  const factors = [here, near].map(factor => (factor === undefined ? undefined : Number(factor)));
  const wrong = [here, near].some(factor => factor !== undefined && !/^\d{1,3}(\.\d{1,3})?$/.test(factor));
  if (waitUs === null || waitUs === 0 || wrong || rest.length > 0)
    throw new InvalidArgumentError('Not seconds, or seconds and two factors, as 5,3,10.');
  const [hereFactor, nearFactor] = factors;
  return {
    waitUs,
    ...(hereFactor === undefined ? {} : { hereFactor }),
    ...(nearFactor === undefined ? {} : { nearFactor }),
  };
}

async function traceroute(
  target: IpAddress,
  size: number | undefined,
  options: TracerouteCommandOptions,
): Promise<void> {
  const { firstHop, maxHops, queries, wait, port, simQueries, tos } = options;
  if (firstHop > maxHops) {
    throw new Failure(`--first-hop ${firstHop} is behind --max-hops ${maxHops}`, EXIT_USAGE);
  }
  const settings: TracerouteOptions = {
    ...wait,
    firstHop,
    maxHops,
    queries,
    port,
    size: size ?? SIZE,
    simultaneous: simQueries,
    dontFragment: options.dontFragment === true,
    ...(tos === undefined ? {} : { tos }),
  };
  await withHost(options, { name: 'traceroute' }, async host => {
    const { runTraceroute } = await import('./traceroute.ts');
    await runTraceroute(host.stack, String(target), settings, options.numeric === true);
  });
}
