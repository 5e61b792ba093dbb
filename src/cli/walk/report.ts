import { hostPort } from '../../socket/api/errors.ts';
import { formatSockets } from '../../view/ss.ts';
import { wrap } from '../../view/wrap.ts';
import { AF_INET } from '../../wire/address.ts';
import { CLIENT_NAME, PATH, SERVER_NAME, SERVER_PORT } from './addresses.ts';
import type { WalkResult } from './run.ts';
import * as sections from './sections.ts';
import { nextSection, summarySection } from './summary.ts';

/** How the report looks. */
export interface ReportOptions {
  /** Longer lines are wrapped; 0 wraps none. */
  readonly columns: number;
  /** The time zone of the packets' times, in minutes east of Greenwich. */
  readonly utcOffsetMinutes: number;
  /** What the server serves, for the introduction. */
  readonly folder: string;
}

const ABOUT_ARP = [
  'When their cable came up, both hosts announced their addresses (they ask for their own). A second',
  'later connect() makes a SYN, but Ethernet needs a hardware address: the SYN waits while ARP asks.',
];
const ABOUT_NDP = [
  'When their cable came up, both hosts asked whether anybody else has the addresses they mean to use:',
  'the given one, and that of the link (fe80::). Nobody answered. Then connect() makes a SYN, but',
  'Ethernet needs a hardware address: the SYN waits while the client asks the group of the address.',
];

/** The whole walk as text. */
export function formatReport(result: WalkResult, options: ReportOptions): string {
  const { network } = result;
  const phases = sections.cutPhases(result.events, network);
  const isV4 = network.family === AF_INET;
  const lines = [
    `GET http://${hostPort(network.server, SERVER_PORT)}${PATH} from the application to the wire and back.`,
    `Client ${network.client}, server ${network.server}, a cable with 100 µs of delay, virtual time.`,
    `The server serves ${options.folder}`,
    ...section(`1. ${isV4 ? 'ARP' : 'NDP'}: which hardware address has the server?`, [
      ...(isV4 ? ABOUT_ARP : ABOUT_NDP),
      '',
      ...sections.neighborSection(phases),
    ]),
    ...section('2. The three-way handshake', [
      'Both state machines and both queues of the listener: the SYN queue holds half-open connections,',
      'the accept queue those that wait for accept().',
      '',
      ...sections.handshakeSection(phases),
    ]),
    ...section('3. Request and response', [
      'The calls of the client, as strace prints them:',
      '',
      ...sections.straceSection(phases, CLIENT_NAME),
      '',
      'The calls of the server:',
      '',
      ...sections.straceSection(phases, SERVER_NAME),
      '',
      'The same as curl -v prints it:',
      '',
      ...sections.curlSection(phases),
      '',
      'The sockets when the answer had arrived, as ss -tino prints them, of the client and of the server:',
      '',
      ...formatSockets(result.clientSockets),
      '',
      ...formatSockets(result.serverSockets),
    ]),
    ...section('4. On the wire, as tcpdump prints it', [
      "Captured at the client's network card:",
      '',
      ...sections.tcpdumpSection(phases, options.utcOffsetMinutes),
    ]),
    ...section('5. The four-way close', [
      'Each side ends its own direction with FIN. The side that closes first stays in TIME_WAIT for 60 s',
      '(2 MSL), so that a late segment cannot disturb a later connection.',
      '',
      ...sections.closeSection(phases),
    ]),
    ...section('6. What is left', summarySection(result)),
    ...section('What next', nextSection(network)),
  ];
  return `${lines.flatMap(line => wrap(line.replace('\t', '        '), options.columns)).join('\n')}\n`;
}

function section(title: string, lines: readonly string[]): string[] {
  return ['', `== ${title} ==`, '', ...lines];
}
