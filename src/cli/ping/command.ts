import { Command, InvalidArgumentError, Option } from 'commander';
import type { PingOptions } from '../../tools/ping.ts';
import { type AddressFamily, AF_INET } from '../../wire/address.ts';
import { EXIT_USAGE, Failure, SilentExit } from '../failure.ts';
import { parseHost, parseInteger } from '../host/arguments.ts';
import { addFamilyOptions, type FamilyOptions, familyOf, familyOfAddress } from '../host/family.ts';
import { addHostOptions, type HostOptions } from '../host/options.ts';
import { withHost } from '../host/with-host.ts';
import { parseMicroseconds } from '../units.ts';

interface PingCommandOptions extends HostOptions, FamilyOptions {
  readonly count?: number;
  readonly interval?: number;
  readonly size?: number;
  readonly flood?: true;
  readonly timeout?: number;
  readonly deadline?: number;
  readonly ttl?: number;
  readonly tos?: number;
  readonly pmtudisc?: 'do' | 'want' | 'dont';
  readonly broadcast?: true;
  readonly outstanding?: true;
}

const COUNT_MAX = 1e12;
/** The largest packet less the headers: the length of IPv6 does not count its own. */
const SIZE_MAX_V4 = 65507;
const SIZE_MAX_V6 = 65527;

/** `ethertype ping`. */
export function pingCommand(): Command {
  const command = new Command('ping').summary('ask a host on a real network for echo replies');
  return describe(addFamilyOptions(command)).action(ping);
}

/** `ethertype ping6`: ping -6. */
export function ping6Command(): Command {
  const command = new Command('ping6').summary('the same over IPv6');
  return describe(command).action((target: string, options: PingCommandOptions) =>
    ping(target, { ...options, ipv6: true }),
  );
}

function describe(command: Command): Command {
  const name = command.name();
  const host = name === 'ping6' ? 'fd65::1' : '10.65.0.1';
  command
    .description(
      'Sends ICMP echo requests and prints what comes back, in the lines of iputils. It goes on until Ctrl-C, which ' +
        'prints the statistics, or for as many as -c says.',
    )
    .argument('<host>', 'an IP address or a name', parseHost)
    .option('-c, --count <number>', 'end after so many answers', parseInteger(1, COUNT_MAX))
    .option('-i, --interval <seconds>', 'between two requests (default: 1)', parseSeconds)
    .option('-s, --size <bytes>', 'data in a request (default: 56)', parseInteger(0, SIZE_MAX_V6))
    .option('-f, --flood', 'as fast as the answers come: a dot for each request, taken away by its answer')
    .option('-W, --timeout <seconds>', 'how long to wait for the last answers (default: 10)', parseSeconds)
    .option('-w, --deadline <seconds>', 'end after this time, whatever came', parseSeconds)
    .option('-t, --ttl <number>', 'routers on the way at most (default: 64)', parseInteger(1, 255))
    .option('-Q, --tos <number>', 'the type-of-service byte', parseInteger(0, 255))
    .addOption(
      new Option('-M, --pmtudisc <how>', 'whether routers may cut the packets').choices([
        'do',
        'want',
        'dont',
      ]),
    )
    .option('-b, --broadcast', 'allow a broadcast address')
    .option('-O, --outstanding', 'say when there is no answer yet to the last request');
  return addHostOptions(command)
    .helpOption('-h, --help', 'print this help')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      `
Examples:
  $ sudo npx ethertype ${name} ${host}
  $ sudo npx ethertype ${name} -c 3 -s 4000 ${host} --trace packets
  $ sudo npx ethertype ${name} -f -c 1000 -q ${host}
  $ sudo npx ethertype ${name} fe80::1%eth0 --interface eth0 --slaac
  $ sudo npx ethertype ${name} www.example.test --dns 10.65.0.1

Exit status: 0 when there was an answer, 1 when there was none, 2 for a wrong command line, a name that is not
found or a request that cannot be sent.`,
    );
}

function parseSeconds(text: string): number {
  const us = parseMicroseconds(text);
  if (us === null) throw new InvalidArgumentError('Not a number of seconds from 0 to 86400.');
  return us;
}

async function ping(target: string, options: PingCommandOptions): Promise<void> {
  const family = familyOf(target, options);
  if (family !== null) checkSize(options, family);
  const setup = { name: 'ping', lastWords: true, notFound: EXIT_USAGE };
  const status = await withHost(options, setup, async host => {
    const { runPing } = await import('./ping.ts');
    const address = await host.lookup(target, family);
    checkSize(options, familyOfAddress(address));
    return runPing(host, { target, address }, settingsOf(options), options.quiet === true);
  });
  if (status !== 0) throw new SilentExit(status);
}

function checkSize({ size = 0 }: PingCommandOptions, family: AddressFamily): void {
  const most = family === AF_INET ? SIZE_MAX_V4 : SIZE_MAX_V6;
  if (size > most) throw new Failure(`--size ${size} is more than a packet holds: ${most} bytes`, EXIT_USAGE);
}

function settingsOf(options: PingCommandOptions): PingOptions {
  const { count, interval, size, flood, timeout, deadline, ttl, tos, pmtudisc, broadcast, outstanding } =
    options;
  return {
    ...(count === undefined ? {} : { count }),
    ...(interval === undefined ? {} : { intervalUs: interval }),
    ...(size === undefined ? {} : { size }),
    ...(timeout === undefined ? {} : { timeoutUs: timeout }),
    ...(deadline === undefined ? {} : { deadlineUs: deadline }),
    ...(ttl === undefined ? {} : { ttl }),
    ...(tos === undefined ? {} : { tos }),
    ...(pmtudisc === undefined ? {} : { dontFragment: pmtudisc }),
    flood: flood === true,
    broadcast: broadcast === true,
    pending: outstanding === true,
  };
}
