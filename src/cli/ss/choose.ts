import type { Sockets } from '../../node/control/protocol.ts';
import type { SocketRow } from '../../view/ss.ts';

/** The options of ss that say which sockets are listed. */
export interface SocketChoice {
  readonly tcp?: true;
  readonly udp?: true;
  readonly listening?: true;
  readonly all?: true;
}

/** States that ss leaves out unless it is asked for them. */
const HIDDEN: ReadonlySet<string> = new Set(['LISTEN', 'UNCONN', 'CLOSED', 'TIME_WAIT', 'SYN_RCVD']);
const LISTENING: ReadonlySet<string> = new Set(['LISTEN', 'UNCONN']);

/** The sockets that ss would list, UDP before TCP as there. */
export function chooseSockets(sockets: Sockets, choice: SocketChoice): SocketRow[] {
  const both = (choice.tcp ?? false) === (choice.udp ?? false);
  const udp: SocketRow[] = sockets.udp.map(row => ({
    ...row,
    netid: 'udp',
    timer: null,
    congestion: '',
    info: null,
  }));
  const tcp: SocketRow[] = sockets.tcp.map(row => ({ ...row, netid: 'tcp' }));
  const rows = [...(both || choice.udp === true ? udp : []), ...(both || choice.tcp === true ? tcp : [])];
  if (choice.all === true) return rows;
  if (choice.listening === true) return rows.filter(({ state }) => LISTENING.has(state));
  return rows.filter(({ state }) => !HIDDEN.has(state));
}
