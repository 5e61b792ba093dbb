import { EBADF } from '../base/errno.ts';
import { Delay } from '../socket/api/delay.ts';
import { SocketError } from '../socket/api/errors.ts';
import { type Listener, listen } from '../socket/api/listen.ts';
import type { TcpSocketStream } from '../socket/api/tcp-stream.ts';
import type { Sys } from '../socket/calls.ts';
import {
  AF_INET,
  IP_PKTINFO,
  IPV6_RECVPKTINFO,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOL_IP,
  SOL_IPV6,
} from '../socket/constants.ts';
import type { ControlMessage } from '../socket/control.ts';
import { encodeLengthPrefixed, readLengthPrefixed } from '../socket/framing.ts';
import type { MsgHdr } from '../socket/ops.ts';
import type { Stack } from '../stack/stack.ts';
import { IpAddress } from '../wire/address.ts';
import { MESSAGE_MAX } from './message.ts';
import { Responder } from './responder.ts';
import type { Zones } from './zone.ts';

/** Bounds on what clients can make a server keep. */
export interface ServerLimits {
  /** TCP connections at once; more are closed as they come. */
  tcpConnections: number;
  /** Microseconds after which a connection without a complete question, or whose answers nobody reads, is reset. */
  tcpIdleUs: number;
  /** Bytes of an answer by UDP. */
  udpSize: number;
}

/** The bounds unless told otherwise. */
export const SERVER_LIMITS: ServerLimits = { tcpConnections: 64, tcpIdleUs: 10_000_000, udpSize: 1232 };

/** What to serve, and where. */
export interface DnsServerOptions {
  readonly zones: Zones;
  /** 53 by default. */
  readonly port?: number;
  /** The address to serve at; every one of both families by default. */
  readonly hostname?: string;
  /** Seconds for records that do not say; 3600 by default. */
  readonly ttl?: number;
  readonly limits?: Partial<ServerLimits>;
}

const DNS_PORT = 53;
const DEFAULT_TTL = 3600;
/** After a connection could not be accepted, in microseconds. */
const ACCEPT_PAUSE_US = 100_000;

/**
 * A small authoritative name server for embedded networks: zones in an object, over UDP and TCP. What is not in its
 * zones it refuses. Throws TypeError for a zone that is none, SocketError when the port cannot be had.
 * @example
 * serveDns(stack, { zones: { 'example.test': { www: { A: '10.0.0.2', AAAA: 'fd00::2' }, '*': { CNAME: 'www' } } } });
 */
export function serveDns(stack: Stack, options: DnsServerOptions): DnsServer {
  return new DnsServer(stack, options);
}

/** A name server that runs; see `serveDns`. */
export class DnsServer {
  /** Where it serves. */
  readonly port: number;
  private readonly stack: Stack;
  private readonly sys: Sys;
  private readonly limits: ServerLimits;
  private readonly ttl: number;
  private responder: Responder;
  private readonly udp: number;
  private readonly listener: Listener;
  private readonly connections = new Set<TcpSocketStream>();

  constructor(stack: Stack, options: DnsServerOptions) {
    const { port = DNS_PORT, ttl = DEFAULT_TTL } = options;
    const everywhere = stack.host.sysctl.disable_ipv6 ? '0.0.0.0' : '::';
    const hostname = options.hostname ?? everywhere;
    this.stack = stack;
    this.sys = stack.sys.as('dns');
    this.limits = { ...SERVER_LIMITS, ...options.limits };
    this.ttl = ttl;
    this.responder = new Responder(options.zones, ttl, this.limits.udpSize);
    this.port = port;
    this.udp = this.openUdp(hostname);
    try {
      this.listener = listen(this.sys, { hostname, port, ipv6Only: false });
    } catch (error) {
      this.sys.close(this.udp);
      throw error;
    }
    void this.serveUdp();
    void this.serveTcp();
  }

  /** How many TCP connections are open. */
  get tcpConnections(): number {
    return this.connections.size;
  }

