import { Command, InvalidArgumentError } from 'commander';
import { EXIT_USAGE, Failure } from '../failure.ts';
import { print } from '../output.ts';
import { nearest } from './nearest.ts';

interface SceneOptions {
  readonly ipv6?: true;
  readonly json?: true;
  readonly seed: number;
}

/** `ethertype scene`. */
export function sceneCommand(): Command {
  return new Command('scene')
    .summary('watch one thing that a network does: loss, a closed window, a SYN flood ...')
    .description(
      'Plays a small scene on an embedded network in virtual time and shows its events, those that matter marked ' +
        'and explained. Without a name it lists the scenes.',
    )
    .argument('[name]', 'which scene')
    .option('-6, --ipv6', 'over IPv6')
    .option('--json', 'print the trace events as JSON lines instead, nothing else')
    .option('--seed <number>', 'everything random follows from it', parseSeed, 1)
    .helpOption('-h, --help', 'print this help')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      `
Examples:
  $ ethertype scene
  $ ethertype scene zero-window
  $ ethertype scene arp --ipv6
  $ ethertype scene slow-start --json | grep '"tcp:cwnd"'`,
    )
    .action(scene);
}

function parseSeed(text: string): number {
  if (!/^\d{1,10}$/.test(text) || Number(text) > 0xffffffff)
    throw new InvalidArgumentError('Not a number from 0 to 4294967295.');
  return Number(text);
}

async function scene(name: string | undefined, options: SceneOptions): Promise<void> {
  // The stack is loaded only now, so that help and complaints come at once.
  const { play, SCENES } = await import('../../scenes/index.ts');
  const { formatList, formatScene } = await import('./report.ts');
  const ipv6 = options.ipv6 === true;
  if (name === undefined) {
    if (options.json === true) throw new Failure('--json needs the name of a scene', EXIT_USAGE);
    if (ipv6) throw new Failure('--ipv6 needs the name of a scene', EXIT_USAGE);
    print(formatList(SCENES));
    return;
  }
  const found = SCENES.find(each => each.name === name);
  if (found === undefined)
    throw new Failure(
      unknown(
        name,
        SCENES.map(each => each.name),
      ),
      EXIT_USAGE,
    );
  const chosen = (ipv6 ? found.overIpv6 : undefined) ?? found;
  const { turn } = await import('../../node/turn.ts');
  const played = await play(chosen, { seed: options.seed, ipv6, turn });
  if (options.json === true) for (const event of played.events) print(`${JSON.stringify(event)}\n`);
  else print(formatScene(chosen, played));
}

function unknown(name: string, names: readonly string[]): string {
  const near = nearest(name, names);
  const hint = near.length > 0 ? `did you mean ${near.join(' or ')}?` : 'ethertype scene lists them';
  return `unknown scene '${name}': ${hint}`;
}
