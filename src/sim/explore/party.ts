import type { Host } from '../../core/host.ts';
import { TcpConnection } from '../../tcp/connection.ts';
import type { TcpContext } from '../../tcp/context.ts';
import { type OutSegment, resetFor, Segment } from '../../tcp/segment.ts';
import type { TcpSettings } from '../../tcp/settings.ts';
import { maySend } from '../../tcp/state.ts';
import type { TcpOutput } from '../../tcp/tcb.ts';
import { TIMER_NAMES } from '../../tcp/timers.ts';
import { ACK, RST, SYN } from '../../wire/tcp.ts';
import { demand } from '../violation.ts';
import type { Machine } from './machine.ts';
import type { Step } from './scenarios.ts';
import { HalfOpen, timeWaitVerdict } from './stand-ins.ts';
import { fromWire, toWire, type WireSegment } from './wire-segment.ts';

const OFF = Number.POSITIVE_INFINITY;
const READ_MAX = 64;

/** What a party is made of. */
export interface PartyPlan {
  readonly name: string;
  readonly iss: number;
  readonly mtu: number;
  readonly script: readonly Step[];
  readonly settings: TcpSettings;
}

/** One host: its connection or what stands in for it, its application, and the segments that it has sent. */
export class Party implements TcpOutput {
  readonly local: string;
  readonly remote = 'peer';
  readonly plan: PartyPlan;
  readonly host: Host;
  readonly context: TcpContext;
  connection: TcpConnection | null = null;
  halfOpen: HalfOpen | null = null;
  /** When TIME_WAIT ends; Infinity when there is none. */
  timeWaitUs = OFF;
  /** How many steps of the script are done. */
  done = 0;
  written = '';
  received = '';
  /** What became of the connection for the application. */
  sawEnd = false;
  errno = 0;
  aborted = false;
  /** Segments under way to the peer. */
  readonly channel: WireSegment[] = [];
  private readonly machine: Machine;
  private readonly segment = new Segment();

  constructor(plan: PartyPlan, machine: Machine) {
    this.plan = plan;
    this.local = plan.name;
    this.machine = machine;
    this.host = machine.host;
    this.context = machine.begin();
  }

  // --- TcpOutput ---

  emit(out: OutSegment): boolean {
    this.channel.push(toWire(out));
    return true;
  }

  ready(): void {}

  ended(timeWait: boolean): void {
    if (timeWait) this.restartTimeWait();
  }

  readonly burstMax = 65000;

  isBusy(): boolean {
    return false;
  }

  confirmed(): void {}

  // --- the application ---

  /** Its next step, or null when it has done all. */
  get step(): Step | null {
    return this.plan.script[this.done] ?? null;
  }

  /** Whether the connection has come to its end, so that the application's next call would say so. */
  get over(): boolean {
    const state = this.connection?.state;
    return state === 'CLOSED' || state === 'TIME_WAIT';
  }

  /** Whether the next step would not block now. */
  get canStep(): boolean {
    const { step, connection } = this;
    if (step === null) return false;
    if (step === 'connect') return connection === null;
    if (connection === null) return false;
    if (step === 'close' || step === 'abort' || step === 'shutdown' || this.over) return true;
    if (step === 'read') return connection.readable > 0 || connection.eof;
    return maySend(connection.state) && connection.writable;
  }

  /** Makes the next call of the script. */
  doStep(): void {
    const { step } = this;
    if (step === 'connect') {
      this.connection = this.newConnection();
      this.connection.open();
      this.done++;
      return;
    }
    const connection = this.connection as TcpConnection;
    if (step === 'read') {
      this.read(connection);
      return;
    }
    this.done++;
    if (step === 'shutdown') connection.shutdownWrite();
    else if (step === 'close') connection.close();
    else if (step === 'abort') connection.abort();
    else this.write(connection, (step as string).slice('write '.length));
    if (step === 'abort') this.aborted = true;
  }

  private write(connection: TcpConnection, text: string): void {
    if (!maySend(connection.state)) {
      this.fail(connection);
      return;
    }
    const bytes = Uint8Array.from(text, character => character.charCodeAt(0));
    const taken = connection.write(bytes, 0, bytes.length, 0);
    demand(taken === bytes.length, () => `${this.local}: write took ${taken} of ${bytes.length} bytes`);
    this.written += text;
  }

