/**
 * What the transport does around a connection, as little of it as the explorer needs: the listener's half-open
 * request, the TIME_WAIT entry, and the reset for a segment that belongs to nobody. The real ones are in transport/.
 * @module
 */
import type { TcpConnection } from '../../tcp/connection.ts';
import type { TcpContext } from '../../tcp/context.ts';
import { initialWindow, windowFromSpace } from '../../tcp/receive/window.ts';
import { type OutSegment, Segment } from '../../tcp/segment.ts';
import type { TcpSettings } from '../../tcp/settings.ts';
import { ACK, FIN, RST, SYN } from '../../wire/tcp.ts';
import { fromWire, type WireSegment } from './wire-segment.ts';

const SYN_ACK_TIMEOUT_US = 1_000_000;

/** A half-open connection of a listener: the SYN that came, and the SYN-ACK that is sent until it is answered. */
export class HalfOpen {
  readonly syn: WireSegment;
  readonly iss: number;
  retransmits = 0;
  dueUs: number;
  private readonly context: TcpContext;
  private readonly settings: TcpSettings;
  private readonly mss: number;
  private readonly sentUs: number;

  constructor(context: TcpContext, settings: TcpSettings, syn: WireSegment, iss: number, mss: number) {
    this.context = context;
    this.settings = settings;
    this.syn = syn;
    this.iss = iss;
    this.mss = mss;
    this.sentUs = context.host.nowUs;
    this.dueUs = this.sentUs + SYN_ACK_TIMEOUT_US;
  }

  /** The SYN-ACK, the first time or again. */
  synAck(): OutSegment {
    const out = this.context.out.begin(this.iss, (this.syn.seq + 1) | 0, SYN | ACK);
    const { window, scale } = this.offer();
    out.window = window;
    out.options.mss = this.mss;
    out.options.sackPermitted = this.syn.sackPermitted;
    if (this.syn.windowScale >= 0) out.options.windowScale = scale;
    return out;
  }

  /** The timer went off: false when it is given up, otherwise the SYN-ACK is to be sent again. */
  timeout(): boolean {
    if (this.retransmits >= this.context.host.sysctl.tcp_synack_retries) return false;
    this.retransmits++;
    this.dueUs = this.context.host.nowUs + SYN_ACK_TIMEOUT_US * 2 ** this.retransmits;
    return true;
  }

  /** Whether a segment's ACK is the one that is waited for. */
  isAnswer(wire: WireSegment): boolean {
    return wire.ack === ((this.iss + 1) | 0);
  }

  /** The handshake is complete: the connection, not yet told of the last ACK. */
  complete(connection: TcpConnection): void {
    const { window, scale } = this.offer();
    connection.accept(fromWire(this.syn, new Segment()), {
      rcvWnd: window,
      rcvWscale: this.syn.windowScale >= 0 ? scale : 0,
      synAckSentUs: this.sentUs,
      synAckRetransmits: this.retransmits,
      synAckTimeouts: this.retransmits,
      ecn: false,
    });
  }

  private offer(): { window: number; scale: number } {
    const space = windowFromSpace(this.settings.rcvBuf);
    return initialWindow(this.context.host.sysctl, space, this.mss, this.settings);
  }
}

/** What TIME_WAIT does with a segment: 'end' it, 'ignore' it, or 'answer' it by an ACK and wait anew. */
export function timeWaitVerdict(connection: TcpConnection, wire: WireSegment): 'end' | 'ignore' | 'answer' {
  const { flags, seq, data } = wire;
  if ((flags & RST) !== 0) return seq === connection.rcvNxt ? 'end' : 'ignore';
  const empty = data.length === 0 && (flags & (SYN | FIN)) === 0;
  return empty && seq === connection.rcvNxt ? 'ignore' : 'answer';
}
