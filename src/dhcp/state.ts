/**
 * The state diagram of a DHCP client (RFC 2131 figure 5) as data. Everything that moves a client from one state to
 * another goes through `nextState`: code names what happened, the table says where that leads.
 * @module
 */

export const DHCP_STATES = [
  'STOPPED',
  'INIT',
  'SELECTING',
  'REQUESTING',
  'CHECKING',
  'BOUND',
  'RENEWING',
  'REBINDING',
  'INIT_REBOOT',
  'REBOOTING',
] as const;

/** The name of a state, as RFC 2131 writes it with `_` for `-`. */
export type DhcpState = (typeof DHCP_STATES)[number];

/** What can happen to a client, as the arrows of the diagram are labelled. */
export type DhcpCause =
  | 'start'
  | 'start with an address'
  | 'send DISCOVER'
  | 'send REQUEST'
  | 'receive OFFER'
  | 'receive ACK'
  | 'receive NAK'
  | 'no answer'
  | 'no answer, lease holds'
  | 'address is free'
  | 'conflict'
  | 'T1'
  | 'T2'
  | 'lease expires'
  | 'link up'
  | 'stop';

const LEASED = { conflict: 'INIT', 'link up': 'INIT_REBOOT', stop: 'STOPPED' } as const;
const SEEKING = { 'link up': 'INIT', stop: 'STOPPED' } as const;

/**
 * From each state, where each cause leads. What is not here cannot happen.
 *
 * Beside figure 5: STOPPED, and CHECKING, in which an address that was granted is probed for (RFC 2131 section 4.4.1,
 * RFC 5227 section 2.1). Whoever has an address asks for it again when the cable comes back (RFC 2131 section 3.7); an
 * unexpired lease holds even if nobody answers then (section 3.2).
 */
export const TRANSITIONS: { readonly [from in DhcpState]: { readonly [cause in DhcpCause]?: DhcpState } } = {
  STOPPED: { start: 'INIT', 'start with an address': 'INIT_REBOOT' },
  INIT: { ...SEEKING, 'send DISCOVER': 'SELECTING' },
  SELECTING: { ...SEEKING, 'receive OFFER': 'REQUESTING' },
  REQUESTING: { ...SEEKING, 'receive ACK': 'CHECKING', 'receive NAK': 'INIT', 'no answer': 'INIT' },
  CHECKING: { ...LEASED, 'address is free': 'BOUND' },
  BOUND: { ...LEASED, T1: 'RENEWING' },
  RENEWING: { ...LEASED, 'receive ACK': 'BOUND', 'receive NAK': 'INIT', T2: 'REBINDING' },
  REBINDING: { ...LEASED, 'receive ACK': 'BOUND', 'receive NAK': 'INIT', 'lease expires': 'INIT' },
  INIT_REBOOT: { ...LEASED, 'send REQUEST': 'REBOOTING' },
  REBOOTING: {
    ...LEASED,
    'receive ACK': 'CHECKING',
    'receive NAK': 'INIT',
    'no answer': 'INIT',
    'no answer, lease holds': 'BOUND',
    'lease expires': 'INIT',
  },
};

/** Where `cause` leads from `from`, or undefined when the diagram has no such arrow. */
export function nextState(from: DhcpState, cause: DhcpCause): DhcpState | undefined {
  return TRANSITIONS[from][cause];
}
