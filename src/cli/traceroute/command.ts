import { Command, InvalidArgumentError } from 'commander';
import type { TracerouteOptions } from '../../tools/traceroute.ts';
import { type AddressFamily, AF_INET, AF_INET6 } from '../../wire/address.ts';
import { EXIT_USAGE, Failure } from '../failure.ts';
import { parseHost, parseInteger, parsePort } from '../host/arguments.ts';
import { addFamilyOptions, type FamilyOptions, familyOf, familyOfAddress } from '../host/family.ts';
import { addHostOptions, type HostOptions } from '../host/options.ts';
import { withHost } from '../host/with-host.ts';
import { parseMicroseconds } from '../units.ts';

interface Wait {
  readonly waitUs: number;
  readonly hereFactor?: number;
  readonly nearFactor?: number;
}

interface TracerouteCommandOptions extends HostOptions, FamilyOptions {
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
/** The headers of IP and UDP. */
const SIZE_MIN: Readonly<Record<AddressFamily, number>> = { [AF_INET]: 28, [AF_INET6]: 48 };
const SIZE_MAX = 65535;

/** `ethertype traceroute`. */
export function tracerouteCommand(): Command {
  const command = new Command('traceroute').summary(
    'find the routers on the way to a host on a real network',
  );
  return describe(addFamilyOptions(command)).action(traceroute);
}

/** `ethertype traceroute6`: traceroute -6. */
export function traceroute6Command(): Command {
  const command = new Command('traceroute6').summary('the same over IPv6');
  return describe(command).action(
    (target: string, size: number | undefined, options: TracerouteCommandOptions) =>
      traceroute(target, size, { ...options, ipv6: true }),
  );
}

function describe(command: Command): Command {
  const name = command.name();
  const where = name === 'traceroute6' ? '2001:db8::1 --gateway fd65::1' : '192.0.2.1 --gateway 10.65.0.1';
  command
    .description(
      'Sends UDP datagrams to ports where nobody listens, with a TTL that grows, and prints who sends them back, in ' +
        "the lines of Linux's traceroute. !N, !H, !P: network, host, protocol unreachable; !X: prohibited; " +
        '!F-MTU: too big; *: no answer.',
    )
    .argument('<host>', 'an IP address or a name', parseHost)
    .argument(
      '[bytes]',
      'of a probe, with its headers (default: 60, over IPv6 80)',
      parseInteger(SIZE_MIN[AF_INET], SIZE_MAX),
    )
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
    .option('-n, --numeric', 'addresses alone: their names are not looked up');
  return addHostOptions(command, '--quiet')
    .helpOption('-h, --help', 'print this help')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      `
Examples:
  $ sudo npx ethertype ${name} ${where}
  $ sudo npx ethertype ${name} -n -q 1 -m 5 ${where} --trace packets

Exit status: 0 when the probes could be sent, 1 when not, 2 for a wrong command line.`,
    );
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
  target: string,
  size: number | undefined,
  options: TracerouteCommandOptions,
): Promise<void> {
  const { firstHop, maxHops, queries, wait, port, simQueries, tos } = options;
  if (firstHop > maxHops) {
    throw new Failure(`--first-hop ${firstHop} is behind --max-hops ${maxHops}`, EXIT_USAGE);
  }
  const family = familyOf(target, options);
  if (family !== null) checkSize(size, family);
  const settings: TracerouteOptions = {
    ...wait,
    firstHop,
    maxHops,
    queries,
    port,
    simultaneous: simQueries,
    dontFragment: options.dontFragment === true,
    ...(size === undefined ? {} : { size }),
    ...(tos === undefined ? {} : { tos }),
  };
  await withHost(options, { name: 'traceroute' }, async host => {
    const { runTraceroute } = await import('./traceroute.ts');
    const address = await host.lookup(target, family);
    checkSize(size, familyOfAddress(address));
    await runTraceroute(host.stack, { target, address }, settings, options.numeric === true);
  });
}

function checkSize(size: number | undefined, family: AddressFamily): void {
  const least = SIZE_MIN[family];
  if (size !== undefined && size < least)
    throw new Failure(`${size} bytes are less than the headers: ${least}`, EXIT_USAGE);
}
