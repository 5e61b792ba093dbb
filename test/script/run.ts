import { ACK, RST, SYN } from '../../src/wire/tcp.ts';
import { CallRunner, type Waiting } from './calls.ts';
import { CodeError, type CodeValue, evaluate } from './evaluate.ts';
import { formatSegment, mismatch } from './match.ts';
import { parseScript } from './parse.ts';
import { Peer } from './peer.ts';
import { decodeSegment, encodeIcmpError, encodeSegment, type Segment } from './segment.ts';
import { PEER_PORT, Subject, type SubjectOptions } from './subject.ts';
import type { CallEvent, EventTime, IcmpSpec, Script, ScriptEvent, TcpSpec } from './syntax.ts';
import { parseCommand, ScriptValueError } from './values.ts';

/** A script that did not come true: `file:line: what`, and the packets up to there. */
export class ScriptFailure extends Error {
  override name = 'ScriptFailure';
}

/** Something may come this much later or earlier than the script says, in microseconds; or by an eighth of the wait. */
const TOLERANCE_US = 4_000;
const TOLERANCE_SHARE = 0.125;
/** How long a packet at time `*` is waited for, in microseconds. */
const ANY_TIME_LIMIT_US = 300_000_000;
/** Packets shown with a failure. */
const HISTORY_MAX = 12;

/** Runs a script from its first event to its last; throws ScriptFailure. Options of the script itself win. */
export async function runScript(script: Script, options: SubjectOptions = {}): Promise<void> {
  const run = new ScriptRun(script, options);
  try {
    await run.run();
  } finally {
    run.close();
  }
}

class ScriptRun {
  private readonly script: Script;
  private readonly options: SubjectOptions;
  private readonly peers = new Map<number, Peer>();
  private readonly variables = new Map<string, CodeValue>();
  private readonly history: string[] = [];
  private readonly waiting: Waiting[] = [];
  private subject: Subject | null = null;
  private calls: CallRunner | null = null;
  private event: ScriptEvent | null = null;
  /** When the event before happened; relative times count from here. */
  private lastUs = 0;

  constructor(script: Script, options: SubjectOptions) {
    this.script = script;
    this.options = { ...options, ...optionsOf(script) };
  }

  async run(): Promise<void> {
    const events = withPrelude(this.script);
    let next = 0;
    const sysctl = { ...this.options.sysctl };
    for (; events[next]?.body.kind === 'command'; next++) {
      const body = (events[next] as ScriptEvent).body;
      if (body.kind === 'command')
        Object.assign(
          sysctl,
          this.guard(() => parseCommand(body.command), events[next]),
        );
    }
    this.subject = new Subject({ ...this.options, sysctl });
    this.calls = new CallRunner(this.subject);
    for (const event of events.slice(next)) await this.step(event);
    await this.settle();
    await this.noneWaiting();
    if (this.live.sent.length > 0) this.unexpected();
  }

  close(): void {
    this.subject?.close();
  }

  private get live(): Subject {
    return this.subject as Subject;
  }

  private async step(event: ScriptEvent): Promise<void> {
    this.event = event;
    const atUs = this.startOf(event.time);
    const { body } = event;
    if (body.kind === 'packet' && body.direction === 'out') {
      if (body.packet.kind === 'icmp') this.fail('an outbound ICMP packet cannot be expected');
      await this.expectSegment(body.packet, event.time, atUs);
      return;
    }
    await this.live.runUntil(atUs);
    this.lastUs = atUs;
    this.checkOverdue(atUs);
    await this.checkReturned(atUs);
    if (body.kind === 'packet') this.inject(body.packet);
    else if (body.kind === 'call') await this.call(body, event.time, atUs);
    else if (body.kind === 'code') this.code(body.code);
    else this.guard(() => this.live.setSysctl(parseCommand(body.command)));
    await this.settle();
  }

