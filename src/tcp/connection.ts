import { ECONNRESET, EMSGSIZE } from '../base/errno.ts';
import { seqDiff } from '../base/seq.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDHUP } from '../core/readiness.ts';
import { TCP_HEADER_LENGTH } from '../wire/tcp.ts';
import { TIMESTAMPS_LENGTH } from '../wire/tcp-options.ts';
import { changeState, endConnection } from './change-state.ts';
import { createCongestionControl } from './congestion/registry.ts';
import { ECN_OK } from './ecn.ts';
import { sendAck, sendReset } from './emit.ts';
import { isSynDataOut } from './fast-open/active.ts';
import { TX_EVER_RETRANS, TX_SKB_END, TX_SYN } from './flight.ts';
import { onSegment, restartKeepalive, startFinWait2 } from './input.ts';
import { updateMss } from './mss.ts';
import { sendSyn } from './open.ts';
import { beginSegmentSize, readingSendsAck } from './receive/ack-policy.ts';
import { clampWindow, isReadable, makeRoomForLowat, tuneReceiveBuffer } from './receive/receive-space.ts';
import { beginWindow, selectInitialWindow, windowUpdateDue } from './receive/window.ts';
import { markLostWithoutCongestion } from './recovery/recovery.ts';
import type { Segment } from './segment.ts';
import { limitMtuSearch } from './send/mtu-probe.ts';
import { flush, pushPending } from './send/output.ts';
import { limitPacingRate, startCongestionControl } from './send/pacing.ts';
import { checkSpace, hasRoom, isWritable } from './send/send-space.ts';
import { write } from './send/write.ts';
import { NAGLE_OFF, NAGLE_PUSH, nagleOf, type TcpSettings } from './settings.ts';
import { isSynchronized, maySend, needsReset } from './state.ts';
import { takeSyn } from './syn-sent.ts';
import { Tcb } from './tcb.ts';
import { fireTimers } from './timeouts.ts';
import { stopTimer, TIMER_KEEPALIVE } from './timers.ts';
import { hasUrgent, isAtHole, isAtMark, passMark, readUrgent, untilMark } from './urgent.ts';

/** What a listener's half-open request knows of the handshake when its last ACK arrives. */
export interface Handshake {
  /** The window and the scale that the SYN-ACK offered. */
  rcvWnd: number;
  rcvWscale: number;
  /** When the SYN-ACK was first sent (0: not known), and how often again: for the first round-trip time. */
  synAckSentUs: number;
  synAckRetransmits: number;
  /** How many of these were time-outs. */
  synAckTimeouts: number;
  /** Both ends do ECN. */
  ecn: boolean;
}

/** The time-outs of the SYN-ACK are the connection's. */
function noteSynAckTimeouts(tcb: Tcb, { synAckTimeouts, synAckSentUs }: Handshake): void {
  if (synAckTimeouts === 0) return;
  tcb.timeouts = { count: synAckTimeouts, recoveries: 1, repairUs: tcb.nowUs - synAckSentUs, sinceUs: 0 };
}

/**
 * One TCP connection: the user's calls of RFC 9293 section 3.10 (OPEN, SEND, RECEIVE, CLOSE, ABORT, STATUS) on a
 * Tcb. It knows no addresses, packets or sockets: segments go in by `segment` and out by `output.emit`, time is
 * host.nowUs.
 */
export class TcpConnection extends Tcb {
  override fire(nowUs: number): void {
    fireTimers(this, nowUs);
  }

  /** OPEN, active: sends the SYN. The path's MTU must be known. */
  open(): void {
    selectInitialWindow(this);
    changeState(this, 'active open');
    sendSyn(this);
  }

  /** What becomes of a passive OPEN when the user sends (RFC 9293 section 3.10.2). */
  openFromListen(): void {
    selectInitialWindow(this);
    this.state = 'LISTEN';
    changeState(this, 'send');
    sendSyn(this);
  }

