import { Rng } from '../../src/base/rng.ts';
import type { Env, Task } from '../../src/core/env.ts';
import { Host } from '../../src/core/host.ts';
import { PacketPool } from '../../src/core/pool.ts';
import { DEFAULT_SYSCTL, type Sysctl } from '../../src/core/sysctl.ts';
import { TcpConnection } from '../../src/tcp/connection.ts';
import { TcpContext } from '../../src/tcp/context.ts';
import { type OutSegment, Segment } from '../../src/tcp/segment.ts';
import { defaultTcpSettings, type TcpSettings } from '../../src/tcp/settings.ts';
import type { TcpOutput } from '../../src/tcp/tcb.ts';
import { TraceLog } from '../../src/trace/sink.ts';
import { ACK, FIN, PSH, RST, SYN } from '../../src/wire/tcp.ts';

/** Where tests count from; and so close to 2^32 that a few segments cross it. */
export const ISS_VALUES: readonly number[] = [1000, 0xffffffe0 | 0];
/** The payload of a full segment in most tests: short enough to read. */
export const MSS = 10;
export const START_US = 1_000_000_000;
export const MS = 1000;

/** A clock that stands still until it is told to move. */
export class ManualEnv implements Env {
  timeUs = START_US;
  private readonly rng = new Rng(7);
  nowUs(): number {
    return this.timeUs;
  }
  task(): Task {
    return { wakeAt() {}, cancel() {} };
  }
  fillRandom(out: Uint8Array): void {
    this.rng.fill(out);
  }
  settled(): void {}
}

export interface BenchOptions {
  iss?: number;
  irs?: number;
  sysctl?: Partial<Sysctl>;
  settings?: Partial<TcpSettings>;
  mtu?: number;
  /** The largest super-segment; 0: none. */
  gso?: number;
  /** What the peer offers in its SYN. */
  peerMss?: number;
  peerWindow?: number;
  peerScale?: number;
  sack?: boolean;
  timestamps?: boolean;
}

/** A segment of the peer; numbers count from its SYN (0) and from ours. */
export interface PeerSegment {
  seq?: number;
  ack?: number;
  text?: string;
  window?: number;
  mss?: number;
  scale?: number;
  sackPermitted?: boolean;
  sack?: readonly (readonly [number, number])[];
  /** Of the timestamps option: the peer's clock, and the echo of ours. */
  tsVal?: number;
  tsEcr?: number;
}

/** A segment that the connection sent. */
export interface Sent {
  flags: string;
  seq: number;
  ack: number;
  text: string;
  window: number;
  mss: number;
  gsoSize: number;
  sack: [number, number][];
  tsVal: number;
  tsEcr: number;
  atUs: number;
}

/** One connection, its host with a hand-driven clock, and everything it sent. */
export class Bench implements TcpOutput {
  readonly local = '10.0.0.1:1000';
  readonly remote = '10.0.0.2:80';
  readonly host: Host;
  readonly context: TcpContext;
  readonly connection: TcpConnection;
  readonly log = new TraceLog();
  readonly iss: number;
  readonly irs: number;
  readonly options: BenchOptions;
  sent: Sent[] = [];
  /** What the user was told, together; and whether the connection is over. */
  readyMask = 0;
  over: 'no' | 'ended' | 'time-wait' = 'no';
  private readonly env = new ManualEnv();
  private readonly segment = new Segment();

  constructor(options: BenchOptions = {}) {
    const sysctl: Sysctl = { ...DEFAULT_SYSCTL, tcp_min_snd_mss: 8, ...options.sysctl };
    this.options = options;
    this.iss = (options.iss ?? 1000) | 0;
    this.irs = (options.irs ?? options.iss ?? 5000) | 0;
    this.host = new Host('h', this.env, new PacketPool({ smallSlots: 4, largeSlots: 0 }), sysctl);
    this.host.trace = this.log;
    this.context = new TcpContext(this.host);
    const settings = { ...defaultTcpSettings(sysctl), ...options.settings };
    this.connection = new TcpConnection(this.context, this, settings, this.iss, 0, 20);
    this.connection.setPath(options.mtu ?? 1500, options.gso ?? 0);
  }

  // --- TcpOutput ---

