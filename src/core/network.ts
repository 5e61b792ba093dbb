/**
 * What the IP layer and the transports say to each other. Family-neutral: 4 or 6 never shows.
 * @module
 */
import type { IpAddress } from '../wire/address.ts';
import type { Packet } from './packet.ts';

export const IPPROTO_ICMP = 1;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;

/** Where packets for a destination go. A transport may keep it while `generation` is the IP layer's. */
export interface Route {
  readonly destination: IpAddress;
  /** The source address that fits the outgoing interface, or the one that was asked for. */
  readonly source: IpAddress;
  /** The neighbour to hand the packet to: the gateway, or the destination itself. */
  readonly nextHop: IpAddress;
  /** Index of the outgoing interface; the loopback's for our own addresses. */
  readonly netif: number;
  /** The largest IP packet towards the destination, in bytes. */
  readonly mtu: number;
  /** What TCP announces as MSS at most, in bytes; 0 leaves it to the MTU. */
  readonly advmss: number;
  /** Super-segments: the largest IP packet the interface takes (or cuts in software), in bytes. */
  readonly gsoMaxSize: number;
  readonly kind: 'unicast' | 'local' | 'broadcast' | 'multicast';
  readonly generation: number;
}

/** What tells one conversation from every other. */
export interface FiveTuple {
  readonly localAddress: IpAddress;
  readonly localPort: number;
  readonly remoteAddress: IpAddress;
  readonly remotePort: number;
}

/** The parts of the IP header that a socket can choose. */
export interface IpSendOptions {
  /** Time to live or hop limit; -1 for the default. */
  readonly ttl: number;
  readonly tos: number;
  /** Sets DF; a packet that is too big then fails with -EMSGSIZE. */
  readonly dontFragment: boolean;
  /** Goes by the interface's MTU, whatever was learned of the path: for those who probe it. */
  readonly ignorePathMtu?: boolean;
  /** Goes with the packet, for hooks (Linux's skb->mark); 0 for none. */
  readonly mark?: number;
  /** Whether members of a group on this host get a copy of what is sent to it; unless told otherwise they do. */
  readonly loopBack?: boolean;
}

/** An ICMP error about a packet that this host sent. Lent for the time of the call. */
export interface IcmpError {
  /** The errno for the socket: ECONNREFUSED, EHOSTUNREACH, EMSGSIZE ... as Linux's icmp_err_convert. */
  readonly errno: number;
  /** Whether Linux treats it as final for a socket that did not ask for IP_RECVERR. */
  readonly fatal: boolean;
  /** The next hop's MTU for EMSGSIZE; 0 otherwise. */
  readonly mtu: number;
  /** Of the ICMP message. */
  readonly type: number;
  readonly code: number;
  /** The MTU for EMSGSIZE, the pointer of a parameter problem; 0 otherwise. */
  readonly info: number;
  /** Who sent the ICMP message; ourselves when a neighbour could not be found. */
  readonly offender: IpAddress;
  /** Of the IP header of the ICMP message. */
  readonly ttl: number;
  readonly tos: number;
  /** The addresses of the packet the error is about: src is ours. */
  readonly src: IpAddress;
  readonly dst: IpAddress;
  /** The quoted transport header: at least 8 bytes in packet.bytes[offset, end). */
  readonly packet: Packet;
  readonly offset: number;
  readonly end: number;
}

/** A transport, as the IP layer sees it. */
export interface TransportProtocol {
  readonly protocol: number;
  /** Takes a packet whose src, dst, l3 and l4 are set; the transport's bytes are [l4, end). */
  receive(packet: Packet): void;
  /** An ICMP error came back. */
  error(error: IcmpError): void;
}

/** Hears of the echo replies to this host, and of errors about its requests. The same for every family. */
export interface PingListener {
  /** An echo reply came: the message is bytes[l4, end), src is who answers. The packet is given away. */
  reply(packet: Packet): void;
  /** An error came about an ICMP message of ours. */
  error(error: IcmpError): void;
}