  /**
   * The passive side's connection, made when the handshake's last ACK has arrived: it stands in SYN_RCVD, as if it had
   * sent the SYN-ACK itself, and is then given that ACK by `segment`. `syn` is the segment that opened it. With Fast
   * Open that SYN made it, and `beginChild` follows.
   */
  accept(syn: Segment, handshake: Handshake, synAckSent = true): void {
    this.state = 'SYN_RCVD';
    this.awaitsAccept = true;
    this.segsIn = 1;
    this.rcvWscale = handshake.rcvWscale;
    this.ecnFlags = handshake.ecn ? ECN_OK : 0;
    takeSyn(this, syn);
    selectInitialWindow(this);
    this.rcvWscale = handshake.rcvWscale;
    this.rcvWnd = handshake.rcvWnd;
    beginWindow(this);
    beginSegmentSize(this);
    this.sndNxt = (this.iss + 1) | 0;
    this.lastReceivedUs = this.nowUs;
    this.context.host.mib.Tcp.PassiveOpens++;
    if (!synAckSent) return;
    const { synAckSentUs, synAckRetransmits } = handshake;
    const marks = TX_SYN | TX_SKB_END | (synAckSentUs === 0 || synAckRetransmits > 0 ? TX_EVER_RETRANS : 0);
    this.totalRetrans = synAckRetransmits;
    noteSynAckTimeouts(this, handshake);
    this.flight.push(this.context.newSegment(this.iss, this.sndNxt, synAckSentUs, marks));
    // As Linux, which makes the connection by that ACK: its window is the first that counts, not the SYN's.
    this.sndWnd = 0;
    this.maxSndWnd = 0;
    // The peer's ACK of our SYN is no acknowledged byte; an active open counts it (both as Linux).
    this.bytesAcked = -1;
  }

  /** A segment arrives. */
  segment(segment: Segment): void {
    onSegment(this, segment);
  }

  /**
   * The path towards the peer: its MTU, the largest super-segment that it takes (0: none), and the largest MSS to
   * announce (0: what the MTU leaves), in bytes.
   */
  setPath(mtu: number, gsoMaxSize: number, advmss = 0): void {
    this.notePath(mtu, gsoMaxSize, advmss);
    updateMss(this);
  }

  /** As `setPath`, while segments are being sent: those that come next are as long as the ones before (as Linux). */
  notePath(mtu: number, gsoMaxSize: number, advmss = 0): void {
    this.pathMtu = mtu;
    this.gsoMaxSize = gsoMaxSize;
    const fromMtu = mtu - this.ipHeaderLength - TCP_HEADER_LENGTH;
    const { maxSeg } = this.settings;
    const limit = Math.min(maxSeg || fromMtu, advmss || fromMtu, fromMtu);
    const options = this.timestamps && isSynchronized(this.state) ? TIMESTAMPS_LENGTH : 0;
    this.advMss = limit - options;
    this.mssStale = true;
    limitMtuSearch(this);
  }

  /** The path has become smaller: what is in flight and too big for it is cut and sent again at once (RFC 1191). */
  retransmitTooBig(): void {
    const synData = isSynDataOut(this);
    if (!isSynchronized(this.state) && !synData) return;
    if (markLostWithoutCongestion(this, synData ? 0 : this.mss)) flush(this);
  }

  /**
   * Any other ICMP error: remembered for a time-out (RFC 9293 section 3.9.2.2), but while connecting it is final, as on
   * Linux (RFC 5461 section 4.1): a user wants to hear at once that nobody is there. `inUse`: one of Fast Open that was
   * accepted while its handshake goes on.
   */
  icmpError(errno: number, inUse = false): void {
    if (errno === EMSGSIZE) return;
    if (inUse || (this.state !== 'SYN_SENT' && this.state !== 'SYN_RCVD')) {
      if (this.settings.recvErr) {
        this.error = errno;
        this.output.ready(POLLERR);
      } else {
        this.softError = errno;
      }
      return;
    }
    endConnection(this, 'error', errno);
    this.output.ready(POLLIN | POLLOUT | POLLERR | POLLHUP);
  }

  // --- SEND -----------------------------------------------------------------------------------------------------

  /** Whether `write` takes something now. */
  get writable(): boolean {
    return this.maySend && !this.finQueued && hasRoom(this);
  }

  /**
   * Queues data to be sent and returns how many bytes were taken, 0 when the buffer is full. `flags` and `cuts`: see
   * write.ts. The caller has checked the state.
   */
  write(
    bytes: Uint8Array,
    start: number,
    end: number,
    flags: number,
    cuts: readonly number[] | null = null,
  ): number {
    return write(this, bytes, start, end, flags, cuts);
  }

  /** There is room on the way out again. */
  resume(): void {
    if (this.state !== 'CLOSED' && this.state !== 'TIME_WAIT') flush(this);
  }