  emit(out: OutSegment): boolean {
    if (this.full) return false;
    const bytes = new Uint8Array(out.dataLength);
    out.data?.copyTo(out.dataOffset, bytes, 0, out.dataLength);
    const { options } = out;
    const sack: [number, number][] = [];
    for (let i = 0; i < options.sackCount; i++)
      sack.push([this.theirs(options.sack[2 * i]), this.theirs(options.sack[2 * i + 1])]);
    this.sent.push({
      flags: flagsText(out.flags),
      seq: this.ours(out.seq),
      ack: (out.flags & ACK) !== 0 ? this.theirs(out.ack) : 0,
      text: Buffer.from(bytes).toString('latin1'),
      window: out.window,
      mss: options.mss,
      gsoSize: out.gsoSize,
      sack,
      tsVal: options.timestamps ? options.tsVal : 0,
      tsEcr: options.timestamps ? options.tsEcr : 0,
      atUs: this.host.nowUs,
    });
    return true;
  }

  ready(mask: number): void {
    this.readyMask |= mask;
  }

  ended(timeWait: boolean): void {
    this.over = timeWait ? 'time-wait' : 'ended';
  }

  readonly burstMax = 65000;
  /** Nothing leaves this host. */
  full = false;

  isBusy(): boolean {
    return false;
  }

  confirmed(): void {}

  // --- driving it ---

  /** A segment arrives. Flags as tcpdump writes them: S F R P and '.' for ACK. */
  receive(flags: string, peer: PeerSegment = {}): this {
    const { segment } = this;
    const { options } = segment;
    segment.seq = (this.irs + (peer.seq ?? this.theirs(this.connection.rcvNxt))) | 0;
    segment.ack = flags.includes('.') ? (this.iss + (peer.ack ?? this.ours(this.connection.sndNxt))) | 0 : 0;
    segment.flags = flagsOf(flags);
    segment.window = peer.window ?? this.options.peerWindow ?? 65535;
    segment.bytes = Buffer.from(peer.text ?? '', 'latin1');
    segment.start = 0;
    segment.end = segment.bytes.length;
    options.clear();
    if (peer.mss !== undefined) options.mss = peer.mss;
    if (peer.scale !== undefined) options.windowScale = peer.scale;
    if (peer.sackPermitted === true) options.sackPermitted = true;
    for (const [left, right] of peer.sack ?? []) options.addSack(this.iss + left, this.iss + right);
    if (peer.tsVal !== undefined) {
      options.timestamps = true;
      options.tsVal = peer.tsVal | 0;
      options.tsEcr = (peer.tsEcr ?? 0) | 0;
    }
    this.connection.segment(segment);
    return this;
  }

  /** Time passes; timers go off when they are due. */
  advance(us: number): this {
    const until = this.host.nowUs + us;
    while (this.host.timers.nextUs <= until) {
      this.setNow(Math.max(this.host.timers.nextUs, this.host.nowUs));
      this.host.timers.run(this.host.nowUs, 1);
    }
    this.setNow(until);
    return this;
  }

  /** Time passes, and the host is too busy for its timers. */
  beLate(us: number): this {
    this.setNow(this.host.nowUs + us);
    return this;
  }

  write(text: string, flags = 0): number {
    const bytes = Buffer.from(text, 'latin1');
    return this.connection.write(bytes, 0, bytes.length, flags);
  }

  /** Everything that can be read now. */
  read(max = Infinity): string {
    const into = new Uint8Array(Math.min(max, this.connection.readable));
    const n = this.connection.read(into, 0, into.length, false);
    return Buffer.from(into.buffer, 0, Math.max(n, 0)).toString('latin1');
  }

  /** Changes socket options. */
  set(settings: Partial<TcpSettings>): void {
    this.connection.applySettings({ ...this.connection.settings, ...settings });
  }

  // --- looking at it ---

  /** What was sent since the last look, one line a segment: 'P. 1:4 ack 1 aaa'. */
  take(): string[] {
    const lines = this.sent.map(line);
    this.sent = [];
    return lines;
  }

  /** As `take`, the segments themselves. */
  takeSent(): Sent[] {
    const { sent } = this;
    this.sent = [];
    return sent;
  }

