/**
 * What the two applications do in each scenario. Every step of a script may come at any moment at which it would
 * not block: the explorer tries them all.
 * @module
 */

/**
 * A call of an application. 'read' reads until the end of the stream or an error; 'write abc' writes "abc".
 * A call on a connection that has come to its end ends the script.
 */
export type Step = 'connect' | 'read' | 'shutdown' | 'close' | 'abort' | `write ${string}`;

/** Two hosts, what they do, and what the network may do to them on one path. */
export interface Scenario {
  readonly name: string;
  /** In a line, what is looked for. */
  readonly about: string;
  /** The scripts of both; a side that does not begin with 'connect' listens. */
  readonly a: readonly Step[];
  readonly b: readonly Step[];
  /** Begins with the connection open, so that the depth is spent on what comes after. */
  readonly established: boolean;
  /** Choices beyond the depth that was asked for: little else can happen in each state here. */
  readonly deeper: number;
  /** Segments that may be lost, and that may be doubled. */
  readonly drops: number;
  readonly duplicates: number;
  /** Payload of a full segment, in bytes; no connection goes below 8. */
  readonly mss: number;
  /** The window that B offers at most, in bytes; 0: no such limit. */
  readonly windowOfB: number;
}

const BASE = { established: false, deeper: 0, drops: 1, duplicates: 1, mss: 16, windowOfB: 0 } as const;

/** Everything that is explored. */
export const SCENARIOS: readonly Scenario[] = [
  {
    ...BASE,
    name: 'open',
    deeper: 2,
    about: 'the handshake, a few bytes each way, and the close',
    a: ['connect', 'write abc', 'shutdown', 'read', 'close'],
    b: ['write xy', 'read', 'close'],
  },
  {
    ...BASE,
    name: 'simultaneous-open',
    about: 'both sides connect to each other',
    a: ['connect', 'write a', 'shutdown', 'read', 'close'],
    b: ['connect', 'write x', 'shutdown', 'read', 'close'],
  },
  {
    ...BASE,
    name: 'early-close',
    deeper: 2,
    about: 'a side closes while the handshake is under way',
    a: ['connect', 'close'],
    b: ['write x', 'read', 'close'],
  },
  {
    ...BASE,
    name: 'early-abort',
    about: 'a side aborts while both connect to each other',
    a: ['connect', 'abort'],
    b: ['connect', 'write x', 'read', 'close'],
  },
  {
    ...BASE,
    name: 'transfer',
    about: 'three segments: reordering, SACK, retransmission',
    a: ['write abcdefghijklmnopqrst', 'shutdown', 'read', 'close'],
    b: ['read', 'close'],
    established: true,
    drops: 2,
    mss: 8,
  },
  {
    ...BASE,
    name: 'closed-window',
    deeper: 3,
    about: 'a window of one segment: it closes, is probed, opens again',
    a: ['write abcdefghijkl', 'shutdown', 'read', 'close'],
    b: ['read', 'close'],
    established: true,
    mss: 8,
    windowOfB: 8,
  },
  {
    ...BASE,
    name: 'simultaneous-close',
    about: 'both sides send a FIN: CLOSING, TIME_WAIT',
    a: ['write ab', 'shutdown', 'read', 'close'],
    b: ['write xy', 'shutdown', 'read', 'close'],
    established: true,
    drops: 2,
  },
  {
    ...BASE,
    name: 'half-close',
    deeper: 3,
    about: 'A sends its FIN first and B still has something to say',
    a: ['shutdown', 'read', 'close'],
    b: ['read', 'write xyz', 'close'],
    established: true,
    drops: 2,
    duplicates: 2,
  },
  {
    ...BASE,
    name: 'reset',
    about: 'A aborts with data under way in both directions',
    a: ['write ab', 'abort'],
    b: ['write xy', 'read', 'close'],
    established: true,
    drops: 2,
    duplicates: 2,
  },
  {
    ...BASE,
    name: 'close-unread',
    about: 'A closes without reading what B sends',
    a: ['write ab', 'close'],
    b: ['write x', 'write y', 'read', 'close'],
    established: true,
    drops: 2,
  },
];
