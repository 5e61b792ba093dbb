/**
 * What is said over a control socket: one line of JSON each way, then the connection ends.
 * @module
 */

import type { DatagramRow, SocketRow } from '../../stack/sockets.ts';
import type { InterfaceRow, NeighborRow, RouteRow } from '../../trace/ip-rows.ts';
import type { CounterGroups } from '../../view/netstat.ts';

/** What can be asked for. */
export type Want = 'about' | 'sockets' | 'counters' | 'interfaces' | 'routes' | 'neighbors';

/** The question. */
export interface ControlRequest {
  readonly want: Want;
}

/** Which stack it is. */
export interface About {
  readonly pid: number;
  /** 'serve', or whatever the program calls itself. */
  readonly name: string;
  /** The interface it is on: 'tap0'. */
  readonly device: string;
  /** '10.65.0.2/24 fd65::2/64' */
  readonly address: string;
  /** Which network namespace the device is in; '' when that is not known. */
  readonly network: string;
}

/** Every socket of a stack. */
export interface Sockets {
  readonly tcp: readonly SocketRow[];
  readonly udp: readonly DatagramRow[];
}

/** The answers, by question. */
export interface Answers {
  about: About;
  sockets: Sockets;
  counters: CounterGroups;
  interfaces: readonly InterfaceRow[];
  routes: readonly RouteRow[];
  neighbors: readonly NeighborRow[];
}

/** Bytes of a question. */
export const REQUEST_MAX = 1024;
/** Bytes of an answer: 100,000 sockets are about 80 MB. */
export const ANSWER_MAX: number = 128 << 20;
/** How long either side waits for the other, in milliseconds. */
export const TIMEOUT_MS = 5000;
/** Questions that are answered at once. */
export const CONNECTIONS_MAX = 8;
