import { EAGAIN, EMSGSIZE, ENOBUFS, strerror } from '../base/errno.ts';
import { resolve } from '../socket/api/address.ts';
import { SocketError } from '../socket/api/errors.ts';
import type { Sys } from '../socket/calls.ts';
import {
  AF_INET6,
  IP_MTU_DISCOVER,
  IP_PMTUDISC_DO,
  IP_PMTUDISC_DONT,
  IP_PMTUDISC_WANT,
  IP_TOS,
  IP_TTL,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPV6_MTU_DISCOVER,
  IPV6_TCLASS,
  IPV6_UNICAST_HOPS,
  POLLERR,
  SO_BROADCAST,
  SOCK_DGRAM,
  SOL_SOCKET,
} from '../socket/constants.ts';
import type { Sockaddr } from '../socket/sockaddr.ts';
import type { Stack } from '../stack/stack.ts';
import type { IpAddress } from '../wire/address.ts';
import { emitIcmp4, ICMP4_ECHO, ICMP4_HEADER_LENGTH, icmp4EchoSequence } from '../wire/icmp4.ts';
import { ICMP6_ECHO } from '../wire/icmp6.ts';
import { icmp4ErrorText, icmp6ErrorText } from './icmp-text.ts';
import { type Message, Messages } from './messages.ts';
import { PingStatistics } from './ping-statistics.ts';

/** What ping() can be told. Times are in microseconds. */
export interface PingOptions {
  /** Ends after this many answers and errors; for ever by default. */
  readonly count?: number;
  /** Between two requests; a second by default. With 0 the next one follows an answer, or 10 ms. */
  readonly intervalUs?: number;
  /** Bytes of data in a request, behind the 8 of the header; 56 by default. */
  readonly size?: number;
  /** As fast as the answers come, and each request is an event, too. */
  readonly flood?: boolean;
  /** How long to wait for the last answers when there were none before; 10 seconds by default. */
  readonly timeoutUs?: number;
  /** Ends after this time, whatever came; `count` is then how many answers to wait for. */
  readonly deadlineUs?: number;
  /** Of the IP header; the host's default for the TTL. */
  readonly ttl?: number;
  readonly tos?: number;
  /** DF: 'do' always sets it, 'want' (the default) on what fits the path, 'dont' never. */
  readonly dontFragment?: 'do' | 'want' | 'dont';
  /** The address to send from. */
  readonly source?: string;
  /** The identifier; a free one by default. */
  readonly identifier?: number;
  /** Allows a broadcast address. */
  readonly broadcast?: boolean;
  /** Makes an event of a request that has no answer when the next one is sent. */
  readonly pending?: boolean;
  /** Ends it: the iteration throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** An answer. */
export interface PingReply {
  readonly type: 'reply';
  readonly sequence: number;
  readonly from: string;
  /** Of the ICMP message. */
  readonly bytes: number;
  readonly ttl: number;
  readonly rttUs: number;
  /** The request had been answered before. */
  readonly duplicate: boolean;
  /** Where in the data the first byte is that was not sent so, what it should be and what it is; else null. */
  readonly wrong: { readonly at: number; readonly sent: number; readonly received: number } | null;
}

/** A request that could not be delivered, or not be sent. */
export interface PingError {
  readonly type: 'error';
  readonly sequence: number;
  /** Who says so; null when this host could not send it. */
  readonly from: string | null;
  readonly errno: number;
  /** 'Destination Host Unreachable'; for what was not sent: 'local error: message too long, mtu=1500'. */
  readonly text: string;
}

/** A request that was sent, or ('pending') that has no answer yet. */
export interface PingRequest {
  readonly type: 'sent' | 'pending';
  readonly sequence: number;
}

/** What happens while one pings. */
export type PingEvent = PingReply | PingError | PingRequest;

type Outcome = 'none' | 'error' | 'reply';

const SECOND_US = 1_000_000;
/** Between two requests when none is answered and the interval is 0. */
const FLOOD_INTERVAL_US = 10_000;
const DEFAULT_SIZE = 56;
/** The largest packet of either family less the headers: the length of IPv6 does not count its own. */
const SIZE_MAX_V4 = 65507;
const SIZE_MAX_V6 = 65527;
const SEQUENCES = 65536;

/**
 * Asks a host for echo replies. Requests go out while one iterates over what comes back; the socket is closed when the
 * iteration ends, or by `stop`. Throws HostNotFoundError, SocketError (ENETUNREACH, EACCES for a broadcast address ...)
 * and, for options that cannot be, RangeError.
 * @example
 * for await (const event of ping(stack, '10.0.0.2', { count: 3 })) console.log(formatPingEvent(event));
 */
export function ping(stack: Stack, destination: string, options: PingOptions = {}): Ping {
  return new Ping(stack.sys.as('ping'), destination, options);
}

/** One run of ping: iterate over it once. */
export class Ping implements AsyncIterable<PingEvent> {
  /** What was asked for, and the address it stands for. */
  readonly destination: string;
  readonly address: string;
  readonly size: number;
  readonly statistics = new PingStatistics();
  private readonly sys: Sys;
  private readonly options: PingOptions;
  private readonly target: Sockaddr;
  private readonly count: number;
  private readonly intervalUs: number;
  private readonly request: Uint8Array;
  private readonly events: AsyncGenerator<PingEvent, void, undefined>;
  private readonly stopper = new AbortController();
  private readonly socket: Messages;
  private running = false;
  private stopped = false;
  /** By sequence number: when it was sent, and what came of it. */
  private readonly sentUs: number[] = [];
  private readonly outcomes: Outcome[] = [];
  /** The latest sequence number that was answered. */
  private acknowledged = 0;
  private startUs = 0;
  private nextUs = 0;
  /** When waiting for the last answers ends. */
  private endUs = Number.POSITIVE_INFINITY;

