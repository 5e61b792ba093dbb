/**
 * Control messages, and those of recvmsg(2): what a socket knows of a datagram besides its bytes (cmsg(3), ip(7)).
 * @module
 */
import type { DatagramInfo, QueuedError } from '../datagram/received.ts';
import type { IpLayer } from '../net/ip-layer.ts';
import { AF_INET, AF_INET6, type IpAddress } from '../wire/address.ts';
import {
  IP_PKTINFO,
  IP_RECVERR,
  IP_TOS,
  IP_TTL,
  IPV6_HOPLIMIT,
  IPV6_PKTINFO,
  IPV6_RECVERR,
  IPV6_TCLASS,
  SO_TIMESTAMP,
  SOL_IP,
  SOL_IPV6,
  SOL_SOCKET,
} from './constants.ts';
import type { Timeval } from './options.ts';
import { type Out, type Sockaddr, sockaddrOf } from './sockaddr.ts';
import type { SocketOptions } from './socket.ts';

/** struct in_pktinfo. */
export interface InPktinfo {
  /** Index of the interface the datagram came in by, or is to go out by. */
  readonly ipi_ifindex: number;
  /** The address of ours to answer from; in sendmsg the one to send from. */
  readonly ipi_spec_dst: IpAddress;
  /** The destination in its header. */
  readonly ipi_addr: IpAddress;
}

/** struct in6_pktinfo. */
export interface In6Pktinfo {
  /** The destination in its header; in sendmsg the address to send from. */
  readonly ipi6_addr: IpAddress;
  /** Index of the interface the datagram came in by, or is to go out by. */
  readonly ipi6_ifindex: number;
}

/** struct sock_extended_err with what SO_EE_OFFENDER points to. */
export interface SockExtendedErr {
  readonly ee_errno: number;
  /** SO_EE_ORIGIN_LOCAL, SO_EE_ORIGIN_ICMP ... */
  readonly ee_origin: number;
  readonly ee_type: number;
  readonly ee_code: number;
  /** The MTU for EMSGSIZE, the pointer of a parameter problem; else 0. */
  readonly ee_info: number;
  readonly ee_data: number;
  /** Who reported the error; null when that was this host's own sending. */
  readonly offender: Sockaddr | null;
}

/** struct timespec. */
export interface Timespec {
  readonly tv_sec: number;
  readonly tv_nsec: number;
}

/** struct cmsghdr and its data: an int, or the struct that belongs to the type. */
export interface ControlMessage {
  readonly cmsg_level: number;
  readonly cmsg_type: number;
  readonly cmsg_data: number | Timeval | Timespec | InPktinfo | In6Pktinfo | SockExtendedErr;
}

/** Where recvmsg collects what comes besides the bytes. Other receiving calls want the address alone. */
export class MessageOut implements Out<Sockaddr> {
  value: Sockaddr | null = null;
  readonly control: ControlMessage[] = [];
  /** MSG_*. */
  flags = 0;
}

/** What `options` ask for about a datagram, in Linux's order. */
export function addControl(
  control: ControlMessage[],
  { options, family }: { readonly options: SocketOptions; readonly family: number },
  info: DatagramInfo,
  ip: IpLayer,
): void {
  if (options.timestamp) {
    const tv_usec = info.atUs % 1e6;
    const time = { tv_sec: (info.atUs - tv_usec) / 1e6, tv_usec };
    control.push({ cmsg_level: SOL_SOCKET, cmsg_type: SO_TIMESTAMP, cmsg_data: time });
  }
  if (family === AF_INET6) {
    addControl6(control, options, info);
    return;
  }
  if (options.pktInfo)
    control.push({ cmsg_level: SOL_IP, cmsg_type: IP_PKTINFO, cmsg_data: pktinfo(info, ip) });
  if (options.recvTtl) control.push({ cmsg_level: SOL_IP, cmsg_type: IP_TTL, cmsg_data: info.ttl });
  if (options.recvTos) control.push({ cmsg_level: SOL_IP, cmsg_type: IP_TOS, cmsg_data: info.tos });
}

function addControl6(control: ControlMessage[], options: SocketOptions, info: DatagramInfo): void {
  const add = (cmsg_type: number, cmsg_data: number | In6Pktinfo): void => {
    control.push({ cmsg_level: SOL_IPV6, cmsg_type, cmsg_data });
  };
  if (options.pktInfo)
    add(IPV6_PKTINFO, { ipi6_addr: info.destination.toMapped(), ipi6_ifindex: info.netif });
  // Of a datagram over IPv4 the options of SOL_IP would ask, which an IPv6 socket does not have here.
  if (info.destination.family === AF_INET) return;
  if (options.recvTtl) add(IPV6_HOPLIMIT, info.ttl);
  if (options.recvTos) add(IPV6_TCLASS, info.tos);
}

function pktinfo({ netif, destination, address }: DatagramInfo, ip: IpLayer): InPktinfo {
  const ours = ip.isLocal(destination) ? destination : ip.netif(netif)?.sourceFor(address);
  return { ipi_ifindex: netif, ipi_spec_dst: ours ?? destination, ipi_addr: destination };
}

/** The control message that says what an entry of the error queue is about. */
export function errorControl(error: QueuedError, family: number): ControlMessage {
  const { offender } = error;
  const data: SockExtendedErr = {
    ee_errno: error.errno,
    ee_origin: error.origin,
    ee_type: error.type,
    ee_code: error.code,
    ee_info: error.info,
    ee_data: 0,
    offender: offender === null ? null : sockaddrOf(family, offender, 0),
  };
  if (family === AF_INET6) return { cmsg_level: SOL_IPV6, cmsg_type: IPV6_RECVERR, cmsg_data: data };
  return { cmsg_level: SOL_IP, cmsg_type: IP_RECVERR, cmsg_data: data };
}