  // --- RECEIVE --------------------------------------------------------------------------------------------------

  get readable(): number {
    const { readable } = this.receiveQueue;
    if (this.urgent === null || readable === 0) return readable;
    return isAtHole(this) ? readable - 1 : Math.min(readable, untilMark(this));
  }

  /** Whether the next byte is the urgent one (SIOCATMARK). */
  get atMark(): boolean {
    return isAtMark(this);
  }

  /** The urgent byte; -EINVAL when there is none to be read by itself, -EAGAIN when it has not come. `peek`: it stays. */
  readUrgent(peek: boolean): number {
    return readUrgent(this, peek);
  }

  /** Whether a read would find the end of the stream. */
  get eof(): boolean {
    return this.receiveQueue.readable === 0 && (this.finReceived || this.readShut);
  }

  /** Copies received data out; returns how many bytes. May send an ACK: for the window, or one that was owed. */
  read(into: Uint8Array, start: number, end: number, peek: boolean): number {
    if (this.urgent !== null) return this.readUntilMark(into, start, end, peek);
    return this.take(into, start, end, peek);
  }

  /** Reading stops before the urgent byte once, and passes over it unless SO_OOBINLINE is set. */
  private readUntilMark(into: Uint8Array, start: number, end: number, peek: boolean): number {
    if (isAtHole(this)) {
      if (peek) return this.receiveQueue.peek(1, into, start, end);
      this.take(new Uint8Array(1), 0, 1, false);
    }
    const n = this.take(into, start, Math.min(end, start + untilMark(this)), peek);
    passMark(this);
    return n;
  }

  private take(into: Uint8Array, start: number, end: number, peek: boolean): number {
    const n = this.receiveQueue.read(into, start, end, peek);
    if (peek) return n;
    this.copiedSeq = (this.copiedSeq + n) | 0;
    this.receiveQueue.memory.free(this.copiedSeq);
    if (n === 0) return n;
    tuneReceiveBuffer(this);
    this.acknowledgeReading();
    return n;
  }

  /** Linux's tcp_cleanup_rbuf: reading has made room, and more than a segment is not yet acknowledged. */
  private acknowledgeReading(): void {
    if (this.state === 'CLOSED' || this.state === 'TIME_WAIT') return;
    // Behind the peer's FIN comes nothing that would need a window.
    if (readingSendsAck(this) || (!this.finReceived && !this.readShut && windowUpdateDue(this)))
      sendAck(this);
  }

  // --- CLOSE and ABORT ------------------------------------------------------------------------------------------

  /** shutdown(SHUT_WR): a FIN follows what was written. */
  shutdownWrite(): void {
    if (this.finQueued) return;
    this.finQueued = true;
    if (this.state === 'SYN_SENT') return;
    // In SYN_RCVD a FIN with data before it waits for ESTABLISHED (RFC 9293 section 3.10.4). That of Fast Open does so
    // until the user is gone (as Linux).
    const alone = this.isFastOpenChild
      ? this.orphan
      : this.state === 'SYN_RCVD' && this.sendQueue.length === 0;
    if (!maySend(this.state) && !alone) return;
    changeState(this, 'close');
    pushPending(this, NAGLE_OFF);
  }

  /** close(): the user is gone. Unread data turns it into a reset (RFC 2525 section 2.17). */
  close(): void {
    if (this.orphan) return;
    this.orphan = true;
    this.readShut = true;
    if (this.state === 'CLOSED' || this.state === 'TIME_WAIT') {
      this.receiveQueue.clear();
      return;
    }
    if (this.state === 'SYN_SENT') {
      endConnection(this, 'close', 0);
      return;
    }
    if (this.receiveQueue.readable > 0) {
      this.context.host.mib.TcpExt.TCPAbortOnClose++;
      // The peer is told that something was lost even when both have closed (Linux).
      if (!needsReset(this.state)) sendReset(this);
      this.abort();
      return;
    }
    this.receiveQueue.clear();
    this.shutdownWrite();
    if (this.state === 'FIN_WAIT_2') startFinWait2(this, null);
  }

  /** ABORT: a reset to the peer, and everything is forgotten. */
  abort(): void {
    this.orphan = true;
    this.receiveQueue.clear();
    // What remains in TIME_WAIT is the transport's.
    if (this.state === 'CLOSED' || this.state === 'TIME_WAIT') return;
    if (needsReset(this.state)) sendReset(this);
    endConnection(this, 'abort', ECONNRESET);
  }

