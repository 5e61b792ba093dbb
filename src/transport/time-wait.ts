/**
 * TIME_WAIT (RFC 9293 section 3.10.7.4, RFC 1337, RFC 6191): what remains of a connection, small, so that a busy server
 * can hold very many.
 * @module
 */
import { type Seq, seqDiff, seqGt, seqLt } from '../base/seq.ts';
import type { IcmpError } from '../core/network.ts';
import { Alarm } from '../core/timers.ts';
import type { TcpConnection } from '../tcp/connection.ts';
import { WINDOW_MAX } from '../tcp/receive/window.ts';
import type { Segment } from '../tcp/segment.ts';
import { nextState, type TcpCause } from '../tcp/state.ts';
import { TRACE_STATE } from '../trace/events.ts';
import { formatEndpoint, type IpAddress } from '../wire/address.ts';
import { ACK, FIN, RST, SYN } from '../wire/tcp.ts';
import type { Flow } from './flow.ts';
import type { TcpEndpoint } from './tcp-endpoint.ts';
import type { TcpLayer } from './tcp-layer.ts';
import type { PortBinding } from './tcp-ports.ts';

/** Entries that end before others have their turn. */
const EXPIRED_AT_ONCE = 64;

/** One connection in TIME_WAIT. */
export class TimeWait implements Flow {
  /** When it ends, in microseconds, and who ends before and after it. Written by TimeWaits. */
  dueUs = 0;
  previous: TimeWait | null = null;
  next: TimeWait | null = null;
  readonly localAddress: IpAddress;
  readonly localPort: number;
  readonly remoteAddress: IpAddress;
  readonly remotePort: number;
  flowHash = 0;
  readonly binding: PortBinding;
  private readonly layer: TcpLayer;
  readonly sndNxt: Seq;
  private readonly rcvNxt: Seq;
  private readonly window: number;
  private readonly windowField: number;
  readonly timestamps: boolean;
  readonly tsRecent: number;
  readonly tsRecentUs: number;
  private readonly tsOffset: number;
  private lastAckUs = 0;

  constructor(layer: TcpLayer, endpoint: TcpEndpoint, binding: PortBinding) {
    const connection: TcpConnection = endpoint.connection;
    this.layer = layer;
    this.localAddress = endpoint.localAddress;
    this.localPort = endpoint.localPort;
    this.remoteAddress = endpoint.remoteAddress;
    this.remotePort = endpoint.remotePort;
    this.binding = binding;
    this.sndNxt = connection.sndNxt;
    this.rcvNxt = connection.rcvNxt;
    this.window = connection.rcvWndLeft;
    this.windowField = Math.min(connection.rcvWnd >> connection.rcvWscale, WINDOW_MAX);
    this.timestamps = connection.timestamps;
    this.tsRecent = connection.tsRecent;
    this.tsRecentUs = connection.tsRecentUs;
    this.tsOffset = connection.tsOffset;
  }

  segment(segment: Segment): void {
    const { layer } = this;
    const old = this.isOldByTimestamp(segment);
    if (segment.has(RST)) {
      if (!old && segment.seq === this.rcvNxt && !layer.host.sysctl.tcp_rfc1337)
        layer.timeWaits.end(this, 'receive RST');
      return;
    }
    const opens = (segment.flags & (SYN | ACK | FIN)) === SYN;
    if (opens && !old && this.isNewer(segment) && layer.reopen(this, segment)) return;
    if (old) layer.host.mib.TcpExt.PAWSEstab++;
    if (!old && segment.length === 0 && segment.seq === this.rcvNxt) return;
    // A FIN that comes again: the peer did not get our ACK. The wait starts anew.
    if (segment.has(ACK) || old) layer.timeWaits.restart(this);
    this.acknowledge(segment);
  }

  icmp(_error: IcmpError): void {}

  destroy(): void {
    this.layer.timeWaits.end(this, 'abort');
  }

  /** Whether an outgoing connection may take over the port (tcp_tw_reuse): timestamps tell old segments apart. */
  mayReuse(): boolean {
    const { sysctl, nowUs } = this.layer.host;
    const allowed = sysctl.tcp_tw_reuse === 1 || (sysctl.tcp_tw_reuse === 2 && this.localAddress.isLoopback);
    return allowed && this.timestamps && nowUs - this.tsRecentUs > 1e6;
  }

  /** RFC 6191: the SYN is later than anything of the old connection, by its number or by its timestamp. */
  private isNewer(segment: Segment): boolean {
    if (seqGt(segment.seq, this.rcvNxt)) return true;
    return this.timestamps && segment.options.timestamps && seqLt(this.tsRecent, segment.options.tsVal);
  }

