import { closeSync, openSync, writeSync } from 'node:fs';
import { relative } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { FolderFiles } from '../../node/files.ts';
import { VIRTUAL_EPOCH_US } from '../../sim/clock.ts';
import type { TraceEvent } from '../../trace/events.ts';
import { pcapSink } from '../../view/pcap.ts';
import { Failure, failureOf } from '../failure.ts';
import { print } from '../output.ts';
import { packagePath } from '../package.ts';
import { CLIENT_NAME, NETWORK4, NETWORK6 } from './addresses.ts';
import { formatReport } from './report.ts';

interface WalkOptions {
  readonly ipv6?: true;
  readonly json?: true;
  readonly write?: string;
  readonly seed: number;
  readonly dir?: string;
  readonly columns: number;
}

/** `ethertype walk`. */
export function walkCommand(): Command {
  return new Command('walk')
    .summary('follow one HTTP request from the application to the wire and back')
    .description(
      'Follows one HTTP request from the application to the wire and back, between two hosts on an embedded ' +
        'network in virtual time: ARP, the three-way handshake, the socket calls, what curl -v and tcpdump ' +
        'print, the four-way close, TIME_WAIT.',
    )
    .option('-6, --ipv6', 'over IPv6, with neighbour discovery instead of ARP')
    .option('--json', 'print the trace events as JSON lines instead, nothing else')
    .option('--write <file.pcap>', "also write the packets at the client's network card to a capture file")
    .option(
      '--seed <number>',
      'everything random follows from it; the same seed gives the same trace',
      parseSeed,
      1,
    )
    .option('--dir <folder>', 'the folder that is served (default: a small one of this package)')
    .option('--columns <number>', 'wrap longer lines; 0 wraps none', parseCount, 100)
    .helpOption('-h, --help', 'print this help')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      `
Examples:
  $ ethertype walk
  $ ethertype walk --ipv6
  $ ethertype walk --dir ./public
  $ ethertype walk --write walk.pcap && tcpdump -n -r walk.pcap
  $ ethertype walk --json | grep '"tcp:state"'`,
    )
    .action(walk);
}

function parseSeed(text: string): number {
  return parseNumber(text, 0xffffffff);
}

function parseCount(text: string): number {
  return parseNumber(text, 1000);
}

function parseNumber(text: string, max: number): number {
  if (!/^\d{1,10}$/.test(text) || Number(text) > max)
    throw new InvalidArgumentError(`Not a number from 0 to ${max}.`);
  return Number(text);
}

async function walk(options: WalkOptions): Promise<void> {
  const folder = options.dir ?? packagePath('docs', 'site');
  const files = openFolder(folder);
  // Opened before the walk: what cannot be written is said at once.
  const capture = options.write === undefined ? null : openCapture(options.write);
  // The stack is loaded only now, so that help and complaints come at once.
  const { runWalk } = await import('./run.ts');
  const result = await runWalk(options.ipv6 === true ? NETWORK6 : NETWORK4, options.seed, files);
  capture?.(result.events);
  if (options.json === true) print(result.events.map(event => `${JSON.stringify(event)}\n`).join(''));
  else
    print(
      formatReport(result, {
        columns: options.columns,
        utcOffsetMinutes: utcOffset(result.events),
        folder: nameOf(folder),
      }),
    );
  if (result.timersLeft > 0) throw new Failure(`${result.timersLeft} timers were left behind`);
}

/** The shorter of a path from here and a path from the root. */
function nameOf(folder: string): string {
  const fromHere = relative('', folder);
  return fromHere === '' || fromHere.length > folder.length ? folder : fromHere;
}

function openFolder(folder: string): FolderFiles {
  try {
    return new FolderFiles(folder, { notAfterMs: VIRTUAL_EPOCH_US / 1000 });
  } catch (error) {
    throw failureOf(`cannot serve ${folder}`, error);
  }
}

/** Opens the file and gives a function that writes the packets among the events to it, and closes it. */
function openCapture(path: string): (events: readonly TraceEvent[]) => void {
  try {
    const fd = openSync(path, 'w');
    return events => {
      try {
        const sink = pcapSink(chunk => writeSync(fd, chunk), { host: CLIENT_NAME, netif: 'eth0' });
        for (const event of events) sink.emit(event);
        closeSync(fd);
      } catch (error) {
        throw failureOf(`cannot write ${path}`, error);
      }
    };
  } catch (error) {
    throw failureOf(`cannot write ${path}`, error);
  }
}

/** The local time zone, since tcpdump prints local time and its lines should be ours. */
function utcOffset(events: readonly TraceEvent[]): number {
  return -new Date((events[0]?.atUs ?? 0) / 1000).getTimezoneOffset();
}