  /** The stack is closed: everything is forgotten, and nothing is sent. */
  destroy(): void {
    this.orphan = true;
    this.receiveQueue.clear();
    if (this.state === 'CLOSED') return;
    endConnection(this, 'abort', ECONNRESET);
    this.output.ready(POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
  }

  // --- STATUS ---------------------------------------------------------------------------------------------------

  /** poll(2)'s bits, as Linux's tcp_poll. */
  poll(): number {
    let mask = 0;
    const over = this.state === 'CLOSED' || this.state === 'TIME_WAIT';
    if (this.error !== 0 || (this.notices !== null && this.notices.queue.length > 0)) mask |= POLLERR;
    if (over || (this.finReceived && this.finQueued) || (this.readShut && this.finQueued)) mask |= POLLHUP;
    if (this.finReceived || this.readShut || over) mask |= POLLIN | POLLRDHUP;
    if (this.state === 'SYN_SENT' && this.fastOpen?.deferred === true) mask |= POLLOUT;
    if (this.state === 'SYN_SENT' || (this.state === 'SYN_RCVD' && !this.isFastOpenChild)) return mask;
    if (isReadable(this, this.settings.rcvLowat + (isAtHole(this) ? 1 : 0))) mask |= POLLIN;
    if (hasUrgent(this)) mask |= POLLPRI;
    if (this.finQueued || over || isWritable(this)) mask |= POLLOUT;
    else this.writeBlocked = true;
    return mask;
  }

  /** The pending error, positive (SO_ERROR); reading clears it. */
  takeError(): number {
    const { error } = this;
    this.error = 0;
    return error;
  }

  /** The errno of the last hint of the network (ICMP) that is still to be told, or 0; clears it (sk_err_soft). */
  takeSoftError(): number {
    const { softError } = this;
    this.softError = 0;
    return softError;
  }

  /** New settings take effect at once. */
  applySettings(settings: TcpSettings): void {
    const before = this.settings;
    this.settings = settings;
    if (settings.sndBuf !== before.sndBuf) this.sndBuf = settings.sndBuf;
    if (settings.rcvBuf !== before.rcvBuf) this.rcvBuf = settings.rcvBuf;
    if (settings.congestion !== before.congestion) {
      this.congestion = createCongestionControl(settings.congestion) ?? this.congestion;
      startCongestionControl(this);
    }
    if (settings.rcvLowat !== before.rcvLowat) {
      makeRoomForLowat(this);
      this.output.ready(POLLIN);
    }
    if (settings.maxSeg !== before.maxSeg) updateMss(this);
    if (settings.maxPacingRate !== before.maxPacingRate) limitPacingRate(this);
    if (settings.windowClamp !== before.windowClamp) clampWindow(this, settings.windowClamp);
    if (settings.keepAlive !== before.keepAlive || settings.keepIdleUs !== before.keepIdleUs)
      this.applyKeepAlive();
    if (settings.notSentLowat !== before.notSentLowat) checkSpace(this);
    this.nagle = (this.nagle & NAGLE_PUSH) | nagleOf(settings);
    if ((settings.noDelay && !before.noDelay) || (before.cork && !settings.cork)) this.push();
  }

  /** TCP_QUICKACK: acknowledge at once for a while, with what was read already, or let ACKs wait for data. */
  setQuickAck(on: boolean): void {
    this.pingPong = !on;
    if (!on || !this.ackPending || (this.state !== 'ESTABLISHED' && this.state !== 'CLOSE_WAIT')) return;
    if (this.receiveQueue.readable === 0 || seqDiff(this.rcvNxt, this.rcvWup) > this.rcvMss) sendAck(this);
  }

  private applyKeepAlive(): void {
    if (!this.settings.keepAlive) stopTimer(this, TIMER_KEEPALIVE);
    else if (this.state !== 'CLOSED' && this.state !== 'TIME_WAIT') restartKeepalive(this);
  }

  /** TCP_NODELAY was set, again perhaps, or a cork pulled: what was held back goes out if the rules now let it. */
  push(): void {
    if (this.settings.noDelay) this.nagle |= NAGLE_PUSH;
    if (this.maySend && this.unsent > 0) pushPending(this, this.nagle);
  }
}
