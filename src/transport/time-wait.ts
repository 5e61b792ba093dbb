/**
 * TIME_WAIT (RFC 9293 section 3.10.7.4, RFC 1337, RFC 6191): what remains of a connection, small, so that a busy server
 * can hold very many.
 * @module
 */
import { Ring } from '../base/ring.ts';
import { type Seq, seqDiff, seqGt, seqLt } from '../base/seq.ts';
import type { IcmpError } from '../core/network.ts';
import { Alarm } from '../core/timers.ts';
import type { TcpConnection } from '../tcp/connection.ts';
import type { Segment } from '../tcp/segment.ts';
import { nextState, type TcpCause } from '../tcp/state.ts';
import { TRACE_STATE } from '../trace/events.ts';
import type { IpAddress } from '../wire/address.ts';
import { ACK, RST, SYN } from '../wire/tcp.ts';
import type { Flow } from './flow.ts';
import type { TcpEndpoint } from './tcp-endpoint.ts';
import type { TcpLayer } from './tcp-layer.ts';
import type { PortBinding } from './tcp-ports.ts';

/** Entries that one alarm may end; the rest follows at once, after other work. */
const EXPIRE_BATCH = 1000;

/** One connection in TIME_WAIT. */
export class TimeWait implements Flow {
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
  /** When it ends, in microseconds. */
  expiresUs: number;
  gone = false;

  constructor(layer: TcpLayer, endpoint: TcpEndpoint, binding: PortBinding, expiresUs: number) {
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
    this.windowField = connection.rcvWnd >> connection.rcvWscale;
    this.timestamps = connection.timestamps;
    this.tsRecent = connection.tsRecent;
    this.tsRecentUs = connection.tsRecentUs;
    this.tsOffset = connection.tsOffset;
    this.expiresUs = expiresUs;
  }

  segment(segment: Segment): void {
    const { layer } = this;
    const old = this.isOldByTimestamp(segment);
    if (segment.has(RST)) {
      if (!old && segment.seq === this.rcvNxt && !layer.host.sysctl.tcp_rfc1337)
        layer.timeWaits.end(this, 'receive RST');
      return;
    }
    if (segment.has(SYN) && !segment.has(ACK) && !old && this.isNewer(segment)) {
      layer.reopen(this, segment);
      return;
    }
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

/** All connections in TIME_WAIT of one stack; they end in the order in which they came. */
export class TimeWaits {
  private readonly layer: TcpLayer;
  private readonly queue = new Ring<TimeWait>();
  private readonly alarm = new Alarm(nowUs => this.expire(nowUs));
  /** How many there are; tcp_max_tw_buckets is the limit. */
  count = 0;

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
      return;
    }
    const entry = new TimeWait(this.layer, endpoint, binding, host.nowUs + this.lengthUs);
    flows.replace(endpoint, entry);
    this.count++;
    this.enqueue(entry);
  }

  /** The wait starts anew. */
  restart(entry: TimeWait): void {
    entry.expiresUs = this.layer.host.nowUs + this.lengthUs;
  }

  /** Ends one entry now. */
  end(entry: TimeWait, cause: TcpCause): void {
    entry.gone = true;
    this.count--;
    this.layer.flows.remove(entry);
    entry.binding.release();
    if (cause === 'timeout') this.layer.host.mib.TcpExt.TW++;
    else this.layer.host.mib.TcpExt.TWKilled++;
    this.trace(entry, cause);
    while (this.queue.at(0)?.gone === true) this.queue.shift();
    if (this.queue.length === 0) this.layer.host.timers.delete(this.alarm);
  }

  private get lengthUs(): number {
    return this.layer.host.sysctl.ethertype_time_wait_ms * 1000;
  }

  private enqueue(entry: TimeWait): void {
    this.queue.push(entry);
    if (!this.alarm.armed) this.layer.host.timers.set(this.alarm, entry.expiresUs);
  }

  private expire(nowUs: number): void {
    for (let n = 0; n < EXPIRE_BATCH; n++) {
      const entry = this.queue.at(0);
      if (entry === undefined) return;
      if (entry.gone) {
        this.queue.shift();
      } else if (entry.expiresUs > nowUs) {
        if (this.queue.length === 1 || (this.queue.at(1)?.expiresUs ?? 0) >= entry.expiresUs) break;
        // It was restarted: its turn comes later.
        this.queue.shift();
        this.queue.push(entry);
      } else {
        this.queue.shift();
        this.end(entry, 'timeout');
      }
    }
    const next = this.queue.at(0);
    if (next !== undefined) this.layer.host.timers.set(this.alarm, Math.max(next.expiresUs, nowUs));
  }

  private trace(entry: TimeWait, cause: TcpCause): void {
    const { trace, name, nowUs } = this.layer.host;
    if (trace === null || (trace.wants & TRACE_STATE) === 0) return;
    trace.emit({
      type: 'tcp:state',
      atUs: nowUs,
      host: name,
      local: `${entry.localAddress}:${entry.localPort}`,
      remote: `${entry.remoteAddress}:${entry.remotePort}`,
      from: 'TIME_WAIT',
      to: nextState('TIME_WAIT', cause) ?? 'CLOSED',
      cause,
    });
  }
}
