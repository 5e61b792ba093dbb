import type { Played, Scene, Story } from '../../scenes/scene.ts';
import type { PacketEvent, TraceEvent } from '../../trace/events.ts';
import { parseFrame } from '../../trace/frame.ts';
import { dumpPackets, formatLadder } from '../../view/ladder.ts';
import { formatPlot } from '../../view/plot.ts';
import { wrap } from '../../view/wrap.ts';
import { AF_INET6 } from '../../wire/address.ts';
import { MLD_DONE, MLD_REPORT, MLD2_REPORT } from '../../wire/icmp6.ts';

const COLUMNS = 100;

/** The scenes with a line each. */
export function formatList(scenes: readonly Scene[]): string {
  const width = Math.max(...scenes.map(({ name }) => name.length)) + 2;
  const lines = scenes.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`);
  const all = ['Scenes, each played in virtual time: ethertype scene NAME', '', ...lines];
  return `${all.flatMap(line => wrap(line, COLUMNS, ' '.repeat(width + 2))).join('\n')}\n`;
}

/** One scene as text: what to look at, what happened, what was seen. */
export function formatScene(scene: Scene, played: Played): string {
  const { events, startUs, story, network } = played;
  const [leftName, rightName] = scene.hosts;
  const [left, right] = scene.addresses ?? [network.client, network.server];
  const ladder = formatLadder(
    events.filter(event => !isBackground(event, story)),
    {
      startUs,
      dumped: dumpPackets(events.filter(event => isWorthDumping(event, story))),
      isLeft: scene.isLeft ?? (event => event.host === leftName),
      notes: story.notes,
      ...(story.folds === undefined ? {} : { folds: story.folds }),
      ...(story.ports === undefined ? {} : { ports: story.ports }),
    },
    [`${leftName} ${left}`, `${rightName} ${right}`],
  );
  const plot = story.plot === undefined ? [] : ['', ...formatPlot(story.plot.points, story.plot)];
  const lines = [
    ...paragraph(`${scene.name}: ${scene.summary}`),
    '',
    ...paragraph((network.family === AF_INET6 ? scene.look6 : undefined) ?? scene.look),
    '',
    ...ladder,
    ...plot,
    '',
    ...paragraph(`Seen: ${story.seen}`),
  ];
  return `${lines.join('\n')}\n`;
}

function paragraph(text: string): string[] {
  return wrap(text, COLUMNS, '');
}

const PREPARING: readonly string[] = ['socket', 'setsockopt', 'bind', 'getsockname'];

/** In front of what an Ethernet frame carries, in hexadecimal: the type is behind the two addresses. */
const TYPE_AT = 2 * 12;
const ETHERTYPE_ARP = '0806';
const ETHERTYPE_IPV6 = '86dd';

/** ARP, neighbour discovery, reports of groups. */
function isAboutTheLink(event: PacketEvent): boolean {
  if (event.data.startsWith(ETHERTYPE_ARP, TYPE_AT)) return true;
  if (!event.data.startsWith(ETHERTYPE_IPV6, TYPE_AT)) return false;
  const { ndp, icmp6 } = parseFrame(event);
  return (
    ndp !== null || icmp6?.type === MLD_REPORT || icmp6?.type === MLD_DONE || icmp6?.type === MLD2_REPORT
  );
}

/** Calls that only prepare, and how neighbours and routers are found: in the events, but not worth a line. */
function isBackground(event: TraceEvent, { notes, showsNeighbors = false }: Story): boolean {
  if (notes.has(event)) return false;
  if (event.type === 'call') return PREPARING.includes(event.name);
  if (showsNeighbors) return false;
  if (event.type === 'packet') return isAboutTheLink(event);
  return event.type === 'neighbor' || (event.type === 'queue' && event.queue === 'neighbor');
}

/** Frames longer than this carry data. */
const SHORT_FRAME = 200;

/** A packet that is not shown needs no line; but tcpdump's relative numbers count from the (short) SYN. */
function isWorthDumping(event: TraceEvent, { notes, folds }: Story): boolean {
  if (event.type !== 'packet') return false;
  return event.length < SHORT_FRAME || notes.has(event) || folds?.(event) !== true;
}