  /** Lets everything happen that is due now, without moving time. */
  private async settle(): Promise<void> {
    await this.live.runUntil(this.live.nowUs);
  }

  private startOf(time: EventTime): number {
    if (time.kind === 'absolute') return Math.max(time.us, this.live.nowUs);
    return time.kind === 'any' ? this.live.nowUs : this.lastUs + time.us;
  }

  // --- packets in ---

  private inject(packet: TcpSpec | IcmpSpec): void {
    const peer = this.peer(packet.tags.peer);
    if (packet.kind === 'icmp') {
      this.injectIcmp(packet, peer);
      return;
    }
    if (packet.window === null) this.fail('an inbound segment needs a window');
    if (packet.tags.isn !== null) peer.restart(packet.tags.isn);
    this.note('<', packet);
    this.live.inject(encodeSegment(peer.toWire(packet), this.live.inboundEnds, packet.tags.badChecksum));
  }

  /** The quoted packet is one of ours. */
  private injectIcmp(packet: IcmpSpec, peer: Peer): void {
    const quoted: Segment = {
      source: peer.localPort,
      destination: peer.port,
      seq: ((peer.iss ?? 0) + packet.seq) >>> 0,
      ack: 0,
      flags: ACK,
      window: 0,
      urgent: 0,
      options: [],
      payload: new Uint8Array(packet.length),
      ecn: 0,
    };
    const { inboundEnds } = this.live;
    const ends = { source: inboundEnds.destination, destination: inboundEnds.source };
    const bytes = encodeSegment(quoted, ends, false);
    this.history.push(`${seconds(this.live.nowUs)} < icmp type ${packet.type} code ${packet.code}`);
    this.live.inject(encodeIcmpError(packet.type, packet.code, packet.mtu, bytes, inboundEnds));
  }

  // --- packets out ---

  private async expectSegment(spec: TcpSpec, time: EventTime, atUs: number): Promise<void> {
    const latestUs = this.latestOf(time, atUs);
    const tolerance = this.tolerance(latestUs);
    const parts: Segment[] = [];
    const peer = this.peer(spec.tags.peer);
    let sentAtUs = 0;
    for (let length = 0; parts.length === 0 || length < spec.length; ) {
      const sent = await this.live.nextSent(latestUs + tolerance);
      this.checkOverdue(this.live.nowUs);
      if (sent === null) {
        const missing = parts.length === 0 ? 'nothing was sent' : `${length} bytes only`;
        this.differs(
          spec,
          `${missing} until ${seconds(latestUs + tolerance)}`,
          parts.length > 0 ? parts : null,
          peer,
        );
      }
      const segment = decodeSegment(sent.bytes);
      if (typeof segment === 'string') this.fail(`our packet is wrong: ${segment}`);
      if (parts.length === 0) sentAtUs = sent.atUs;
      parts.push(segment);
      length += segment.payload.length;
      if (segment.payload.length === 0) break;
    }
    this.learn(spec, parts[0] as Segment, peer);
    const difference = mismatch(spec, parts, peer);
    if (difference !== null) this.differs(spec, difference, parts, peer);
    this.learnTimestamps(spec, parts[0] as Segment, peer);
    const early = time.kind !== 'any' && sentAtUs < atUs - tolerance;
    if (early) this.differs(spec, `sent at ${seconds(sentAtUs)}, before ${seconds(atUs)}`, parts, peer);
    this.note('>', { ...spec, window: (parts[0] as Segment).window });
    this.lastUs = time.kind === 'any' || time.latestUs !== null ? sentAtUs : Math.max(atUs, this.lastUs);
  }

  private latestOf(time: EventTime, atUs: number): number {
    if (time.kind === 'any') return this.live.nowUs + ANY_TIME_LIMIT_US;
    if (time.latestUs === null) return atUs;
    return time.kind === 'absolute' ? time.latestUs : this.lastUs + time.latestUs;
  }

