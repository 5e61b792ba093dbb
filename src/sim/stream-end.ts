import { EAGAIN, errnoName } from '../base/errno.ts';
import { POLLIN, POLLOUT } from '../core/readiness.ts';
import { MSG_MORE, MSG_PEEK, SHUT_WR, SO_LINGER, SOL_SOCKET } from '../socket/constants.ts';
import { type Conversation, HEADER_LENGTH, type Outcome, type Side, streamOf } from './conversation.ts';
import type { AppTimer, EventLoop } from './event-loop.ts';
import type { Pattern } from './pattern.ts';
import { demand } from './violation.ts';
import type { EndPlan } from './world-plan.ts';

/** What the applications of a host share. */
export interface AppContext {
  readonly loop: EventLoop;
  readonly pattern: Pattern;
  /** For what one call of recv returns. */
  readonly buffer: Uint8Array;
  /** Nothing may fail. */
  readonly calm: boolean;
  /** An end of a connection is over. */
  ended(end: StreamEnd | null): void;
  /** The transfer whose number a client sent from `remote` to `local`; a Violation when there can be none. */
  identify(id: number, local: string, remote: string): Conversation;
}

/** Until a server knows whom it talks to it does this. */
const STRANGER: Pick<EndPlan, 'readSize' | 'patienceUs'> = { readSize: HEADER_LENGTH, patienceUs: 300e6 };

/**
 * An application at one end of a connection: writes its stream in pieces, reads the other's and compares every byte,
 * pauses, half-closes, closes, aborts or gives up, as planned.
 */
export class StreamEnd {
  readonly side: Side;
  private talk: Conversation | null;
  private plan: EndPlan | null = null;
  private readonly app: AppContext;
  private readonly fd: number;
  private readonly isClient: boolean;
  /** 'address:port' of the other end, as accept told. */
  private readonly remote: string;
  private readonly header = new Uint8Array(HEADER_LENGTH);
  private readonly reading: AppTimer;
  private readonly writing: AppTimer;
  private readonly patience: AppTimer;
  private readPaused = false;
  private writePaused = false;
  private writeBlocked = false;
  /** Bytes since the last pause. */
  private readRun = 0;
  private writeRun = 0;
  private movedUs: number;

  /** `talk` is null for a connection that was accepted from `remote`. */
  constructor(
    app: AppContext,
    fd: number,
    talk: Conversation | null,
    side: Side,
    isClient: boolean,
    remote: string,
  ) {
    this.app = app;
    this.fd = fd;
    this.talk = talk;
    this.side = side;
    this.isClient = isClient;
    this.remote = remote;
    this.movedUs = app.loop.env.nowUs();
    this.reading = app.loop.timer(() => this.resume('readPaused'));
    this.writing = app.loop.timer(() => this.resume('writePaused'));
    this.patience = app.loop.timer(() => this.checkPatience());
    if (talk !== null) this.adopt(talk);
  }

  /** Begins: from now on the loop drives it. */
  begin(): void {
    this.checkPatience();
    this.app.loop.watch(this.fd, POLLIN, () => this.pump());
    this.pump();
  }

  /** Its host lost its power. */
  crash(): void {
    this.side.outcome ??= 'crashed';
  }

  private get over(): boolean {
    return this.side.outcome !== null;
  }

  private adopt(talk: Conversation): void {
    this.talk = talk;
    this.plan = this.isClient ? talk.plan.up : talk.plan.down;
  }

  private pump(): void {
    if (this.over) return;
    this.writeBlocked = false;
    this.readAll();
    this.writeAll();
    this.endIfDone();
    if (this.over) return;
    const read = this.side.sawEnd || this.readPaused ? 0 : POLLIN;
    this.app.loop.want(this.fd, read | (this.writeBlocked ? POLLOUT : 0));
  }

  private resume(which: 'readPaused' | 'writePaused'): void {
    this[which] = false;
    this.pump();
  }

  // --- reading ----------------------------------------------------------------------------------------------------