  private isOldByTimestamp(segment: Segment): boolean {
    if (!this.timestamps || !segment.options.timestamps) return false;
    return seqDiff(segment.options.tsVal, this.tsRecent) < 0;
  }

  private acknowledge(segment: Segment): void {
    const { layer } = this;
    const { host } = layer;
    const sinceUs = host.nowUs - this.lastAckUs;
    if (segment.length === 0 && this.lastAckUs !== 0 && sinceUs < host.sysctl.tcp_invalid_ratelimit * 1000) {
      host.mib.TcpExt.TCPACKSkippedTimeWait++;
      return;
    }
    this.lastAckUs = host.nowUs;
    const out = layer.context.out.begin(this.sndNxt, this.rcvNxt, ACK);
    out.window = this.window === 0 ? 0 : this.windowField;
    if (this.timestamps) {
      out.options.timestamps = true;
      out.options.tsVal = (Math.floor(host.nowUs / 1000) + this.tsOffset) | 0;
      out.options.tsEcr = this.tsRecent;
    }
    layer.reply(this, out);
  }
}

/**
 * All connections in TIME_WAIT of one stack, in the order in which they end. Each waits equally long, so a list is
 * enough, with one timer for the first: the timer heap stays small however many there are.
 */
export class TimeWaits {
  private readonly layer: TcpLayer;
  /** How many there are; tcp_max_tw_buckets is the limit. */
  count = 0;
  private first: TimeWait | null = null;
  private last: TimeWait | null = null;
  private readonly alarm = new Alarm(nowUs => this.expire(nowUs));

  constructor(layer: TcpLayer) {
    this.layer = layer;
  }

  /** Puts what remains of `endpoint` in its place in the flow table; without room it is forgotten at once. */
  add(endpoint: TcpEndpoint, binding: PortBinding): void {
    const { host, flows } = this.layer;
    const { TcpExt } = host.mib;
    if (this.count >= host.sysctl.tcp_max_tw_buckets) {
      TcpExt.TCPTimeWaitOverflow++;
      flows.remove(endpoint);
      binding.release();
      this.trace(endpoint, 'abort');
      return;
    }
    const entry = new TimeWait(this.layer, endpoint, binding);
    flows.replace(endpoint, entry);
    this.count++;
    this.enqueue(entry);
  }

  /** The wait starts anew. */
  restart(entry: TimeWait): void {
    this.unlink(entry);
    this.enqueue(entry);
  }

  /** Ends one entry now. */
  end(entry: TimeWait, cause: TcpCause): void {
    this.count--;
    this.unlink(entry);
    if (this.first === null) this.layer.host.timers.delete(this.alarm);
    this.layer.flows.remove(entry);
    entry.binding.release();
    if (cause === 'timeout') this.layer.host.mib.TcpExt.TW++;
    else this.layer.host.mib.TcpExt.TWKilled++;
    this.trace(entry, cause);
  }

  private enqueue(entry: TimeWait): void {
    const { host } = this.layer;
    entry.dueUs = host.nowUs + host.sysctl.ethertype_time_wait_ms * 1000;
    let before = this.last;
    // Only where the sysctl was made shorter meanwhile does a later one end before.
    while (before !== null && before.dueUs > entry.dueUs) before = before.previous;
    entry.previous = before;
    entry.next = before === null ? this.first : before.next;
    if (entry.next === null) this.last = entry;
    else entry.next.previous = entry;
    if (before === null) this.first = entry;
    else before.next = entry;
    if (before === null) host.timers.set(this.alarm, entry.dueUs);
  }

  /** Leaves the alarm alone: it finds out by itself that it came too early. */
  private unlink(entry: TimeWait): void {
    if (entry.previous === null) this.first = entry.next;
    else entry.previous.next = entry.next;
    if (entry.next === null) this.last = entry.previous;
    else entry.next.previous = entry.previous;
    entry.previous = null;
    entry.next = null;
  }

  private expire(nowUs: number): void {
    for (let left = EXPIRED_AT_ONCE; left > 0 && this.first !== null && this.first.dueUs <= nowUs; left--) {
      this.end(this.first, 'timeout');
    }
    if (this.first !== null) this.layer.host.timers.set(this.alarm, this.first.dueUs);
  }

  private trace(ended: Flow, cause: TcpCause): void {
    const { trace, name, nowUs } = this.layer.host;
    if (trace === null || (trace.wants & TRACE_STATE) === 0) return;
    trace.emit({
      type: 'tcp:state',
      atUs: nowUs,
      host: name,
      local: formatEndpoint(ended.localAddress, ended.localPort),
      remote: formatEndpoint(ended.remoteAddress, ended.remotePort),
      from: 'TIME_WAIT',
      to: nextState('TIME_WAIT', cause) ?? 'CLOSED',
      cause,
    });
  }
}
