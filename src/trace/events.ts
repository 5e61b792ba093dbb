/**
 * The one schema of everything that can be seen. strace, tcpdump, ss and the tests read the same events.
 * Every event is JSON-safe. Addresses are text, times are integer microseconds, sequence numbers are unsigned.
 * @module
 */

/** Categories a sink can ask for; combine with `|`. */
export const TRACE_PACKET = 1;
export const TRACE_DROP = 2;
export const TRACE_CALL = 4;
export const TRACE_STATE = 8;
export const TRACE_CWND = 16;
export const TRACE_TIMER = 32;
export const TRACE_QUEUE = 64;
export const TRACE_NEIGHBOR = 128;
export const TRACE_FAULT = 256;
export const TRACE_RETRANSMIT = 512;
export const TRACE_CONFIG = 1024;
export const TRACE_ALL = 2047;

interface EventBase {
  /** When, in microseconds since the Unix epoch. */
  atUs: number;
  /** The name of the stack it happened on. */
  host: string;
}

/** A frame as a capture on the interface sees it: on its way out after the last change, on its way in before any. */
export interface PacketEvent extends EventBase {
  type: 'packet';
  /** The interface, 'eth0' or 'lo'. */
  netif: string;
  direction: 'in' | 'out';
  medium: 'ethernet' | 'ip';
  /** Bytes on the wire. */
  length: number;
  /** The frame in hexadecimal. */
  data: string;
}

/** Why a packet went no further. Linux's drop reasons (SKB_DROP_REASON_*) where it has one. */
export type DropReason =
  | 'NOT_SPECIFIED'
  | 'NO_SOCKET'
  | 'PKT_TOO_SMALL'
  | 'TCP_CSUM'
  | 'UDP_CSUM'
  | 'ICMP_CSUM'
  | 'IP_CSUM'
  | 'IP_INHDR'
  | 'IP_RPFILTER'
  | 'IP_NOPROTO'
  | 'OTHERHOST'
  | 'UNHANDLED_PROTO'
  | 'SOCKET_RCVBUFF'
  | 'SOCKET_FILTER'
  | 'SOCKET_BACKLOG'
  | 'PROTO_MEM'
  | 'TCP_FLAGS'
  | 'TCP_ZEROWINDOW'
  | 'TCP_OLD_DATA'
  | 'TCP_OVERWINDOW'
  | 'TCP_OFOMERGE'
  | 'TCP_RFC7323_PAWS'
  | 'TCP_OLD_SEQUENCE'
  | 'TCP_INVALID_SEQUENCE'
  | 'TCP_INVALID_END_SEQUENCE'
  | 'TCP_INVALID_ACK_SEQUENCE'
  | 'TCP_RESET'
  | 'TCP_INVALID_SYN'
  | 'TCP_CLOSE'
  | 'TCP_OLD_ACK'
  | 'TCP_TOO_OLD_ACK'
  | 'TCP_ACK_UNSENT_DATA'
  | 'TCP_OFO_QUEUE_PRUNE'
  | 'TCP_LISTEN_OVERFLOW'
  | 'TCP_REQQFULLDROP'
  | 'NEIGH_FAILED'
  | 'NEIGH_QUEUEFULL'
  | 'NEIGH_DEAD'
  | 'HOOK_DROP'
  | 'FULL_RING'
  | 'LINK_DOWN'
  | 'NOMEM'
  | 'HDR_TRUNC'
  | 'PKT_TOO_BIG'
  | 'DUP_FRAG'
  | 'FRAG_REASM_TIMEOUT'
  | 'FRAG_TOO_FAR'
  | 'TTL_EXPIRED'
  | 'IP_OUTNOROUTES'
  | 'IP_INVALID_SOURCE'
  | 'ARP_INVALID'
  | 'IPV6DISABLED'
  | 'IPV6_BAD_EXTHDR'
  | 'IPV6_NDISC_FRAG'
  | 'IPV6_NDISC_HOP_LIMIT'
  | 'IPV6_NDISC_BAD_CODE'
  | 'IPV6_NDISC_BAD_OPTIONS'
  | 'IPV6_NDISC_NS_OTHERHOST';

/** A packet or segment was dropped by the stack. */
export interface DropEvent extends EventBase {
  type: 'drop';
  /** The layer that dropped it. */
  layer: 'netif' | 'arp' | 'ndp' | 'ip' | 'icmp' | 'udp' | 'tcp' | 'socket';
  reason: DropReason;
  /** One line of detail, where it helps. */
  detail?: string;
}

