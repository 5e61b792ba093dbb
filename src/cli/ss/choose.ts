import type { Sockets } from '../../node/control/protocol.ts';
import type { SocketRow } from '../../view/ss.ts';
import type { FamilyOptions } from '../host/family.ts';

/** The options of ss that say which sockets are listed. */
export interface SocketChoice extends FamilyOptions {
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
  const all = [...(both || choice.udp === true ? udp : []), ...(both || choice.tcp === true ? tcp : [])];
  const rows = all.filter(({ local }) => (isIpv6(local) ? choice.ipv4 !== true : choice.ipv6 !== true));
  if (choice.all === true) return rows;
  if (choice.listening === true) return rows.filter(({ state }) => LISTENING.has(state));
  return rows.filter(({ state }) => !HIDDEN.has(state));
}

/** '[fd65::2]:80', and '*:80' for a socket of both families. */
function isIpv6(local: string): boolean {
  return local.startsWith('[') || local.startsWith('*');
}