  private tolerance(atUs: number): number {
    return Math.max(TOLERANCE_US, Math.round(TOLERANCE_SHARE * (atUs - this.lastUs)));
  }

  /** Our initial sequence number and port show in our first segment, or in a SYN. */
  private learn(spec: TcpSpec, first: Segment, peer: Peer): void {
    const ours = peer.port === first.destination;
    if (ours && peer.iss === null && (spec.flags & RST) === 0) peer.learn(first, spec);
    if (ours && (first.flags & (SYN | ACK)) === SYN) peer.localPort = first.source;
  }

  private learnTimestamps(spec: TcpSpec, first: Segment, peer: Peer): void {
    const live = first.options.find(option => option.kind === 'timestamps');
    const script = spec.options?.find(option => option.kind === 'timestamps');
    if (live?.kind === 'timestamps' && script?.kind === 'timestamps')
      peer.learnTimestamp(live.val, script.val);
  }

  /** A packet that is this old cannot be what a later line expects. */
  private checkOverdue(nowUs: number): void {
    const oldest = this.live.sent[0];
    if (
      oldest !== undefined &&
      oldest.atUs < nowUs - this.tolerance(nowUs) &&
      oldest.atUs < this.lastUs - TOLERANCE_US
    ) {
      this.unexpected();
    }
  }

  private unexpected(): never {
    const lines = this.live.sent.map(({ atUs, bytes }) => {
      const segment = decodeSegment(bytes);
      return `  ${seconds(atUs)} > ${typeof segment === 'string' ? segment : this.formatLive([segment])}`;
    });
    return this.fail(`unexpected packet${lines.length > 1 ? 's' : ''}:\n${lines.join('\n')}`);
  }

  // --- calls and code ---

  private async call(body: CallEvent, time: EventTime, atUs: number): Promise<void> {
    if (body.name === 'expect_nothing') {
      await this.settle();
      if (this.live.sent.length > 0) this.unexpected();
      return;
    }
    const calls = this.calls as CallRunner;
    if (this.waiting.length > 0 && !calls.isOwn(body))
      this.fail(`${this.waiting[0]?.text} has not returned yet`);
    const text = this.event?.text ?? '';
    if (time.returnUs === null) {
      const problem = this.guard(() => calls.call(body));
      if (problem !== null) this.fail(problem);
      return;
    }
    const dueUs = time.kind === 'absolute' ? time.returnUs : atUs - time.us + time.returnUs;
    const tolerance = Math.max(TOLERANCE_US, Math.round(TOLERANCE_SHARE * (dueUs - atUs)));
    this.waiting.push(
      this.guard(() => calls.callAndWait(body, dueUs, tolerance, text, this.event?.line ?? 0)),
    );
  }

  /** What waiting calls returned since the last look. */
  private async checkReturned(nowUs: number): Promise<void> {
    for (const call of this.waiting.splice(0)) {
      if (call.problem === null && call.returnedUs === null && nowUs <= call.dueUs + call.tolerance) {
        this.waiting.push(call);
        continue;
      }
      const at = call.returnedUs;
      const wrong = at === null ? 'it still waits' : `it returned at ${seconds(at)}`;
      if (call.problem !== null) this.fail(call.problem, call.line);
      if (at === null || Math.abs(at - call.dueUs) > call.tolerance) {
        this.fail(`expected to return at ${seconds(call.dueUs)}, but ${wrong}`, call.line);
      }
    }
  }

  private async noneWaiting(): Promise<void> {
    for (const call of [...this.waiting]) {
      await this.live.runUntil(Math.max(call.dueUs + call.tolerance + 1, this.live.nowUs));
      await this.checkReturned(this.live.nowUs);
    }
  }

  private code(code: string): void {
    const scope = {
      lookup: (name: string) => this.calls?.lookup(name),
      print: (text: string) => this.history.push(`${seconds(this.live.nowUs)} ${text}`),
    };
    this.guard(() => evaluate(code, this.variables, scope));
  }

