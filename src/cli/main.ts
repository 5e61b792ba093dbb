import { Command, CommanderError } from 'commander';
import { VERSION } from '../base/version.ts';
import { digCommand } from './dig/command.ts';
import { exploreCommand } from './explore/command.ts';
import { EXIT_USAGE, Failure, SilentExit } from './failure.ts';
import { floodCommand } from './flood/command.ts';
import { fuzzCommand } from './fuzz/command.ts';
import { getCommand } from './get/command.ts';
import { Interrupted } from './host/lifetime.ts';
import { ncCommand } from './nc/command.ts';
import { netstatCommand } from './netstat/command.ts';
import { OutputClosed, print } from './output.ts';
import { packetdrillCommand } from './packetdrill/command.ts';
import { ping6Command, pingCommand } from './ping/command.ts';
import { sceneCommand } from './scene/command.ts';
import { serveCommand } from './serve/command.ts';
import { simCommand } from './sim/command.ts';
import { sinkCommand } from './sink/command.ts';
import { ssCommand } from './ss/command.ts';
import { traceroute6Command, tracerouteCommand } from './traceroute/command.ts';
import { walkCommand } from './walk/command.ts';

/** Runs the command line `args` (without node and script) and resolves to the exit status. Never rejects. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    await program().parseAsync(args.length === 0 ? ['--help'] : [...args], { from: 'user' });
    return 0;
  } catch (error) {
    return exitStatusOf(error);
  }
}

function program(): Command {
  const command = new Command('ethertype')
    .description(
      'A complete TCP/IP stack in TypeScript: from an HTTP request down to the Ethernet frame and back.',
    )
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .addHelpText(
      'after',
      `
Examples:
  $ ethertype walk                     one HTTP request, from the application to the wire and back
  $ ethertype walk --write walk.pcap   the same, and its packets for tcpdump and Wireshark
  $ ethertype scene slow-start         one thing that a network does; without a name: which there are
  $ ethertype sim --seeds 500          random worlds on bad networks, and what must hold in them
  $ sudo ethertype serve .             serve this folder; then: curl http://10.65.0.2/
  $ ethertype help walk                everything about a command

Exit status: 0 when all went well, 1 when something could not be done, 2 for a wrong command line.`,
    );
  const embedded = [
    walkCommand(),
    sceneCommand(),
    simCommand(),
    fuzzCommand(),
    exploreCommand(),
    packetdrillCommand(),
  ];
  for (const each of embedded) command.addCommand(each.helpGroup('On an embedded network:'));
  const real = [
    serveCommand(),
    getCommand(),
    ncCommand(),
    pingCommand(),
    ping6Command(),
    tracerouteCommand(),
    traceroute6Command(),
    digCommand(),
    floodCommand(),
    sinkCommand(),
    ssCommand(),
    netstatCommand(),
  ];
  for (const each of real) command.addCommand(each.helpGroup('On a real network (Linux):'));
  command
    .command('help')
    .argument('[command]', 'its name; none for the help of ethertype itself')
    .description('print the help of a command')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', '\nExample:\n  $ ethertype help walk')
    .action((name?: string) => printHelp(command, name));
  for (const each of [command, ...command.commands]) quiet(each);
  return command;
}

function printHelp(command: Command, name: string | undefined): void {
  const wanted = name === undefined ? command : command.commands.find(each => each.name() === name);
  if (wanted === undefined) throw new Failure(`unknown command '${name}'`, EXIT_USAGE);
  wanted.outputHelp();
}

/** Commander's errors are thrown instead of printed, its help goes where ours goes. */
function quiet(command: Command): void {
  command
    .exitOverride()
    .showSuggestionAfterError(false)
    .configureOutput({ writeOut: print, writeErr: () => undefined, outputError: () => undefined });
}

function exitStatusOf(error: unknown): number {
  if (error instanceof OutputClosed) return 0;
  if (error instanceof CommanderError) {
    // Help and version come as "errors" with status 0.
    if (error.exitCode === 0) return 0;
    complain(`${error.message.replace(/^error: /, '').replace(/\.$/, '')} (see ethertype --help)`);
    return EXIT_USAGE;
  }
  if (error instanceof SilentExit) return error.exitStatus;
  if (error instanceof Interrupted) return error.die();
  if (error instanceof Failure) {
    complain(error.message);
    return error.exitStatus;
  }
  complain(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return 1;
}

function complain(message: string): void {
  process.stderr.write(`ethertype: ${message}\n`);
}
