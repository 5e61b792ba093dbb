/**
 * The calls that wait, each as an object: what it was asked for and how far it has come.
 * @module
 */
import { EAGAIN, EALREADY, EINPROGRESS } from '../base/errno.ts';
import { POLLIN, POLLOUT, POLLRDHUP } from '../core/readiness.ts';
import { BlockingCall, WAIT } from './blocking-call.ts';
import { MSG_DONTWAIT, MSG_ERRQUEUE, MSG_OOB, MSG_PEEK, MSG_WAITALL, SOCK_STREAM } from './constants.ts';
import type { Epoll, EpollEvent } from './epoll.ts';
import type { Ops } from './ops.ts';
import type { Out, Sockaddr } from './sockaddr.ts';
import type { Socket } from './socket.ts';
import { TIMED_OUT } from './wait.ts';

/** accept4(2). */
export class AcceptCall extends BlockingCall {
  private readonly ops: Ops;
  private readonly socket: Socket;
  private readonly peer: Out<Sockaddr> | null;
  private readonly flags: number;

  constructor(ops: Ops, socket: Socket, peer: Out<Sockaddr> | null, flags: number) {
    super(ops.context, socket, POLLIN);
    this.ops = ops;
    this.socket = socket;
    this.peer = peer;
    this.flags = flags;
  }

  protected override attempt(): number {
    const result = this.ops.acceptFrom(this.socket, this.peer, this.flags);
    return result === -EAGAIN && !this.socket.nonblocking ? WAIT : result;
  }

  protected override interrupted(reason: number): number {
    return reason === TIMED_OUT ? -EAGAIN : reason;
  }
}

/** connect(2). */
export class ConnectCall extends BlockingCall {
  private readonly socket: Socket;
  private readonly address: Sockaddr;

  constructor(ops: Ops, socket: Socket, address: Sockaddr) {
    super(ops.context, socket, POLLOUT);
    this.socket = socket;
    this.address = address;
  }

  protected override attempt(): number {
    const result = this.socket.connect(this.address);
    const underWay = result === -EINPROGRESS || result === -EALREADY;
    return underWay && !this.socket.nonblocking ? WAIT : result;
  }

  protected override interrupted(reason: number): number {
    return reason === TIMED_OUT ? -EINPROGRESS : reason;
  }
}

/** send(2) and its relatives: all bytes, unless something comes between. */
export class SendCall extends BlockingCall {
  protected readonly socket: Socket;
  protected readonly bytes: Uint8Array;
  protected flags: number;
  protected to: Sockaddr | null;
  private readonly cuts: readonly number[];
  protected sent: number;

  /** `sent`: how many bytes were taken before. */
  constructor(
    ops: Ops,
    socket: Socket,
    bytes: Uint8Array,
    flags: number,
    to: Sockaddr | null,
    cuts: readonly number[] = [],
    sent = 0,
  ) {
    super(ops.context, socket, POLLOUT);
    this.socket = socket;
    this.bytes = bytes;
    this.flags = flags;
    this.to = to;
    this.cuts = cuts;
    this.sent = sent;
  }

  protected override attempt(): number {
    const { socket, bytes } = this;
    for (;;) {
      // What went wrong after some bytes were taken is for the next call to say.
      if (this.sent > 0 && socket.isFinished) return this.sent;
      const result = socket.send(bytes, this.sent, bytes.length, this.flags, this.to, this.cuts);
      this.to = null;
      if (result > 0) this.sent += result;
      if (result < 0 && result !== -EAGAIN) return this.interrupted(result);
      if (this.sent === bytes.length && result >= 0) return this.sent;
      if (!mayWait(socket, this.flags)) return this.interrupted(TIMED_OUT);
      if (result <= 0) {
        socket.writerWaits();
        return WAIT;
      }
    }
  }

  protected override interrupted(reason: number): number {
    return this.sent > 0 ? this.sent : reason === TIMED_OUT ? -EAGAIN : reason;
  }
}

/** recv(2) and its relatives: at least one byte (SO_RCVLOWAT: more, MSG_WAITALL: all), or 0 at the end of a stream. */
export class ReceiveCall extends BlockingCall {
  private readonly socket: Socket;
  private readonly into: Uint8Array;
  private readonly flags: number;
  private readonly from: Out<Sockaddr> | null;
  private got = 0;

  constructor(ops: Ops, socket: Socket, into: Uint8Array, flags: number, from: Out<Sockaddr> | null) {
    super(ops.context, socket, POLLIN | POLLRDHUP);
    this.socket = socket;
    this.into = into;
    this.flags = flags;
    this.from = from;
  }

  protected override attempt(): number {
    const { socket, into } = this;
    for (;;) {
      if (this.got > 0 && finishedReading(socket)) return this.got;
      const result = socket.receive(into, this.got, into.length, this.flags, this.from);
      if (result > 0) this.got += result;
      if (result === 0 || (result > 0 && this.got >= this.least)) return this.got;
      if (result < 0 && result !== -EAGAIN) return this.interrupted(result);
      if (!mayWait(socket, this.flags)) return this.interrupted(TIMED_OUT);
      // The end may have come with the bytes: look again before waiting for more.
      if (result <= 0) return WAIT;
    }
  }

  /** So many bytes end the waiting: all that were asked for (MSG_WAITALL), or SO_RCVLOWAT. */
  private get least(): number {
    if (this.socket.type !== SOCK_STREAM || (this.flags & MSG_PEEK) !== 0) return 1;
    const { length } = this.into;
    return (this.flags & MSG_WAITALL) !== 0 ? length : Math.min(this.socket.options.rcvLowat, length);
  }

  protected override interrupted(reason: number): number {
    return this.got > 0 ? this.got : reason === TIMED_OUT ? -EAGAIN : reason;
  }
}

/** epoll_wait(2). */
export class EpollWaitCall extends BlockingCall {
  private readonly epoll: Epoll;
  private readonly events: EpollEvent[];
  private readonly max: number;

  constructor(ops: Ops, epoll: Epoll, events: EpollEvent[], max: number) {
    super(ops.context, epoll, POLLIN);
    this.epoll = epoll;
    this.events = events;
    this.max = max;
  }

  protected override attempt(): number {
    return this.epoll.collect(this.events, this.max) || WAIT;
  }

  protected override interrupted(reason: number): number {
    return reason;
  }
}

/** Whether a call on the socket waits when it has to. */
export function mayWait(socket: Socket, flags: number): boolean {
  // The error queue and the urgent byte are looked at, never waited for.
  return !socket.nonblocking && (flags & (MSG_DONTWAIT | MSG_ERRQUEUE | MSG_OOB)) === 0;
}

/** The stream ended or failed after some bytes: those are returned first. */
function finishedReading(socket: Socket): boolean {
  return socket.readableBytes() === 0 && (socket.isFinished || (socket.poll() & POLLRDHUP) !== 0);
}
