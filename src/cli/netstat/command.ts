import { Command } from 'commander';
import { formatNetstat } from '../../view/netstat.ts';
import { EXIT_USAGE, Failure } from '../failure.ts';
import { parseInteger } from '../host/arguments.ts';
import { print } from '../output.ts';
import { askRunning, type Choice } from '../running.ts';

interface NetstatOptions extends Choice {
  readonly statistics?: true;
  readonly json?: true;
}

const PID_MAX = 4_194_304;

/** `ethertype netstat`. */
export function netstatCommand(): Command {
  return new Command('netstat')
    .summary('the counters of a running stack')
    .description(
      "Prints the counters of this user's running stacks that are not zero, as netstat -s does the kernel's.",
    )
    .option('-s, --statistics', 'the counters; has to be given')
    .option('--pid <number>', 'of this process only', parseInteger(1, PID_MAX))
    .option('--tap <name>', 'of the stack on this device only')
    .option('--json', 'all counters as JSON, a line for each stack')
    .helpOption('-h, --help', 'print this help')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      `
Example:
  $ sudo npx ethertype netstat -s

Exit status: 0, 1 when no stack of this user is running or it does not answer, 2 for a wrong command line.`,
    )
    .action(netstat);
}

async function netstat(options: NetstatOptions): Promise<void> {
  if (options.statistics !== true)
    throw new Failure('only netstat -s is there; for the sockets use: ethertype ss', EXIT_USAGE);
  const stacks = await askRunning(options, 'counters');
  for (const { heading, pid, device, answer } of stacks) {
    if (options.json === true) {
      print(`${JSON.stringify({ pid, device, counters: answer })}\n`);
      continue;
    }
    const lines = formatNetstat(answer);
    if (stacks.length > 1) lines.unshift(heading);
    print(lines.map(line => `${line}\n`).join(''));
  }
}