  private readAll(): void {
    const { app, side } = this;
    const { sys } = app.loop;
    while (!this.over && !side.sawEnd && !this.readPaused) {
      const size = this.plan === null ? HEADER_LENGTH - side.read : this.plan.readSize;
      const into = size === app.buffer.length ? app.buffer : app.buffer.subarray(0, size);
      const peeked = this.plan?.peeks === true ? this.peek(into) : 0;
      // An error is told once, also to a peek.
      const count = peeked < 0 ? peeked : sys.recv(this.fd, into);
      demand(peeked <= Math.max(count, 0), () => `${this.name}: saw ${peeked} bytes, but read ${count}`);
      if (count === -EAGAIN) return;
      if (count > 0) this.take(into, count);
      else if (count === 0) this.takeEnd();
      else this.fail(count);
      if (this.abortIfDue()) return;
    }
  }

  /** Looks at what the next read will give; only an error is an answer less than 0. */
  private peek(into: Uint8Array): number {
    const count = this.app.loop.sys.recv(this.fd, into, MSG_PEEK);
    const { read } = this.side;
    if (count > 0 && (this.isClient || read >= HEADER_LENGTH)) this.compare(into, 0, count, read);
    return count === -EAGAIN ? 0 : count;
  }

  private take(bytes: Uint8Array, count: number): void {
    const { side } = this;
    const before = side.read;
    side.read += count;
    this.moved();
    let from = 0;
    if (!this.isClient && before < HEADER_LENGTH) {
      from = Math.min(count, HEADER_LENGTH - before);
      this.header.set(bytes.subarray(0, from), before);
      if (side.read >= HEADER_LENGTH) this.readHeader();
    }
    if (from < count) this.compare(bytes, from, count, before + from);
    if (this.talk !== null) this.checkNotInvented(this.talk);
    this.pauseReading(count);
  }

  private readHeader(): void {
    const id = new DataView(this.header.buffer).getUint32(0);
    const talk = this.app.identify(id, this.side.local, this.remote);
    this.adopt(talk);
    if (talk.server === this.side) return;
    // A cookie can be answered twice: by the client, and by a late copy of its answer.
    const again = talk.server !== null;
    const { SyncookiesRecv } = this.app.loop.sys.context.host.mib.TcpExt;
    demand(!again || SyncookiesRecv > 0, () => `transfer ${id} has come to a server twice`);
    if (!again) talk.server = this.side;
  }

  private compare(bytes: Uint8Array, from: number, to: number, at: number): void {
    const { plan } = this.talk as Conversation;
    const right = this.app.pattern.match(streamOf(plan.id, !this.isClient), at, bytes, from, to);
    demand(right === to - from, () => `${this.name}: byte ${at + right} is not the byte that was sent`);
  }

  private checkNotInvented(talk: Conversation): void {
    const { side } = this;
    const sent = talk.other(side)?.written ?? 0;
    demand(side.read <= sent, () => `${this.name}: ${side.read} bytes were read, ${sent} sent`);
  }

  private takeEnd(): void {
    const { side, talk } = this;
    const other = talk?.other(side) ?? null;
    demand(other?.finished === true, () => `${this.name}: read an end that the other side did not send`);
    demand(
      side.read === other.written,
      () => `${this.name}: the stream ended after ${side.read} of ${other.written} bytes`,
    );
    side.sawEnd = true;
    this.moved();
  }

  private pauseReading(count: number): void {
    const { plan } = this;
    if (plan === null || plan.readBurst === 0) return;
    this.readRun += count;
    if (this.readRun < plan.readBurst) return;
    this.readRun = 0;
    this.readPaused = true;
    this.reading.start(plan.readPauseUs);
  }

  // --- writing ----------------------------------------------------------------------------------------------------

  /** Bytes of its whole stream. */
  private get length(): number {
    return (this.plan?.bytes ?? 0) + (this.isClient ? HEADER_LENGTH : 0);
  }