/** An argument or result of a socket call: what JSON can say. */
export type CallValue = null | boolean | number | string | CallValue[] | { [name: string]: CallValue };

/** A socket call, when it returned. */
export interface CallEvent extends EventBase {
  type: 'call';
  /** Names the caller when there are several on a host ('curl'); '' otherwise. */
  process: string;
  /** 'connect', 'setsockopt', ... as strace prints it. */
  name: string;
  /** The arguments, by the parameter names of the manual page, in their order. Bytes as { text, length }. */
  args: { [name: string]: CallValue };
  /** What it returned: a value, or -errno. */
  result: number;
  /** Microseconds between call and return; 0 for a call that did not wait. */
  waitedUs: number;
}

/** Which connection an event is about. */
interface ConnectionEventBase extends EventBase {
  /** 'address:port' of our end. */
  local: string;
  /** 'address:port' of the peer. */
  remote: string;
}

/** A connection took an arrow of the state diagram (RFC 9293 figure 5). */
export interface TcpStateEvent extends ConnectionEventBase {
  type: 'tcp:state';
  from: string;
  to: string;
  /** What made it: 'passive open', 'receive SYN', ... as tcp/state.ts names it. */
  cause: string;
}

/** The congestion window, or what it follows from, changed. */
export interface TcpCwndEvent extends ConnectionEventBase {
  type: 'tcp:cwnd';
  /** In bytes, as all below. */
  cwnd: number;
  ssthresh: number;
  inFlight: number;
  sndWnd: number;
  /** Smoothed round-trip time and retransmission time-out, in microseconds. */
  srttUs: number;
  rtoUs: number;
  /** Linux's tcp_ca_state: Open, Disorder, CWR, Recovery, Loss. */
  caState: string;
}

/** A timer of a connection was set, stopped or went off. */
export interface TcpTimerEvent extends ConnectionEventBase {
  type: 'tcp:timer';
  timer: string;
  action: 'set' | 'stop' | 'fire';
  /** When it is (or was) due; 0 when stopped. */
  dueUs: number;
}

/** A segment was sent again. */
export interface TcpRetransmitEvent extends ConnectionEventBase {
  type: 'tcp:retransmit';
  reason: 'rto' | 'fast' | 'probe' | 'syn' | 'syn-ack';
  seq: number;
  length: number;
  /** How many times this data has now been sent again. */
  attempt: number;
}

/** A queue got longer or shorter. */
export interface QueueEvent extends EventBase {
  type: 'queue';
  queue: 'syn' | 'accept' | 'neighbor' | 'ingress' | 'egress';
  /** Whose: 'address:port' of a listener, an interface's name, a neighbour's address. */
  owner: string;
  length: number;
  limit: number;
}

/** A neighbour entry changed its state. */
export interface NeighborEvent extends EventBase {
  type: 'neighbor';
  netif: string;
  address: string;
  mac: string;
  from: string;
  to: string;
}

/** A protocol by which an interface configures itself took an arrow of its state diagram. */
export interface ConfigEvent extends EventBase {
  type: 'config';
  netif: string;
  protocol: 'dhcp' | 'link-local' | 'dhcpv6';
  from: string;
  to: string;
  /** What made it: 'receive OFFER', 'T1', ... as dhcp/state.ts names it. */
  cause: string;
  /** The address it is about; '' for none. */
  address: string;
}

/** A faulty link did what it was told to do, or a link had trouble of its own. `host` is the link's name. */
export interface FaultEvent extends EventBase {
  type: 'fault';
  fault:
    | 'loss'
    | 'duplicate'
    | 'reorder'
    | 'corrupt'
    | 'mark'
    | 'queue-full'
    | 'too-big'
    | 'cable-pulled'
    | 'cable-in'
    | 'drop';
  /** Bytes of the frame it happened to; 0 for the cable. */
  length: number;
  /** One line of detail, where it helps: why a connection that frames travel in broke. */
  detail?: string;
}

/** Everything that can be seen; `type` tells which event it is. */
export type TraceEvent =
  | PacketEvent
  | DropEvent
  | CallEvent
  | TcpStateEvent
  | TcpCwndEvent
  | TcpTimerEvent
  | TcpRetransmitEvent
  | QueueEvent
  | NeighborEvent
  | ConfigEvent
  | FaultEvent;