  constructor(sys: Sys, destination: string, options: PingOptions) {
    const { size = DEFAULT_SIZE, count = Number.POSITIVE_INFINITY, flood = false } = options;
    options.signal?.throwIfAborted();
    this.target = resolve(sys, 'ping', destination, 0);
    const most = this.isIpv6 ? SIZE_MAX_V6 : SIZE_MAX_V4;
    if (!Number.isInteger(size) || size < 0 || size > most) {
      throw new RangeError(`size is ${size}, not 0 to ${most}`);
    }
    this.sys = sys;
    this.destination = destination;
    this.address = this.textOf(this.target.address);
    this.options = options;
    this.size = size;
    this.count = count;
    this.intervalUs = flood ? 0 : (options.intervalUs ?? SECOND_US);
    this.request = new Uint8Array(ICMP4_HEADER_LENGTH + size);
    for (let i = 0; i < size; i++) this.request[ICMP4_HEADER_LENGTH + i] = i;
    this.socket = this.open();
    this.events = this.run();
  }

  /** Ends it: the iteration is over, and `statistics` is final. */
  stop(): void {
    this.stopped = true;
    this.stopper.abort();
    // Who never iterates has no other way to give the socket back.
    if (!this.running) this.socket.close();
  }

  [Symbol.asyncIterator](): AsyncGenerator<PingEvent, void, undefined> {
    return this.events;
  }

  private async *run(): AsyncGenerator<PingEvent, void, undefined> {
    if (this.stopped) return;
    const { socket } = this;
    const { signal } = this.options;
    const onAbort = (): void => this.stopper.abort(signal?.reason);
    if (signal?.aborted === true) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    this.running = true;
    try {
      this.startUs = this.nextUs = this.now();
      while (!this.isOver()) {
        if (this.mayAsk() && this.now() >= this.nextUs) {
          yield* this.ask();
          continue;
        }
        const ready = await this.wait();
        for (const message of socket.read(ready)) {
          const event = message.error === null ? this.reply(message) : this.failure(message);
          if (event !== null) yield event;
          if (this.isOver()) break;
        }
      }
    } catch (error) {
      if (!this.stopped) throw error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
      socket.close();
    }
  }

