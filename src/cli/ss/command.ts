import { Command, Option } from 'commander';
import { parseInteger } from '../host/arguments.ts';
import { addFamilyOptions } from '../host/family.ts';
import { print } from '../output.ts';
import { ask, NETWORK_VIEWS, type WhatOptions } from './shown.ts';

interface SsOptions extends WhatOptions {
  readonly numeric?: true;
  readonly json?: true;
}

const PID_MAX = 4_194_304;
/** What makes no sense where no sockets are listed. */
const SOCKET_OPTIONS = ['tcp', 'udp', 'listening', 'all', 'info', 'options'];

/** `ethertype ss`. */
export function ssCommand(): Command {
  const command = new Command('ss')
    .summary('the sockets, addresses, routes and neighbours of a running stack')
    .description(
      "Lists the sockets of this user's running stacks (serve, nc ...), as ss does those of the kernel; or, as ip " +
        'does, their addresses, routes and neighbours.',
    )
    .option('-t, --tcp', 'TCP only')
    .option('-u, --udp', 'UDP only')
    .option('-l, --listening', 'those that listen only')
    .option('-a, --all', 'those that listen, too, and those in TIME-WAIT')
    .option('-i, --info', 'what TCP knows of each connection')
    .option('-o, --options', 'the timer of each connection')
    .option('-n, --numeric', 'as always: no names');
  for (const [name, what] of Object.entries(NETWORK_VIEWS)) {
    const others = Object.keys(NETWORK_VIEWS).filter(other => other !== name);
    command.addOption(new Option(`--${name}`, what).conflicts([...SOCKET_OPTIONS, ...others]));
  }
  return addFamilyOptions(command)
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
  $ sudo npx ethertype ss --route -6

Exit status: 0, 1 when no stack of this user is running or it does not answer, 2 for a wrong command line.`,
    )
    .action(ss);
}

async function ss(options: SsOptions): Promise<void> {
  const shown = await ask(options);
  for (const { stack, name, rows, lines } of shown) {
    const { heading, pid, device } = stack;
    if (options.json === true) print(`${JSON.stringify({ pid, device, [name]: rows })}\n`);
    else print((shown.length > 1 ? [heading, ...lines] : lines).map(line => `${line}\n`).join(''));
  }
}