  private writeAll(): void {
    const { app, side, plan } = this;
    if (plan === null) return;
    const { sys } = app.loop;
    while (!this.over && !this.writePaused && side.written < this.length) {
      const piece = this.nextPiece(plan);
      const more = plan.more && side.written + piece.length < this.length;
      const count = sys.send(this.fd, piece, more ? MSG_MORE : 0);
      if (count === -EAGAIN) {
        this.writeBlocked = true;
        return;
      }
      if (count < 0) {
        this.fail(count);
        return;
      }
      side.written += count;
      this.moved();
      this.pauseWriting(plan, count);
      if (this.abortIfDue()) return;
    }
  }

  private nextPiece(plan: EndPlan): Uint8Array {
    const { written } = this.side;
    const { id } = (this.talk as Conversation).plan;
    if (this.isClient && written < HEADER_LENGTH) {
      new DataView(this.header.buffer).setUint32(0, id);
      return this.header.subarray(written);
    }
    const size = Math.min(plan.writeSize, this.length - written);
    return this.app.pattern.piece(streamOf(id, this.isClient), written, size);
  }

  private pauseWriting(plan: EndPlan, count: number): void {
    if (plan.writeBurst === 0) return;
    this.writeRun += count;
    if (this.writeRun < plan.writeBurst) return;
    this.writeRun = 0;
    this.writePaused = true;
    this.writing.start(plan.writePauseUs);
  }

  // --- ending -----------------------------------------------------------------------------------------------------

  private endIfDone(): void {
    const { plan, side } = this;
    if (this.over || plan === null || side.written < this.length) return;
    if (plan.ending === 'half-close' && !side.finished) {
      const result = this.app.loop.sys.shutdown(this.fd, SHUT_WR);
      if (result < 0) {
        this.fail(result);
        return;
      }
      side.finished = true;
    }
    if (!side.sawEnd && plan.ending !== 'close') return;
    side.finished = true;
    this.end(side.sawEnd ? 'finished' : 'closed');
  }

  /** Resets the connection when it is time to. */
  private abortIfDue(): boolean {
    const { plan, side } = this;
    if (this.over || plan?.ending !== 'abort' || side.read + side.written < plan.abortAfter) return false;
    this.reset();
    this.end('aborted');
    return true;
  }

  private reset(): void {
    this.app.loop.sys.setsockopt(this.fd, SOL_SOCKET, SO_LINGER, { l_onoff: 1, l_linger: 0 });
  }

  private fail(result: number): void {
    this.side.errno = -result;
    demand(!this.app.calm, () => `${this.name}: ${errnoName(result)} in a calm world`);
    this.end('error');
  }

  private checkPatience(): void {
    if (this.over) return;
    const { patienceUs } = this.plan ?? STRANGER;
    const leftUs = this.movedUs + patienceUs - this.app.loop.env.nowUs();
    if (leftUs > 0) {
      this.patience.start(leftUs);
      return;
    }
    demand(!this.app.calm, () => `${this.name}: nothing moved for ${patienceUs / 1e6} s in a calm world`);
    // Some slam the door, some just leave: then what they wrote so far was all.
    if (this.talk === null || this.fd % 2 === 0) this.reset();
    else this.side.finished = true;
    this.end('gave up');
  }

  private moved(): void {
    this.movedUs = this.app.loop.env.nowUs();
  }

  private end(outcome: Outcome): void {
    this.side.outcome = outcome;
    for (const timer of [this.reading, this.writing, this.patience]) timer.stop();
    const { loop } = this.app;
    loop.forget(this.fd);
    const result = loop.sys.close(this.fd);
    demand(result === 0, () => `${this.name}: close returned ${errnoName(result)}`);
    this.app.ended(this);
  }

  private get name(): string {
    const who = this.isClient ? 'client' : 'server';
    return this.talk === null ? `a server at ${this.side.local}` : `transfer ${this.talk.plan.id}, ${who}`;
  }
}
