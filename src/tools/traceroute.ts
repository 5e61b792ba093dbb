import { EMSGSIZE } from '../base/errno.ts';
import { resolve } from '../socket/api/address.ts';
import { SocketError } from '../socket/api/errors.ts';
import type { Sys } from '../socket/calls.ts';
import {
  IP_MTU_DISCOVER,
  IP_PMTUDISC_DONT,
  IP_PMTUDISC_PROBE,
  IP_TOS,
  IP_TTL,
  IPPROTO_UDP,
  IPV6_MTU_DISCOVER,
  IPV6_TCLASS,
  IPV6_UNICAST_HOPS,
  POLLERR,
  SOCK_DGRAM,
} from '../socket/constants.ts';
import type { Sockaddr } from '../socket/sockaddr.ts';
import type { Stack } from '../stack/stack.ts';
import { AF_INET6, type IpAddress } from '../wire/address.ts';
import { ICMP4_TIME_EXCEEDED, ICMP4_TTL_EXCEEDED } from '../wire/icmp4.ts';
import { ICMP6_HOP_LIMIT_EXCEEDED, ICMP6_TIME_EXCEEDED } from '../wire/icmp6.ts';
import { IPV4_HEADER_LENGTH } from '../wire/ipv4.ts';
import { IPV6_HEADER_LENGTH } from '../wire/ipv6.ts';
import { UDP_HEADER_LENGTH } from '../wire/udp.ts';
import { icmp4Annotation, icmp6Annotation } from './icmp-text.ts';
import { type Message, Messages } from './messages.ts';

/** What traceroute() can be told. Times are in microseconds. */
export interface TracerouteOptions {
  /** The last TTL that is tried; 30 by default. */
  readonly maxHops?: number;
  /** The first one; 1 by default. */
  readonly firstHop?: number;
  /** Probes a hop; 3 by default. */
  readonly queries?: number;
  /** How long to wait for an answer at most; 5 seconds by default. */
  readonly waitUs?: number;
  /**
   * Once there was an answer from the same hop, or from a later one, a probe waits no longer than so many times as
   * long as that took: 3 and 10 by default, 0 for never.
   */
  readonly hereFactor?: number;
  readonly nearFactor?: number;
  /** The UDP port of the first probe, one more for each further one; 33434 by default. */
  readonly port?: number;
  /** Bytes of an IP packet; 60 by default, 80 over IPv6. */
  readonly size?: number;
  /** Probes under way at once; 16 by default. */
  readonly simultaneous?: number;
  /** Sets DF; over IPv6 nothing is cut on the way. */
  readonly dontFragment?: boolean;
  readonly tos?: number;
  /** The address to send from. */
  readonly source?: string;
  /** Ends it: the iteration throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What came back of a probe. */
export interface TracerouteAnswer {
  /** Who answered; null when this host could not send the probe. */
  readonly from: string | null;
  readonly rttUs: number;
  /** '' in the ordinary case; '!N', '!H', '!P' network, host, protocol unreachable, '!X' prohibited, '!F-MTU' ... */
  readonly annotation: string;
  /** Probes go no further: the destination, or who can say that it cannot be reached. */
  readonly final: boolean;
}

/** The answers to the probes with one TTL, in the order of the probes; null for those that got none. */
export interface TracerouteHop {
  readonly hop: number;
  readonly answers: readonly (TracerouteAnswer | null)[];
}

const HOPS_MAX = 255;
const QUERIES_MAX = 10;
/** The end of IANA's registered ports is long before it: nobody should listen there. */
const FIRST_PORT = 33434;
/** Bytes of payload when nothing is said, as everybody's traceroute has it. */
const PAYLOAD = 32;
/** Room for errors that quote all that they may. */
const BUFFER_SIZE = 1500;
/** An answer as fast as the last one is not waited for in vain: the clock is not that exact. */
const WAIT_GRACE_US = 1000;

interface Probe {
  readonly hop: number;
  readonly port: number;
  readonly sentUs: number;
  answer: TracerouteAnswer | null;
  /** Answered, or given up. */
  done: boolean;
}

/**
 * Finds the routers on the way to a host, as Linux's traceroute does: UDP datagrams to ports where nobody listens, with
 * a TTL that grows, and the ICMP errors they bring. Iterate over the hops.
 * Throws HostNotFoundError or RangeError for arguments that cannot be; the iteration throws SocketError.
 * @example
 * for await (const hop of traceroute(stack, '10.0.3.2')) console.log(formatTracerouteHop(hop));
 */
export function traceroute(stack: Stack, destination: string, options: TracerouteOptions = {}): Traceroute {
  return new Traceroute(stack.sys.as('traceroute'), destination, options);
}

/** One run of traceroute: iterate over it once. */
export class Traceroute implements AsyncIterable<TracerouteHop> {
  /** What was asked for, and the address it stands for. */
  readonly destination: string;
  readonly address: string;
  readonly maxHops: number;
  /** Bytes of a probe's IP packet. */
  readonly size: number;
  private readonly sys: Sys;
  private readonly options: TracerouteOptions;
  private readonly target: Sockaddr;
  private readonly isIpv6: boolean;
  private readonly firstHop: number;
  private readonly queries: number;
  private readonly port: number;
  private readonly payload: Uint8Array;
  private readonly probes: Probe[] = [];
  /** The last hop that is of interest. */
  private lastHop: number;
  private ttl = 0;

