/**
 * The state diagram of RFC 9293 (figure 5) as data. Everything that moves a connection from one state to another
 * goes through `nextState`: code names what happened, the table says where that leads.
 * @module
 */

export const TCP_STATES = [
  'CLOSED',
  'LISTEN',
  'SYN_SENT',
  'SYN_RCVD',
  'ESTABLISHED',
  'FIN_WAIT_1',
  'FIN_WAIT_2',
  'CLOSE_WAIT',
  'CLOSING',
  'LAST_ACK',
  'TIME_WAIT',
] as const;

/** The name of a state, as RFC 9293 writes it with `_` for `-`. */
export type TcpState = (typeof TCP_STATES)[number];

/** What can happen to a connection, as the arrows of the diagram are labelled. */
export type TcpCause =
  | 'passive open'
  | 'active open'
  | 'send'
  | 'close'
  | 'abort'
  | 'receive SYN'
  | 'receive SYN,ACK'
  | 'receive ACK of SYN'
  | 'receive FIN'
  | 'receive ACK of FIN'
  | 'receive RST'
  | 'timeout'
  | 'error';

/**
 * From each state, where each cause leads. What is not here cannot happen.
 *
 * Beside figure 5: 'abort' (RFC 9293 section 3.10.5), 'receive RST' (3.10.7.4), 'timeout' (3.10.8: user timeout,
 * 2 MSL, FIN_WAIT_2) and, while connecting, 'error' (a hard ICMP error, 3.9.2.2) end a connection. The passive
 * side's RST in SYN_RCVD goes back to LISTEN: there the half-open request is forgotten and its listener listens on.
 * FIN and the acknowledgement of ours in one segment take two arrows, FIN_WAIT_1 to FIN_WAIT_2 to TIME_WAIT.
 */
export const TRANSITIONS: { readonly [from in TcpState]: { readonly [cause in TcpCause]?: TcpState } } = {
  CLOSED: { 'passive open': 'LISTEN', 'active open': 'SYN_SENT' },
  LISTEN: { 'receive SYN': 'SYN_RCVD', send: 'SYN_SENT', close: 'CLOSED' },
  SYN_SENT: {
    'receive SYN,ACK': 'ESTABLISHED',
    'receive SYN': 'SYN_RCVD',
    'receive RST': 'CLOSED',
    close: 'CLOSED',
    abort: 'CLOSED',
    timeout: 'CLOSED',
    error: 'CLOSED',
  },
  SYN_RCVD: {
    'receive ACK of SYN': 'ESTABLISHED',
    'receive SYN,ACK': 'ESTABLISHED',
    close: 'FIN_WAIT_1',
    'receive RST': 'CLOSED',
    abort: 'CLOSED',
    timeout: 'CLOSED',
    error: 'CLOSED',
  },
  ESTABLISHED: {
    close: 'FIN_WAIT_1',
    'receive FIN': 'CLOSE_WAIT',
    'receive RST': 'CLOSED',
    abort: 'CLOSED',
    timeout: 'CLOSED',
  },
  FIN_WAIT_1: {
    'receive ACK of FIN': 'FIN_WAIT_2',
    'receive FIN': 'CLOSING',
    'receive RST': 'CLOSED',
    abort: 'CLOSED',
    timeout: 'CLOSED',
  },
  FIN_WAIT_2: {
    'receive FIN': 'TIME_WAIT',
    'receive RST': 'CLOSED',
    abort: 'CLOSED',
    timeout: 'CLOSED',
  },
  CLOSE_WAIT: {
    close: 'LAST_ACK',
    'receive RST': 'CLOSED',
    abort: 'CLOSED',
    timeout: 'CLOSED',
  },
  CLOSING: {
    'receive ACK of FIN': 'TIME_WAIT',
    'receive RST': 'CLOSED',
    abort: 'CLOSED',
    timeout: 'CLOSED',
  },
  LAST_ACK: {
    'receive ACK of FIN': 'CLOSED',
    'receive RST': 'CLOSED',
    abort: 'CLOSED',
    timeout: 'CLOSED',
  },
  TIME_WAIT: { timeout: 'CLOSED', 'receive RST': 'CLOSED', 'receive SYN': 'CLOSED', abort: 'CLOSED' },
};

/** Where `cause` leads from `from`, or undefined when the diagram has no such arrow. */
export function nextState(from: TcpState, cause: TcpCause): TcpState | undefined {
  return TRANSITIONS[from][cause];
}

/** The number Linux gives a state (TCP_ESTABLISHED is 1), as in tcpi_state and /proc/net/tcp. */
export function linuxState(state: TcpState): number {
  return LINUX_STATE[state];
}

const LINUX_STATE: Record<TcpState, number> = {
  ESTABLISHED: 1,
  SYN_SENT: 2,
  SYN_RCVD: 3,
  FIN_WAIT_1: 4,
  FIN_WAIT_2: 5,
  TIME_WAIT: 6,
  CLOSED: 7,
  CLOSE_WAIT: 8,
  LAST_ACK: 9,
  LISTEN: 10,
  CLOSING: 11,
};

/** Whether both sides have seen each other's SYN (RFC 9293 section 3.3.2). */
export function isSynchronized(state: TcpState): boolean {
  return state !== 'CLOSED' && state !== 'LISTEN' && state !== 'SYN_SENT' && state !== 'SYN_RCVD';
}

/** Whether the user may still queue data to send. */
export function maySend(state: TcpState): boolean {
  return state === 'ESTABLISHED' || state === 'CLOSE_WAIT';
}

/** Whether the peer may still send data. */
export function mayReceive(state: TcpState): boolean {
  return state === 'ESTABLISHED' || state === 'FIN_WAIT_1' || state === 'FIN_WAIT_2';
}

/** Whether ABORT tells the peer (RFC 9293 section 3.10.5): not when both FINs are out, nor before its SYN came. */
export function needsReset(state: TcpState): boolean {
  return state === 'SYN_RCVD' || maySend(state) || state === 'FIN_WAIT_1' || state === 'FIN_WAIT_2';
}
