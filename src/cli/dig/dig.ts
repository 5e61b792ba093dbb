import { VERSION } from '../../base/version.ts';
import { type Exchanged, exchange } from '../../dns/exchange.ts';
import { formatDigMessage, formatDigShort } from '../../dns/format-dig.ts';
import { RESOLVER_LIMITS } from '../../dns/limits.ts';
import { type NameServer, parseServer } from '../../dns/name-server.ts';
import { sockaddrOf } from '../../socket/sockaddr.ts';
import type { Stack } from '../../stack/stack.ts';
import { EXIT_USAGE, Failure } from '../failure.ts';
import { print } from '../output.ts';
import type { DigQuery } from './words.ts';

/** Exit status of dig when nobody answered. */
const EXIT_NO_REPLY = 9;

/** Asks, and prints what there is to say. `words` is the command line, for the first line. Resolves to the status. */
export async function runDig(
  stack: Stack,
  query: DigQuery,
  servers: readonly NameServer[],
  words: readonly string[],
): Promise<number> {
  const { settings } = query;
  const banner = settings.cmd && !settings.short ? bannerOf(words, servers.length) : [];
  for (let attempt = 0; attempt < settings.tries; attempt++) {
    for (const server of servers) {
      const found = await ask(stack, query, server);
      if (typeof found === 'string') {
        say([`;; communications error to ${placeOf(server)}: ${found}`]);
        continue;
      }
      if (found.tcp && !settings.tcp) say([';; Truncated, retrying in TCP mode.']);
      if (settings.short) say(formatDigShort(found.message));
      else say([...banner, ...formatDigMessage(found.message, settings), ...statsOf(query, server, found)]);
      return 0;
    }
  }
  say([...banner, ';; no servers could be reached']);
  return EXIT_NO_REPLY;
}

/** The servers to ask: the one with this address, or those that the stack knows. Throws a Failure. */
export function serversFor(stack: Stack, server: string | null, port: number): readonly NameServer[] {
  if (server !== null) return [{ ...parseServer(server, stack), port }];
  if (stack.nameServers.length === 0)
    throw new Failure('no name server is known: say which, as @10.65.0.1', EXIT_USAGE);
  return stack.nameServers.map(address => ({ address, port }));
}

/** The answer, or what dig calls the failure. */
async function ask(
  stack: Stack,
  query: DigQuery,
  { address, port }: NameServer,
): Promise<Exchanged | string> {
  const { name, type, settings } = query;
  const { edns, bufsize, dnssec, tcp, time, recurse, adflag, cdflag, ignore } = settings;
  const found = await exchange(stack.sys.as('dig'), {
    question: { name, type, class: query.class },
    server: sockaddrOf(address.family, address, port),
    tcp,
    flags: { rd: recurse, ad: adflag, cd: cdflag },
    edns: edns ? { udpSize: bufsize, version: 0, dnssecOk: dnssec, options: [] } : null,
    randomCase: false,
    keepTruncated: ignore,
    timeoutUs: time * 1e6,
    repeatUs: time * 1e6,
    strays: RESOLVER_LIMITS.strays,
  });
  if (typeof found !== 'string') return found;
  if (found === 'ETIMEOUT') return 'timed out';
  return found === 'ECONNREFUSED' ? 'connection refused' : 'no answer that makes sense';
}

function bannerOf(words: readonly string[], servers: number): string[] {
  return [
    '',
    `; <<>> ethertype dig ${VERSION} <<>> ${words.join(' ')}`,
    `; (${servers} server${servers === 1 ? '' : 's'} found)`,
    ';; global options: +cmd',
  ];
}

function statsOf({ settings }: DigQuery, server: NameServer, { tookUs, tcp, bytes }: Exchanged): string[] {
  if (!settings.stats) return [];
  return [
    `;; Query time: ${Math.round(tookUs / 1000)} msec`,
    `;; SERVER: ${placeOf(server)}(${server.address}) (${tcp ? 'TCP' : 'UDP'})`,
    `;; WHEN: ${localTime(new Date())}`,
    `;; MSG SIZE  rcvd: ${bytes}`,
    '',
  ];
}

function placeOf({ address, port }: NameServer): string {
  return `${address}#${port}`;
}

/** 'Sun Nov 22 07:02:18 UTC 2026' */
function localTime(date: Date): string {
  const [day, month, number, year] = date.toDateString().split(' ');
  const zone = date.toLocaleTimeString('en-US', { timeZoneName: 'short' }).split(' ').at(-1);
  return `${day} ${month} ${number} ${date.toTimeString().slice(0, 8)} ${zone} ${year}`;
}

function say(lines: readonly string[]): void {
  if (lines.length > 0) print(`${lines.join('\n')}\n`);
}