  /** Puts other zones in the place of those it has. Throws TypeError, and keeps what it has, when they are none. */
  setZones(zones: Zones): void {
    this.responder = new Responder(zones, this.ttl, this.limits.udpSize);
  }

  /** Ends it, and every connection. */
  close(): void {
    this.sys.close(this.udp);
    this.listener.close();
    for (const connection of this.connections) connection.abort();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  // --- UDP --------------------------------------------------------------------------------------------------------

  private openUdp(hostname: string): number {
    const { sys, port } = this;
    const family = IpAddress.parse(hostname)?.family ?? AF_INET;
    const fd = sys.socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) throw new SocketError('socket', fd);
    if (family === AF_INET) sys.setsockopt(fd, SOL_IP, IP_PKTINFO, 1);
    else sys.setsockopt(fd, SOL_IPV6, IPV6_RECVPKTINFO, 1);
    const result = sys.bind(fd, { address: hostname, port });
    if (result < 0) {
      sys.close(fd);
      throw new SocketError('bind', result, hostname, port);
    }
    return fd;
  }

  private async serveUdp(): Promise<void> {
    const { sys, udp } = this;
    const buffer = new Uint8Array(MESSAGE_MAX);
    for (;;) {
      const message: MsgHdr = { msg_iov: [buffer] };
      const length = await sys.wait.recvmsg(udp, message);
      if (length === -EBADF) return;
      const client = message.msg_name;
      // An error of one datagram that was sent is not one of the others.
      if (length < 0 || client === null || client === undefined) continue;
      const answer = this.responder.respond(buffer.subarray(0, length), 'udp');
      if (answer === null) continue;
      sys.sendmsg(udp, { msg_name: client, msg_iov: [answer], msg_control: sourceIn(message) });
    }
  }

  // --- TCP --------------------------------------------------------------------------------------------------------

  private async serveTcp(): Promise<void> {
    for (;;) {
      try {
        for await (const connection of this.listener) {
          if (this.connections.size >= this.limits.tcpConnections) connection.abort();
          else void this.serveConnection(connection);
        }
        // The listener, or the whole stack, was closed.
        return;
      } catch {
        // No descriptor is left: others will be closed.
        await new Promise<void>(resolve => new Delay(this.stack.host, resolve).start(ACCEPT_PAUSE_US));
      }
    }
  }

  /** Questions one after the other, each answered before the next is looked at (RFC 7766). */
  private async serveConnection(connection: TcpSocketStream): Promise<void> {
    this.connections.add(connection);
    const idle = new Delay(this.stack.host, () => connection.abort());
    idle.start(this.limits.tcpIdleUs);
    const writer = connection.writable.getWriter();
    try {
      for await (const question of readLengthPrefixed(connection.readable, { lengthBytes: 2 })) {
        const answer = this.responder.respond(question, 'tcp');
        if (answer === null) break;
        await writer.write(encodeLengthPrefixed(answer, { lengthBytes: 2 }));
        idle.start(this.limits.tcpIdleUs);
      }
      await writer.close();
      await connection.closed;
    } catch {
      // Reset, or cut short: there is nobody left to tell.
    } finally {
      idle.stop();
      connection.abort();
      this.connections.delete(connection);
    }
  }
}

/** What sends an answer from the address that was asked: a client hears no other (RFC 5452 section 9.1). */
function sourceIn({ msg_control: control = [] }: MsgHdr): ControlMessage[] {
  return control.flatMap(message => {
    const { cmsg_data: data } = message;
    if (typeof data !== 'object') return [];
    // The interface is for the routes to choose, unless the address means something on one alone.
    if ('ipi_spec_dst' in data) return [{ ...message, cmsg_data: { ...data, ipi_ifindex: 0 } }];
    if (!('ipi6_addr' in data)) return [];
    return [data.ipi6_addr.needsZone ? message : { ...message, cmsg_data: { ...data, ipi6_ifindex: 0 } }];
  });
}