  private now(): number {
    return this.sys.context.host.refreshNow();
  }

  private open(): Messages {
    const { options, sys, target } = this;
    const { ttl, tos, dontFragment = 'want', source, identifier = 0 } = options;
    // Room for an error that quotes the whole request and for a reply that is longer than it should be.
    const room = this.request.length + 128;
    const protocol = this.isIpv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
    const socket = new Messages(sys, SOCK_DGRAM, protocol, target.family, room);
    try {
      if (ttl !== undefined) socket.setIp(IP_TTL, IPV6_UNICAST_HOPS, ttl);
      if (tos !== undefined) socket.setIp(IP_TOS, IPV6_TCLASS, tos);
      socket.setIp(IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, DISCOVER[dontFragment]);
      if (options.broadcast === true) socket.set(SOL_SOCKET, SO_BROADCAST, 1);
      if (source !== undefined || identifier !== 0) {
        const local = resolve(sys, 'bind', source ?? (this.isIpv6 ? '::' : '0.0.0.0'), identifier);
        const bound = sys.bind(socket.fd, local);
        if (bound < 0) throw new SocketError('bind', bound, source, identifier);
      }
      const connected = sys.connect(socket.fd, target);
      if (connected < 0) throw new SocketError('connect', connected, this.address);
    } catch (error) {
      socket.close();
      throw error;
    }
    return socket;
  }

  private textOf(address: IpAddress): string {
    return this.sys.context.tcp.ip.textOf(address);
  }

  private get isIpv6(): boolean {
    return this.target.family === AF_INET6;
  }

  /** Whether everything came that is waited for, or the time is over. */
  private isOver(): boolean {
    const { deadlineUs } = this.options;
    const { received, errors } = this.statistics;
    if (this.stopped || received + errors >= this.count) return true;
    const nowUs = this.now();
    if (deadlineUs !== undefined) return errors > 0 || nowUs - this.startUs >= deadlineUs;
    return nowUs >= this.endUs;
  }

  /** With a deadline requests go on until enough answers came. */
  private mayAsk(): boolean {
    return this.statistics.transmitted < this.count || this.options.deadlineUs !== undefined;
  }

  private wait(): Promise<number> {
    const { deadlineUs = Number.POSITIVE_INFINITY } = this.options;
    const nextUs = this.mayAsk() ? this.nextUs : this.endUs;
    return this.socket.ready(Math.min(nextUs, this.startUs + deadlineUs), this.stopper.signal);
  }

  /** Sends the next request. */
  private *ask(): IterableIterator<PingEvent> {
    const { statistics, options, request } = this;
    const previous = statistics.transmitted % SEQUENCES;
    const sequence = (statistics.transmitted + 1) % SEQUENCES;
    const { buffer, byteOffset, byteLength } = request;
    const type = this.isIpv6 ? ICMP6_ECHO : ICMP4_ECHO;
    emitIcmp4(new DataView(buffer, byteOffset, byteLength), 0, type, 0, sequence);
    const nowUs = this.now();
    const result = this.sys.sendto(this.socket.fd, request, 0, this.target);
    const retry = result === -ENOBUFS || result === -EAGAIN;
    this.nextUs = retry ? nowUs + FLOOD_INTERVAL_US : this.afterThis(nowUs);
    if (retry) return;
    const unanswered = statistics.transmitted > 0 && this.outcomes[previous] === 'none';
    statistics.transmitted++;
    statistics.elapsedUs = nowUs - this.startUs;
    this.sentUs[sequence] = nowUs;
    this.outcomes[sequence] = 'none';
    if (statistics.transmitted >= this.count) this.endUs = nowUs + this.lingerUs();
    if (options.pending === true && unanswered) yield { type: 'pending', sequence: previous };
    if (options.flood === true) yield { type: 'sent', sequence };
    if (result < 0) yield* this.notSent(sequence, result);
  }

  /** When the request after the present one is due: a late one does not make the next one late. */
  private afterThis(nowUs: number): number {
    if (this.intervalUs === 0) return nowUs + FLOOD_INTERVAL_US;
    const dueUs = this.nextUs + this.intervalUs;
    return dueUs > nowUs ? dueUs : nowUs + this.intervalUs;
  }

