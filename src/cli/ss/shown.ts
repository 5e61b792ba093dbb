/**
 * What each option of ss asks a stack for, and how it is shown.
 * @module
 */
import { formatInterfaces, formatNeighbors, formatRoutes } from '../../view/ip.ts';
import { formatSockets } from '../../view/ss.ts';
import { type Answered, askRunning, type Choice } from '../running.ts';
import { chooseSockets, type SocketChoice } from './choose.ts';

/** The options that show what ip(8) shows, and what that is. */
export const NETWORK_VIEWS = {
  addr: 'interfaces with their addresses, as ip addr',
  route: 'routes, as ip route',
  neigh: 'neighbours, as ip neigh',
} as const;

/** Those that say what is listed. */
export interface WhatOptions extends Choice, SocketChoice {
  readonly addr?: true;
  readonly route?: true;
  readonly neigh?: true;
  readonly info?: true;
  readonly options?: true;
  readonly header: boolean;
}

/** What one stack has to show. */
export interface Shown {
  readonly stack: Omit<Answered<'about'>, 'answer'>;
  /** In JSON. */
  readonly name: 'sockets' | 'interfaces' | 'routes' | 'neighbors';
  readonly rows: readonly unknown[];
  readonly lines: readonly string[];
}

/** Asks the running stacks that were chosen. Throws a Failure. */
export async function ask(options: WhatOptions): Promise<Shown[]> {
  const { ipv4, ipv6 } = options;
  const isWanted = ({ family }: { readonly family: 4 | 6 }): boolean =>
    (family === 6 || ipv6 !== true) && (family === 4 || ipv4 !== true);
  if (options.addr === true) {
    return (await askRunning(options, 'interfaces')).map(({ answer, ...stack }) => {
      const rows = answer.map(row => ({ ...row, addresses: row.addresses.filter(isWanted) }));
      return { stack, name: 'interfaces', rows, lines: formatInterfaces(rows) };
    });
  }
  if (options.route === true) {
    return (await askRunning(options, 'routes')).map(({ answer, ...stack }) => {
      const rows = answer.filter(isWanted);
      return { stack, name: 'routes', rows, lines: formatRoutes(rows) };
    });
  }
  if (options.neigh === true) {
    return (await askRunning(options, 'neighbors')).map(({ answer, ...stack }) => {
      const rows = answer.filter(isWanted);
      return { stack, name: 'neighbors', rows, lines: formatNeighbors(rows) };
    });
  }
  return askSockets(options);
}

async function askSockets(options: WhatOptions): Promise<Shown[]> {
  const { info = false, options: timer = false, header } = options;
  const netid = (options.tcp ?? false) === (options.udp ?? false);
  return (await askRunning(options, 'sockets')).map(({ answer, ...stack }) => {
    const rows = chooseSockets(answer, options);
    const lines = formatSockets(rows, { info, timer, netid });
    return { stack, name: 'sockets', rows, lines: header ? lines : lines.slice(1) };
  });
}
