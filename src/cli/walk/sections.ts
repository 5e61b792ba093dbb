/**
 * The parts of the walk, each made from the trace events alone.
 * @module
 */
import { hostPort } from '../../socket/api/errors.ts';
import type { CallEvent, TraceEvent } from '../../trace/events.ts';
import { type Frame, parseFrame } from '../../trace/frame.ts';
import { formatCurl } from '../../view/curl.ts';
import { dumpPackets, formatLadder, type LadderContext } from '../../view/ladder.ts';
import { formatStrace } from '../../view/strace.ts';
import { tcpdumpView } from '../../view/tcpdump.ts';
import { AF_INET } from '../../wire/address.ts';
import { ND_NEIGHBOR_ADVERT, ND_NEIGHBOR_SOLICIT } from '../../wire/icmp6.ts';
import { CLIENT_NAME, type SERVER_NAME, SERVER_PORT, type WalkNetwork } from './addresses.ts';
import { streamText } from './packets.ts';

/** What was seen, cut into the phases of a connection. */
export interface Phases extends LadderContext {
  readonly network: WalkNetwork;
  readonly all: readonly TraceEvent[];
  /** How the hosts find each other's hardware address. */
  readonly neighbor: readonly TraceEvent[];
  readonly open: readonly TraceEvent[];
  readonly close: readonly TraceEvent[];
}

/** Cuts the events: what belongs to ARP or neighbour discovery, to the handshake, and to the close. */
export function cutPhases(all: readonly TraceEvent[], network: WalkNetwork): Phases {
  const closing = all.findIndex(event => event.type === 'tcp:state' && event.to === 'FIN_WAIT_1');
  const beforeClose = closing < 0 ? all : all.slice(0, closing);
  const isNeighbor = (event: TraceEvent): boolean =>
    event.type === 'neighbor' ||
    (event.type === 'queue' && event.queue === 'neighbor') ||
    (event.type === 'packet' && isQuestionOrAnswer(network, parseFrame(event)));
  const isTcp = (event: TraceEvent): boolean =>
    (event.type === 'tcp:state' && !(event.from === 'LISTEN' && event.to === 'CLOSED')) ||
    (event.type === 'queue' && (event.queue === 'syn' || event.queue === 'accept')) ||
    (event.type === 'packet' && parseFrame(event).tcp !== null);
  const tcp = beforeClose.filter(isTcp);
  const firstData = tcp.findIndex(event => event.type === 'packet' && parseFrame(event).payload.length > 0);
  const handshake = firstData < 0 ? tcp : tcp.slice(0, firstData);
  // The server takes the connection from its queue when it gets to it, perhaps when data is already on its way.
  const late = tcp
    .slice(handshake.length)
    .filter(event => event.type === 'queue' || event.type === 'tcp:state');
  return {
    network,
    startUs: all[0]?.atUs ?? 0,
    dumped: dumpPackets(all),
    isLeft: event => event.host === CLIENT_NAME,
    all,
    neighbor: beforeClose.filter(isNeighbor),
    open: [...handshake, ...late],
    close: closing < 0 ? [] : all.slice(closing).filter(isTcp),
  };
}

/** Who has which hardware address? */
function isQuestionOrAnswer({ family }: WalkNetwork, { arp, ndp }: Frame): boolean {
  if (family === AF_INET) return arp !== null;
  return ndp?.type === ND_NEIGHBOR_SOLICIT || ndp?.type === ND_NEIGHBOR_ADVERT;
}

/** How the client learns the server's hardware address. */
export function neighborSection(phases: Phases): string[] {
  const { client, server } = phases.network;
  return formatLadder(phases.neighbor, phases, [`client ${client}`, `server ${server}`]);
}

/** The handshake: both state machines, both queues of the listener, the segments. */
export function handshakeSection(phases: Phases): string[] {
  return formatLadder(phases.open, phases, endpoints(phases));
}

/** The close: both state machines and the segments, to the end of TIME_WAIT. */
export function closeSection(phases: Phases): string[] {
  return formatLadder(phases.close, phases, endpoints(phases));
}

/** Both ends, with their ports. */
function endpoints(phases: Phases): [string, string] {
  const state = phases.all.find(event => event.type === 'tcp:state' && event.host === CLIENT_NAME);
  const { client, server } = phases.network;
  const local = state?.type === 'tcp:state' ? state.local : client;
  return [`client ${local}`, `server ${hostPort(server, SERVER_PORT)}`];
}

/** The calls of one host, as strace prints them. */
export function straceSection(phases: Phases, host: typeof CLIENT_NAME | typeof SERVER_NAME): string[] {
  return phases.all
    .filter((event): event is CallEvent => event.type === 'call' && event.host === host)
    .map(event => formatStrace(event));
}

/** The exchange as `curl -v` prints it, and what it prints of the body. */
export function curlSection(phases: Phases): string[] {
  const request = streamText(phases.all, CLIENT_NAME, 'out');
  const answer = streamText(phases.all, CLIENT_NAME, 'in');
  const end = answer.indexOf('\r\n\r\n') + 4;
  const lines = formatCurl({
    hostname: phases.network.server,
    address: phases.network.server,
    port: SERVER_PORT,
    request,
    responses: [answer.slice(0, end)],
    after: 'closing',
  });
  const body = answer.slice(end).trimEnd().split('\n');
  return [...lines.slice(0, -1), ...shownBody(body), ...lines.slice(-1)];
}

/** Lines of the body that are shown. */
const BODY_LINES = 6;

function shownBody(body: readonly string[]): string[] {
  if (body.length <= BODY_LINES) return [...body];
  return [...body.slice(0, BODY_LINES - 1), `[${body.length - BODY_LINES + 1} more lines]`];
}

/** Everything that passed the client's network card. `utcOffsetMinutes`: the local time of the times shown. */
export function tcpdumpSection(phases: Phases, utcOffsetMinutes: number): string[] {
  const dump = tcpdumpView({ host: CLIENT_NAME, netif: 'eth0', utcOffsetMinutes });
  return phases.all.flatMap(dump);
}