  /** Twice the longest round trip so far: a late answer is not a lost one. */
  private lingerUs(): number {
    const { roundTrips } = this.statistics;
    if (roundTrips === null) return this.options.timeoutUs ?? 10 * SECOND_US;
    return Math.max(2 * roundTrips.maxUs, this.intervalUs);
  }

  /** A call that failed: the error queue may know more. */
  private *notSent(sequence: number, result: number): IterableIterator<PingEvent> {
    this.statistics.errors++;
    let text = `sendmsg: ${strerror(result)}`;
    for (const { error } of this.socket.read(POLLERR)) {
      if (error?.ee_errno !== EMSGSIZE) continue;
      text = `local error: message too long, mtu${this.isIpv6 ? ': ' : '='}${error.ee_info}`;
    }
    yield { type: 'error', sequence, from: null, errno: -result, text };
  }

  private reply(message: Message): PingReply | null {
    const { buffer } = this.socket;
    const { statistics, sentUs, outcomes } = this;
    const sequence = sequenceIn(buffer, 0);
    const sent = sentUs[sequence];
    if (message.length < ICMP4_HEADER_LENGTH || sent === undefined) return null;
    const rttUs = Math.max(0, message.atUs - sent);
    const duplicate = outcomes[sequence] === 'reply';
    outcomes[sequence] = 'reply';
    if (duplicate) statistics.duplicates++;
    else statistics.received++;
    statistics.measure(rttUs);
    const wrong = this.firstWrong(message.length);
    if (wrong !== null) statistics.corrupted++;
    this.acknowledge(sequence);
    return {
      type: 'reply',
      sequence,
      from: this.textOf(message.address),
      bytes: message.length,
      ttl: message.ttl,
      rttUs,
      duplicate,
      wrong,
    };
  }

  private firstWrong(length: number): PingReply['wrong'] {
    const { buffer } = this.socket;
    const end = Math.min(length, this.request.length);
    for (let i = ICMP4_HEADER_LENGTH; i < end; i++) {
      const [sent, received] = [this.request[i] as number, buffer[i] as number];
      if (sent !== received) return { at: i - ICMP4_HEADER_LENGTH, sent, received };
    }
    return null;
  }

  /** An entry of the error queue. */
  private failure({ error, address, length }: Message): PingError | null {
    const { buffer } = this.socket;
    if (error === null || error.offender === null || length < ICMP4_HEADER_LENGTH) return null;
    const sequence = sequenceIn(buffer, 0);
    if (!address.equals(this.target.address) || this.sentUs[sequence] === undefined) return null;
    this.statistics.errors++;
    if (this.outcomes[sequence] === 'none') this.outcomes[sequence] = 'error';
    this.acknowledge(sequence);
    return {
      type: 'error',
      sequence,
      from: this.textOf(error.offender.address),
      errno: error.ee_errno,
      text: (this.isIpv6 ? icmp6ErrorText : icmp4ErrorText)(error.ee_type, error.ee_code, error.ee_info),
    };
  }

  /** Notes how many requests were on their way; in a flood the next one may go when none is. */
  private acknowledge(sequence: number): void {
    const { statistics } = this;
    const behind = (statistics.transmitted - sequence) & 0xffff;
    if (behind < SEQUENCES / 2) statistics.pipe = Math.max(statistics.pipe, behind + 1);
    if (((sequence - this.acknowledged) & 0xffff) < SEQUENCES / 2) this.acknowledged = sequence;
    if (this.intervalUs === 0 && this.acknowledged === statistics.transmitted % SEQUENCES) this.nextUs = 0;
  }
}

const DISCOVER = { do: IP_PMTUDISC_DO, want: IP_PMTUDISC_WANT, dont: IP_PMTUDISC_DONT } as const;

function sequenceIn(bytes: Uint8Array, offset: number): number {
  return icmp4EchoSequence(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset);
}