  get state(): string {
    return this.connection.state;
  }

  /** The arrows taken so far, 'FROM cause TO'. */
  get arrows(): string[] {
    return this.log.events.flatMap(event =>
      event.type === 'tcp:state' ? [`${event.from} ${event.cause} ${event.to}`] : [],
    );
  }

  private setNow(us: number): void {
    this.env.timeUs = us;
    this.host.refreshNow();
  }

  private ours(seq = 0): number {
    return (seq - this.iss) | 0;
  }

  private theirs(seq = 0): number {
    return (seq - this.irs) | 0;
  }
}

function line({ flags, seq, ack, text, sack }: Sent): string {
  const length = text.length + (/[SF]/.test(flags) ? 1 : 0);
  const parts = [`${flags} ${seq}:${seq + length}`];
  if (flags.includes('.')) parts.push(`ack ${ack}`);
  if (sack.length > 0) parts.push(`sack ${sack.map(([left, right]) => `${left}:${right}`).join(' ')}`);
  if (text.length > 0) parts.push(text);
  return parts.join(' ');
}

const LETTERS = [
  ['S', SYN],
  ['F', FIN],
  ['R', RST],
  ['P', PSH],
  ['.', ACK],
] as const;

function flagsText(flags: number): string {
  return LETTERS.filter(([, flag]) => (flags & flag) !== 0)
    .map(([letter]) => letter)
    .join('');
}

function flagsOf(text: string): number {
  return LETTERS.reduce((flags, [letter, flag]) => flags | (text.includes(letter) ? flag : 0), 0);
}

// --- ready-made states ----------------------------------------------------------------------------------------------

/** Our SYN is out. */
export function synSent(options: BenchOptions = {}): Bench {
  const bench = new Bench(options);
  bench.connection.open();
  return bench;
}

/** The peer's answer to our SYN, as the options say. */
export function answerSyn(bench: Bench, flags = 'S.'): void {
  const { peerMss = MSS, peerWindow = 65535, peerScale, sack = true, timestamps = false } = bench.options;
  bench.receive(flags, {
    seq: 0,
    mss: peerMss + (timestamps ? 12 : 0),
    window: peerWindow,
    sackPermitted: sack,
    ...(peerScale === undefined ? {} : { scale: peerScale }),
    ...(timestamps ? { tsVal: 1, tsEcr: bench.connection.tsNow } : {}),
  });
}

/** Open, nothing in flight, nothing recorded. */
export function established(options: BenchOptions = {}): Bench {
  const bench = synSent(options);
  bench.advance(10 * MS);
  answerSyn(bench);
  bench.advance(10 * MS);
  bench.take();
  return bench;
}

/** Both sides have opened at once; our SYN-ACK is out. */
export function synReceived(options: BenchOptions = {}): Bench {
  const bench = synSent(options);
  answerSyn(bench, 'S');
  bench.take();
  return bench;
}

/** Our FIN is out. */
export function finWait1(options: BenchOptions = {}): Bench {
  const bench = established(options);
  bench.connection.shutdownWrite();
  bench.take();
  return bench;
}

/** Our FIN is acknowledged. */
export function finWait2(options: BenchOptions = {}): Bench {
  const bench = finWait1(options);
  bench.receive('.');
  return bench;
}

/** The peer's FIN has come. */
export function closeWait(options: BenchOptions = {}): Bench {
  const bench = established(options);
  bench.receive('F.');
  bench.take();
  return bench;
}

/** Both FINs are out, and crossed. */
export function closing(options: BenchOptions = {}): Bench {
  const bench = finWait1(options);
  bench.receive('F.', { ack: 1 });
  bench.take();
  return bench;
}

/** The peer closed first; our FIN is out. */
export function lastAck(options: BenchOptions = {}): Bench {
  const bench = closeWait(options);
  bench.connection.shutdownWrite();
  bench.take();
  return bench;
}

/** Text in full segments of MSS bytes: 'aaaaaaaaaabbbbbbbbbb...'. */
export function segments(count: number, from = 0): string {
  let text = '';
  for (let i = 0; i < count; i++) text += String.fromCharCode(97 + ((from + i) % 26)).repeat(MSS);
  return text;
}
