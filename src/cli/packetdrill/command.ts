import { Command } from 'commander';
import { EXIT_USAGE, Failure, SilentExit } from '../failure.ts';
import { print } from '../output.ts';

interface PacketdrillOptions {
  readonly json?: true;
  readonly ipv6?: true;
  readonly verbose?: true;
  readonly strict?: true;
  readonly extended?: true;
  readonly scripts?: string;
}

/** `ethertype packetdrill`. */
export function packetdrillCommand(): Command {
  return new Command('packetdrill')
    .summary("run packetdrill's scripts against the stack, in virtual time")
    .description(
      "Runs scripts in packetdrill's language against the stack: the system calls of a program, the packets of its " +
        'peer, and the packets that must come, when. Prints what became of each script; a skip is not a pass.',
    )
    .argument('[files...]', 'scripts, or folders of them (*.pkt); none: all of those in --scripts')
    .option('--json', 'print one JSON object a script, nothing else')
    .option('--ipv6', 'over IPv6, where a script does not say')
    .option('--verbose', 'show what happens, too')
    .option('--strict', 'also fail for packets that no line expects, and for a wrong timestamp echoed')
    .option('--extended', 'understand the additions of docs/SCRIPTS.md')
    .option(
      '--scripts <dir>',
      'a checkout of packetdrill or other folder to look for scripts in (PACKETDRILL)',
    )
    .helpOption('-h, --help', 'print this help')
    .addHelpText(
      'after',
      `
Examples:
  $ ethertype packetdrill test.pkt
  $ ethertype packetdrill --scripts ~/packetdrill fast_recovery sack
  $ PACKETDRILL=~/packetdrill ethertype packetdrill --json

Exit status: 0 when no script failed, 1 when one did, 2 for a wrong command line.`,
    )
    .action(packetdrill);
}

async function packetdrill(paths: readonly string[], options: PacketdrillOptions): Promise<void> {
  // The stack is loaded only now, so that help and complaints come at once.
  const { findScripts } = await import('./files.ts');
  const { runFile } = await import('./run-file.ts');
  const { formatJson, formatResult, formatTotals } = await import('./report.ts');
  const scripts = options.scripts ?? process.env['PACKETDRILL'];
  if (paths.length === 0 && scripts === undefined)
    throw new Failure('packetdrill needs a script, a folder or --scripts', EXIT_USAGE);
  const results = [];
  for (const file of findScripts(paths, scripts)) {
    const verbose = options.verbose === true && options.json !== true;
    if (verbose) print(`${file}\n`);
    const result = await runFile(file, {
      family: options.ipv6 === true ? 'ipv6' : 'ipv4',
      house: options.extended === true,
      strict: options.strict === true || options.extended === true,
      note: verbose ? line => print(`  ${line}\n`) : null,
    });
    results.push(result);
    print(options.json === true ? formatJson(result) : formatResult(result, verbose));
  }
  if (options.json !== true) print(formatTotals(results));
  if (results.some(({ verdict }) => verdict.result === 'fail')) throw new SilentExit(1);
}
