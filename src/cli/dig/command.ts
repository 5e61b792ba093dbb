import { Command } from 'commander';
import { SilentExit } from '../failure.ts';
import { parsePort } from '../host/arguments.ts';
import { addHostOptions, type HostOptions } from '../host/options.ts';
import { withHost } from '../host/with-host.ts';

interface DigOptions extends HostOptions {
  readonly reverse?: string;
  readonly type?: string;
  readonly class?: string;
  readonly port: number;
}

const DNS_PORT = 53;

/** `ethertype dig`. */
export function digCommand(): Command {
  const command = new Command('dig')
    .summary('ask a name server on a real network')
    .description('Asks a name server one question, over UDP or TCP, and prints the answer as dig does.')
    .usage('[options] [@server] <name> [type] [+option ...]')
    .argument(
      '<words...>',
      'a name and a type (A when not given), @ and the address of a server, options with +',
    )
    .option('-x, --reverse <address>', 'the names of an address: PTR of its name in in-addr.arpa or ip6.arpa')
    .option('-t, --type <type>', 'what the name is asked for, where it could be taken for a name')
    .option('-c, --class <class>', 'the class, IN when not given')
    .option('-p, --port <number>', 'of the server', parsePort, DNS_PORT);
  return addHostOptions(command, '--quiet')
    .helpOption('-h, --help', 'print this help')
    .addHelpText(
      'after',
      `
Options with a plus, each also with no in front (+noedns):
  +tcp +short +recurse +edns +dnssec +adflag +cdflag +ignore (truncation)
  +all, or of that: +cmd +comments +question +answer +authority +additional +stats
  +bufsize=BYTES (1232)  +time=SECONDS (5)  +tries=NUMBER (3)

Examples:
  $ sudo npx ethertype dig @10.65.0.1 www.example.test
  $ sudo npx ethertype dig @10.65.0.1 example.test MX +short
  $ sudo npx ethertype dig @10.65.0.1 -x 10.65.0.2 +tcp
  $ sudo npx ethertype dig www.example.test AAAA --interface eth0 --slaac

Exit status: 0 when there was an answer, whatever it says; 2 for a wrong command line; 9 when no server answered.`,
    )
    .action(dig);
}

async function dig(words: readonly string[], options: DigOptions): Promise<void> {
  // Loaded only now: no other command needs a library for DNS to start.
  const { parseDig } = await import('./words.ts');
  const query = parseDig(words, options);
  const status = await withHost(options, { name: 'dig' }, async host => {
    const { runDig, serversFor } = await import('./dig.ts');
    const server = query.server === null ? null : await host.lookup(query.server);
    const servers = serversFor(host.stack, server, options.port);
    return runDig(host.stack, query, servers, words);
  });
  if (status !== 0) throw new SilentExit(status);
}