  private read(connection: TcpConnection): void {
    const into = new Uint8Array(READ_MAX);
    const n = connection.read(into, 0, READ_MAX, false);
    this.received += String.fromCharCode(...into.subarray(0, n));
    if (n > 0) return;
    this.done++;
    if (connection.eof) this.sawEnd = true;
    else this.fail(connection);
  }

  /** A call failed: nothing but the close is left to do. */
  private fail(connection: TcpConnection): void {
    this.errno = connection.takeError();
    this.done = this.plan.script.length;
    connection.close();
  }

  // --- the network ---

  /** A segment arrives. */
  receive(wire: WireSegment): void {
    const { connection } = this;
    if (this.timeWaitUs !== OFF && connection !== null) this.receiveInTimeWait(connection, wire);
    else if (connection !== null && connection.state !== 'CLOSED')
      connection.segment(fromWire(wire, this.segment));
    else if (this.halfOpen !== null) this.receiveHalfOpen(this.halfOpen, wire);
    else if (connection === null && this.plan.script[0] !== 'connect') this.receiveListening(wire);
    else this.refuse(wire);
  }

  private receiveInTimeWait(connection: TcpConnection, wire: WireSegment): void {
    const verdict = timeWaitVerdict(connection, wire);
    if (verdict === 'end') this.timeWaitUs = OFF;
    if (verdict !== 'answer') return;
    this.restartTimeWait();
    const out = this.context.out.begin(connection.sndNxt, connection.rcvNxt, ACK);
    out.window = connection.rcvWnd >> connection.rcvWscale;
    this.emit(out);
  }

  private receiveListening(wire: WireSegment): void {
    if ((wire.flags & (SYN | ACK | RST)) !== SYN) {
      this.refuse(wire);
      return;
    }
    const { settings, iss, mtu } = this.plan;
    this.halfOpen = new HalfOpen(this.context, settings, wire, iss, mtu - 40);
    this.emit(this.halfOpen.synAck());
  }

  private receiveHalfOpen(halfOpen: HalfOpen, wire: WireSegment): void {
    if ((wire.flags & RST) !== 0) {
      if (wire.seq === ((halfOpen.syn.seq + 1) | 0)) this.halfOpen = null;
    } else if ((wire.flags & SYN) !== 0) {
      this.emit(halfOpen.synAck());
    } else if ((wire.flags & ACK) !== 0 && !halfOpen.isAnswer(wire)) {
      this.refuse(wire);
    } else if ((wire.flags & ACK) !== 0) {
      this.halfOpen = null;
      this.connection = this.newConnection();
      halfOpen.complete(this.connection);
      this.connection.segment(fromWire(wire, this.segment));
    }
  }

  private refuse(wire: WireSegment): void {
    if ((wire.flags & RST) !== 0) return;
    this.emit(resetFor(fromWire(wire, this.segment), this.context.out));
  }

  private newConnection(): TcpConnection {
    const { settings, iss, mtu } = this.plan;
    const connection = new TcpConnection(this.context, this, settings, iss, 0, 20);
    connection.setPath(mtu, 0);
    this.machine.connection = connection;
    return connection;
  }

  // --- time ---

  /** When its next timer is due, in microseconds of its own clock; Infinity when none is set. */
  get nextTimerUs(): number {
    const connection = this.connection === null ? OFF : Math.min(...this.connection.deadlines);
    return Math.min(connection, this.halfOpen?.dueUs ?? OFF, this.timeWaitUs);
  }

  /** Name of the timer that is due next. */
  get nextTimerName(): string {
    const dueUs = this.nextTimerUs;
    if (dueUs === this.halfOpen?.dueUs) return 'SYN-ACK';
    if (dueUs === this.timeWaitUs) return 'TIME_WAIT';
    return TIMER_NAMES[this.connection?.deadlines.indexOf(dueUs) ?? 0] ?? 'no';
  }

  /** Its clock jumps to its next timer, which fires. */
  fireTimer(): void {
    const { halfOpen } = this;
    const dueUs = this.nextTimerUs;
    this.machine.setNow(dueUs);
    if (dueUs === this.timeWaitUs) {
      this.timeWaitUs = OFF;
    } else if (halfOpen !== null && dueUs === halfOpen.dueUs) {
      if (halfOpen.timeout()) this.emit(halfOpen.synAck());
      else this.halfOpen = null;
    } else {
      this.host.timers.run(dueUs, 1);
    }
  }

  private restartTimeWait(): void {
    this.timeWaitUs = this.host.nowUs + this.host.sysctl.ethertype_time_wait_ms * 1000;
  }
}