  // --- telling what went wrong ---

  private peer(number: number): Peer {
    let peer = this.peers.get(number);
    if (peer === undefined) {
      peer = new Peer(PEER_PORT + number, this.live.localPort, this.options.peerIsn ?? 0);
      this.peers.set(number, peer);
    }
    return peer;
  }

  private guard<T>(action: () => T, event: ScriptEvent | undefined = undefined): T {
    try {
      return action();
    } catch (error) {
      if (error instanceof CodeError || error instanceof ScriptValueError) {
        return this.fail(error.message, event?.line);
      }
      throw error;
    }
  }

  private note(direction: '<' | '>', spec: TcpSpec): void {
    const tag = spec.tags.peer === 1 ? '' : `[peer ${spec.tags.peer}] `;
    this.history.push(`${seconds(this.live.nowUs)} ${direction} ${tag}${formatSegment(spec)}`);
  }

  private formatLive(parts: readonly Segment[]): string {
    const first = parts[0] as Segment;
    const peer = this.peer(first.destination - PEER_PORT);
    const length = parts.reduce((sum, part) => sum + part.payload.length, 0);
    const flags = (parts[parts.length - 1] as Segment).flags;
    const tag = first.destination === PEER_PORT + 1 ? '' : `[peer ${first.destination - PEER_PORT}] `;
    return `${tag}${formatSegment({ ...peer.fromWire(first), length, flags })}`;
  }

  private differs(spec: TcpSpec, what: string, parts: readonly Segment[] | null, peer: Peer): never {
    const tag = peer.port === PEER_PORT + 1 ? '' : `[peer ${peer.port - PEER_PORT}] `;
    const actual = parts === null ? '(nothing)' : this.formatLive(parts);
    return this.fail(`${what}\n  expected > ${tag}${formatSegment(spec)}\n  actual   > ${actual}`);
  }

  private fail(what: string, line: number = this.event?.line ?? 1): never {
    const event = this.script.events.find(candidate => candidate.line === line);
    const past = this.history.slice(-HISTORY_MAX).map(entry => `    ${entry}`);
    throw new ScriptFailure(
      [`${this.script.path}:${line}: ${what}`, `  in: ${event?.text ?? ''}`, '  before it:', ...past].join(
        '\n',
      ),
    );
  }
}

/**
 * `--established=OPTIONS`: begins with a passive open; 3 listens, 4 is the connection, the round trip took 0.1 s.
 * `--window=N` is the window that the peer offers in it.
 */
function withPrelude({ options, events }: Script): readonly ScriptEvent[] {
  const offered = options.get('established');
  const window = options.get('window') ?? '32792';
  if (offered === undefined) return events;
  const prelude = parseScript(
    'established',
    `0   socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
     +0  setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
     +0  bind(3, ..., ...) = 0
     +0  listen(3, 1) = 0
     +.1 < S 0:0(0) win ${window} <${offered === '' ? 'mss 1000' : offered}>
     +0  > S. 0:0(0) ack 1 <...>
     +.1 < . 1:1(0) ack 1 win ${window}
     +0  accept(3, ..., ...) = 4`,
  );
  const first = events.findIndex(event => event.body.kind !== 'command');
  return [...events.slice(0, Math.max(first, 0)), ...prelude.events, ...events.slice(Math.max(first, 0))];
}

/** What the lines `--name=value` of a script ask for. */
function optionsOf(script: Script): SubjectOptions {
  const options: SubjectOptions = {};
  for (const [name, text] of script.options) {
    if (name === 'iss') options.iss = Number(text);
    else if (name === 'peer_isn') options.peerIsn = Number(text);
    else if (name === 'mtu') options.mtu = Number(text);
    else if (name !== 'established' && name !== 'window')
      throw new ScriptFailure(`${script.path}:1: unknown option --${name}`);
  }
  return options;
}

function seconds(us: number): string {
  return (us / 1e6).toFixed(6);
}
