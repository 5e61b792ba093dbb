import { Command } from 'commander';
import { formatSockets } from '../../view/ss.ts';
import { parseInteger } from '../host/arguments.ts';
import { print } from '../output.ts';
import { askRunning, type Choice } from '../running.ts';
import { chooseSockets, type SocketChoice } from './choose.ts';

interface SsOptions extends Choice, SocketChoice {
  readonly info?: true;
  readonly options?: true;
  readonly numeric?: true;
  readonly json?: true;
}

const PID_MAX = 4_194_304;

/** `ethertype ss`. */
export function ssCommand(): Command {
  return new Command('ss')
    .summary('the sockets of a running stack')
    .description(
      "Lists the sockets of this user's running stacks (serve, nc ...), as ss does those of the kernel.",
    )
    .option('-t, --tcp', 'TCP only')
    .option('-u, --udp', 'UDP only')
    .option('-l, --listening', 'those that listen only')
    .option('-a, --all', 'those that listen, too, and those in TIME-WAIT')
    .option('-i, --info', 'what TCP knows of each connection')
    .option('-o, --options', 'the timer of each connection')
    .option('-n, --numeric', 'as always: no names')
    .option('-H, --no-header', 'no heading')
    .option('--pid <number>', 'of this process only', parseInteger(1, PID_MAX))
    .option('--tap <name>', 'of the stack on this device only')
    .option('--json', 'as JSON, a line for each stack')
    .helpOption('-h, --help', 'print this help')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      `
Examples:
  $ sudo npx ethertype ss -tino
  $ sudo npx ethertype ss -a --tap tap1

Exit status: 0, 1 when no stack of this user is running or it does not answer, 2 for a wrong command line.`,
    )
    .action(ss);
}

async function ss(options: SsOptions & { readonly header: boolean }): Promise<void> {
  const stacks = await askRunning(options, 'sockets');
  const both = (options.tcp ?? false) === (options.udp ?? false);
  for (const { heading, pid, device, answer } of stacks) {
    const rows = chooseSockets(answer, options);
    if (options.json === true) {
      print(`${JSON.stringify({ pid, device, sockets: rows })}\n`);
      continue;
    }
    const lines = formatSockets(rows, {
      info: options.info ?? false,
      timer: options.options ?? false,
      netid: both,
    });
    if (!options.header) lines.shift();
    if (stacks.length > 1) lines.unshift(heading);
    print(lines.map(line => `${line}\n`).join(''));
  }
}