  constructor(sys: Sys, destination: string, options: TracerouteOptions) {
    const { maxHops = 30, firstHop = 1, queries = 3, port = FIRST_PORT } = options;
    this.target = resolve(sys, 'traceroute', destination, port);
    this.isIpv6 = this.target.family === AF_INET6;
    const headers = UDP_HEADER_LENGTH + (this.isIpv6 ? IPV6_HEADER_LENGTH : IPV4_HEADER_LENGTH);
    const { size = headers + PAYLOAD } = options;
    within('maxHops', maxHops, 1, HOPS_MAX);
    within('firstHop', firstHop, 1, maxHops);
    within('queries', queries, 1, QUERIES_MAX);
    within('size', size, headers, 65535);
    within('port', port, 1, 65535);
    this.sys = sys;
    this.destination = destination;
    this.address = this.textOf(this.target.address);
    this.options = options;
    this.maxHops = this.lastHop = maxHops;
    this.firstHop = firstHop;
    this.queries = queries;
    this.port = port;
    this.size = size;
    // '@ABC...', as everybody's traceroute fills it.
    this.payload = Uint8Array.from({ length: size - headers }, (_, i) => 0x40 + (i & 0x3f));
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TracerouteHop, void, undefined> {
    const { simultaneous = 16, signal } = this.options;
    signal?.throwIfAborted();
    const socket = this.open();
    try {
      for (let hop = this.firstHop; hop <= this.lastHop; ) {
        const underWay = this.probes.filter(probe => !probe.done).length;
        if (underWay < simultaneous && this.nextHop <= this.lastHop) {
          this.send(socket);
          continue;
        }
        if (this.isDone(hop)) {
          yield this.hopOf(hop++);
          continue;
        }
        const ready = await socket.ready(this.earliestEnd(), signal);
        for (const message of socket.read(ready)) this.take(message);
        this.giveUp();
      }
    } finally {
      socket.close();
    }
  }

  private textOf(address: IpAddress): string {
    return this.sys.context.tcp.ip.textOf(address);
  }

  private now(): number {
    return this.sys.context.host.refreshNow();
  }

  private open(): Messages {
    const { tos, source, dontFragment = false } = this.options;
    const socket = new Messages(this.sys, SOCK_DGRAM, IPPROTO_UDP, this.target.family, BUFFER_SIZE);
    try {
      const discover = dontFragment ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DONT;
      socket.setIp(IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, discover);
      if (tos !== undefined) socket.setIp(IP_TOS, IPV6_TCLASS, tos);
      if (source !== undefined) {
        const bound = this.sys.bind(socket.fd, resolve(this.sys, 'bind', source, 0));
        if (bound < 0) throw new SocketError('bind', bound, source);
      }
    } catch (error) {
      socket.close();
      throw error;
    }
    return socket;
  }

  /** The TTL of the next probe. */
  private get nextHop(): number {
    return this.firstHop + Math.floor(this.probes.length / this.queries);
  }

  private send(socket: Messages): void {
    const hop = this.nextHop;
    if (this.ttl !== hop) socket.setIp(IP_TTL, IPV6_UNICAST_HOPS, hop);
    this.ttl = hop;
    // Ports begin again at 1 behind the last.
    const port = ((this.port + this.probes.length - 1) % 65535) + 1;
    const probe: Probe = { hop, port, sentUs: this.now(), answer: null, done: false };
    this.probes.push(probe);
    const result = this.sys.sendto(socket.fd, this.payload, 0, { address: this.target.address, port });
    if (result >= 0) return;
    if (result !== -EMSGSIZE) throw new SocketError('sendto', result, this.address, port);
    this.answered(probe, { from: null, rttUs: 0, annotation: '!F', final: true });
    // What the error queue says besides: the MTU.
    for (const { error } of socket.read(POLLERR)) {
      if (error !== null && error.ee_errno === EMSGSIZE)
        this.answered(probe, { from: null, rttUs: 0, annotation: `!F-${error.ee_info}`, final: true });
    }
  }

  /** An error about a probe, or a datagram from who listens at its port after all. */
  private take(message: Message): void {
    const { error, port, atUs } = message;
    const probe = this.probes.find(each => each.port === port);
    if (probe === undefined || probe.done || !message.address.equals(this.target.address)) return;
    const rttUs = Math.max(0, atUs - probe.sentUs);
    if (error === null) {
      this.answered(probe, { from: this.address, rttUs, annotation: '', final: true });
      return;
    }
    if (error.offender === null) return;
    const { ee_type: type, ee_code: code, ee_info: info } = error;
    const isOnTheWay = this.isIpv6
      ? type === ICMP6_TIME_EXCEEDED && code === ICMP6_HOP_LIMIT_EXCEEDED
      : type === ICMP4_TIME_EXCEEDED && code === ICMP4_TTL_EXCEEDED;
    this.answered(probe, {
      from: this.textOf(error.offender.address),
      rttUs,
      annotation: (this.isIpv6 ? icmp6Annotation : icmp4Annotation)(type, code, info),
      final: !isOnTheWay,
    });
  }

  private answered(probe: Probe, answer: TracerouteAnswer): void {
    probe.answer = answer;
    probe.done = true;
    if (answer.final) this.lastHop = Math.min(this.lastHop, probe.hop);
  }

  private giveUp(): void {
    const nowUs = this.now();
    for (const probe of this.probes) if (!probe.done && this.endOf(probe) <= nowUs) probe.done = true;
  }

  /** When the first of the probes under way is given up. */
  private earliestEnd(): number {
    const ends = this.probes.filter(probe => !probe.done).map(probe => this.endOf(probe));
    return Math.min(...ends);
  }

  /** Until when an answer to a probe is waited for. */
  private endOf(probe: Probe): number {
    const { waitUs = 5_000_000, hereFactor = 3, nearFactor = 10 } = this.options;
    const same = this.probes.find(each => each.hop === probe.hop && each.answer !== null);
    const later = this.probes.find(each => each.hop > probe.hop && each.answer !== null);
    const factor = same !== undefined && hereFactor > 0 ? hereFactor : nearFactor;
    const { answer = null } = (same !== undefined && hereFactor > 0 ? same : later) ?? {};
    if (answer === null || factor === 0) return probe.sentUs + waitUs;
    return probe.sentUs + Math.min(waitUs, (answer.rttUs + WAIT_GRACE_US) * factor);
  }

  private isDone(hop: number): boolean {
    const probes = this.probes.filter(probe => probe.hop === hop);
    return probes.length === this.queries && probes.every(probe => probe.done);
  }

  private hopOf(hop: number): TracerouteHop {
    return { hop, answers: this.probes.filter(probe => probe.hop === hop).map(probe => probe.answer) };
  }
}

function within(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max)
    throw new RangeError(`${name} is ${value}, not ${min} to ${max}`);
}
