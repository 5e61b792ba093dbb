import type { Sysctl } from '../core/sysctl.ts';
import type { TcpStateEvent } from '../trace/events.ts';
import { ACK } from '../wire/tcp.ts';
import { CallRunner } from './calls.ts';
import { CodeError, type CodeValue, evaluate } from './code.ts';
import { Shell } from './commands.ts';
import { type Configuration, configure } from './configuration.ts';
import type { Flow } from './flow.ts';
import { type Flows, NumberedPeers, SocketUnderTest } from './flows.ts';
import { formatSegment, seconds } from './format.ts';
import type { Sent } from './link.ts';
import { mismatch, partMismatch } from './match.ts';
import { withPrelude } from './prelude.ts';
import { decodeSegment, encodeIcmpError, encodeSegment, type Segment } from './segment.ts';
import { CommandError } from './shell.ts';
import { Subject } from './subject.ts';
import type { CallEvent, IcmpSpec, PacketSpec, Script, ScriptEvent, TcpSpec } from './syntax.ts';
import { type Expected, timingError, toleranceUs } from './timing.ts';
import { ScriptValueError } from './values.ts';

/** A script that did not come true: `file:line: what`, and the packets up to there. */
export class ScriptFailure extends Error {
  override name = 'ScriptFailure';
}

/** What a script is run with. Options of the script itself win. */
export interface RunOptions {
  /** One turn of the event loop of the runtime. */
  readonly turn: () => Promise<void>;
  /** Whether a packet that no line expects fails, and a timestamp echoed wrongly. Default: in house scripts. */
  readonly strict?: boolean;
  /** Our, and the peers' initial sequence numbers, for house scripts. */
  readonly iss?: number;
  readonly peerIsn?: number;
  readonly sysctl?: Partial<Sysctl>;
  /** The text of a file that the script's commands name, relative to the script; null when there is none. */
  readonly readFile?: (path: string) => string | null;
  /** Told about every arrow of the state diagram that is taken. */
  readonly onState?: (event: TcpStateEvent) => void;
  /** Told line by line what happens. */
  readonly note?: (line: string) => void;
}

/** How long packetdrill waits for a packet beyond its time, and for a call to return, in microseconds. */
const PACKET_PATIENCE_US = 2_000_000;
const CALL_PATIENCE_US = 1_000_000;
/** How long a packet at time `*`, or a call that waits without saying so, is waited for. */
const ANY_TIME_LIMIT_US = 180_000_000;
/** Lines shown with a failure. */
const HISTORY_MAX = 12;

/** Runs a script from its first event to its last; throws ScriptFailure, ScriptSyntaxError or UnsupportedError. */
export async function runScript(script: Script, options: RunOptions): Promise<void> {
  const run = new ScriptRun(script, options);
  try {
    await run.run();
  } finally {
    run.close();
  }
}

/** A call that takes time. */
interface Waiting {
  readonly event: ScriptEvent;
  /** When it began and when it is to return. */
  readonly atUs: number;
  readonly dueUs: number;
  endedUs: number | null;
  problem: string | null;
}

class ScriptRun {
  private readonly script: Script;
  private readonly options: RunOptions;
  private readonly strict: boolean;
  private readonly config: Configuration;
  private readonly subject: Subject;
  private readonly flows: Flows;
  private readonly calls: CallRunner;
  private readonly shell: Shell;
  private readonly variables = new Map<string, CodeValue>();
  private readonly history: string[] = [];
  private readonly waiting: Waiting[] = [];
  private event: ScriptEvent | null = null;
  /** The event before: when the script had it, and whether an inbound packet may count from that. */
  private last: { atUs: number; inbound: boolean } | null = null;

  constructor(script: Script, options: RunOptions) {
    const { turn, sysctl, onState } = options;
    this.script = script;
    this.options = options;
    this.strict = options.strict ?? script.house;
    this.config = configure(script, {
      ...(options.iss === undefined ? {} : { iss: options.iss }),
      ...(options.peerIsn === undefined ? {} : { peerIsn: options.peerIsn }),
    });
    const { peerIsn, bindPort, connectPort } = this.config;
    this.subject = new Subject({
      ...this.config,
      family: script.family,
      turn,
      ...(sysctl === undefined ? {} : { sysctl }),
      ...(onState === undefined ? {} : { onState }),
    });
    this.flows = script.house
      ? new NumberedPeers(bindPort, peerIsn ?? 0)
      : new SocketUnderTest(bindPort, connectPort);
    this.calls = new CallRunner(this.subject, this.flows, script.house, this.config);
    this.shell = new Shell(this.subject, path => options.readFile?.(path) ?? null);
  }

  async run(): Promise<void> {
    for (const path of this.config.initScripts) await this.command(path, 1);
    if (this.script.init !== null) await this.command(this.script.init.command, this.script.init.line);
    this.subject.begin();
    for (const event of withPrelude(this.script, this.config)) await this.step(event);
    await this.finish();
    if (this.script.cleanup !== null)
      await this.command(this.script.cleanup.command, this.script.cleanup.line);
  }

  close(): void {
    this.subject.close();
  }

  private async step(event: ScriptEvent): Promise<void> {
    this.event = event;
    const { body } = event;
    if (body.kind === 'call' && !this.script.house) await this.awaitIdle();
    const expected = this.expectedTime(event);
    if (body.kind === 'packet' && body.direction === 'out') {
      await this.expectPacket(body.packet, expected);
    } else {
      await this.waitFor(expected);
      if (body.kind === 'packet') this.inject(body.packet);
      else if (body.kind === 'call') await this.call(event, body, expected);
      else if (body.kind === 'code') this.code(body.code);
      else await this.command(body.command, event.line);
      await this.settle();
    }
    this.last = { atUs: expected.atUs, inbound: body.kind === 'packet' && body.direction === 'in' };
  }

  /** Inbound packets in a row count from each other's times in the script; anything else counts from now. */
  private expectedTime({ time, body }: ScriptEvent): Expected {
    const { kind, us, latestUs } = time;
    if (kind === 'absolute') return { kind, atUs: us, latestUs, offsetUs: 0 };
    const inbound = body.kind === 'packet' && body.direction === 'in';
    const offsetUs = inbound && this.last?.inbound === true ? this.last.atUs : this.subject.nowUs;
    return { kind, offsetUs, atUs: offsetUs + us, latestUs: latestUs === null ? null : offsetUs + latestUs };
  }

  private async waitFor(expected: Expected): Promise<void> {
    const { subject } = this;
    await subject.runUntil(Math.max(expected.atUs, subject.nowUs));
    this.checkReturned();
    if (this.strict) this.checkOverdue();
    if (this.last === null) return;
    const what = this.event?.body.kind === 'call' ? 'system call start' : 'event';
    const problem = timingError(what, expected, subject.nowUs, this.last.atUs, this.config.tolerance);
    if (problem !== null) this.fail(problem);
  }

  /** Lets everything happen that is due now, without moving time. */
  private async settle(): Promise<void> {
    await this.subject.runUntil(this.subject.nowUs);
    this.checkReturned();
  }

  private async finish(): Promise<void> {
    const { subject, waiting } = this;
    await this.settle();
    if (this.script.house) {
      for (const { dueUs } of [...waiting]) {
        await subject.runUntil(Math.max(dueUs + this.config.tolerance.us, subject.nowUs));
        this.checkReturned();
      }
    }
    await this.awaitIdle();
    for (const { event } of waiting)
      this.fail('runtime error: exiting while a blocking system call is in progress', event);
    if (this.strict && subject.sent.length > 0) this.unexpected();
  }

  // --- packets in ---

  private inject(packet: PacketSpec): void {
    const flow = this.flows.inbound(packet);
    if (typeof flow === 'string') this.failPacket(flow);
    const { subject, config } = this;
    const bytes = packet.kind === 'icmp' ? this.icmp(packet, flow) : this.segment(packet, flow);
    const large = config.inboundMss > 0 && packet.kind === 'tcp' && packet.length > config.inboundMss;
    subject.inject(bytes, large ? config.inboundMss : 0);
  }

  private segment(packet: TcpSpec, flow: Flow): Uint8Array {
    const segment = flow.toWire(packet, this.config.ecrScaled);
    if (typeof segment === 'string') return this.failPacket(segment);
    this.note(`< ${this.flows.tagOf(flow)}${formatSegment(packet)}`);
    return encodeSegment(segment, this.subject.inbound, packet.tags.badChecksum);
  }

  /** The quoted packet is one of ours. */
  private icmp(packet: IcmpSpec, flow: Flow): Uint8Array {
    const quoted: Segment = {
      source: flow.localPort,
      destination: flow.remotePort,
      seq: (flow.local.live + packet.seq) >>> 0,
      ack: 0,
      flags: ACK,
      window: 0,
      urgent: 0,
      options: [],
      payload: new Uint8Array(packet.length),
      tos: 0,
      ttl: 0,
    };
    const { inbound, outbound } = this.subject;
    const bytes = encodeSegment(quoted, outbound, false);
    this.note(`< icmp type ${packet.type} code ${packet.code}${packet.mtu >= 0 ? ` mtu ${packet.mtu}` : ''}`);
    return encodeIcmpError(packet.type, packet.code, Math.max(packet.mtu, 0), bytes, inbound);
  }

  // --- packets out ---

  private async expectPacket(packet: PacketSpec, expected: Expected): Promise<void> {
    if (packet.kind === 'icmp') this.fail('an outbound ICMP packet cannot be expected');
    const flow = this.flows.outbound(packet);
    if (typeof flow === 'string') return this.failPacket(flow);
    const parts: Segment[] = [];
    let left = packet.length;
    let sentAtUs = 0;
    do {
      const { segment, atUs } = await this.nextSegment(packet, flow, expected, parts);
      if (parts.length === 0) this.flows.learn(flow, segment, packet);
      const before = parts[parts.length - 1];
      const problem = before === undefined ? null : partMismatch(before, segment, left);
      if (problem !== null)
        this.differs(packet, `${problem}: then > ${this.describe([segment], flow)}`, parts, flow, sentAtUs);
      parts.push(segment);
      left -= segment.payload.length;
      sentAtUs = atUs;
      if (this.strict && segment.payload.length === 0) break;
    } while (left > 0 && !this.config.strictSegments);
    this.learnTimestamp(packet, parts[parts.length - 1] as Segment, flow);
    const rules = { strict: this.strict, timestampTicks: this.timestampTicks(expected) };
    const difference =
      mismatch(packet, parts, flow, rules) ??
      timingError('outbound packet', expected, sentAtUs, this.last?.atUs ?? null, this.config.tolerance);
    if (difference !== null) this.differs(packet, difference, parts, flow, sentAtUs);
    this.note(`> ${this.describe(parts, flow)}`, sentAtUs);
  }

  /** The next segment of ours that the script has an eye on. */
  private async nextSegment(
    spec: TcpSpec,
    flow: Flow,
    expected: Expected,
    parts: readonly Segment[],
  ): Promise<{ segment: Segment; atUs: number }> {
    const { subject, flows } = this;
    const aheadUs = Math.max(expected.atUs, expected.latestUs ?? 0) - (this.last?.atUs ?? 0);
    const patienceUs = expected.kind === 'any' ? ANY_TIME_LIMIT_US : aheadUs + PACKET_PATIENCE_US;
    const untilUs = subject.nowUs + patienceUs;
    for (;;) {
      // What a waiting call returns meanwhile is looked at afterwards, as packetdrill does.
      const sent = await subject.nextSent(untilUs);
      if (sent === null) {
        const what = parts.length === 0 ? '' : ` with ${spec.length} bytes`;
        return this.differs(spec, `Timed out waiting for packet${what}`, parts, flow);
      }
      const segment = decodeSegment(sent.bytes, subject.outbound);
      if (typeof segment === 'string') return this.failPacket(segment);
      const owner = segment === null ? null : flows.ownerOf(segment);
      if (segment !== null && owner === flow) return { segment, atUs: sent.atUs };
      if (this.strict) this.unexpected(sent);
      this.note(`> (not looked at) ${this.describeSent(sent)}`, sent.atUs);
    }
  }

  /** How far off our timestamps may be: by the time since the script began, since that is what they count. */
  private timestampTicks({ atUs }: Expected): number | null {
    const { tickUs, tolerance } = this.config;
    return tickUs === 0 ? null : Math.floor(toleranceUs(tolerance, atUs, 0) / tickUs);
  }

  private learnTimestamp(spec: TcpSpec, live: Segment, flow: Flow): void {
    const ours = live.options.find(option => option.kind === 'timestamps');
    const script = spec.options?.find(option => option.kind === 'timestamps');
    if (ours?.kind === 'timestamps' && script?.kind === 'timestamps')
      flow.learnTimestamp(ours.val, script.val);
  }

  /** A packet that is this old cannot be what a later line expects. */
  private checkOverdue(): void {
    const oldest = this.subject.sent[0];
    if (oldest !== undefined && oldest.atUs < this.subject.nowUs - this.config.tolerance.us)
      this.unexpected();
  }

  private unexpected(...before: readonly Sent[]): never {
    const all = [...before, ...this.subject.sent];
    const lines = all.map(sent => `  ${seconds(sent.atUs)} > ${this.describeSent(sent)}`);
    return this.fail(`unexpected packet${lines.length > 1 ? 's' : ''}:\n${lines.join('\n')}`);
  }

  // --- calls, code and commands ---

  private async call(event: ScriptEvent, body: CallEvent, expected: Expected): Promise<void> {
    const { subject, script, waiting } = this;
    if (script.house && body.name === 'expect_nothing') {
      await this.settle();
      if (subject.sent.length > 0) this.unexpected();
      return;
    }
    const takesTime = event.time.returnUs !== null;
    if (waiting.length > 0 && !this.calls.isOwn(body) && (script.house || takesTime))
      this.fail('blocking system call while another blocking system call is already in progress');
    if (!this.calls.isOwn(body)) this.note(event.text);
    const call: Waiting = {
      event,
      atUs: expected.atUs,
      dueUs: expected.offsetUs + (event.time.returnUs ?? 0),
      endedUs: null,
      problem: null,
    };
    this.guard(() =>
      this.calls.call(body, takesTime, problem => {
        call.endedUs = subject.nowUs;
        call.problem = problem;
      }),
    );
    if (takesTime) {
      waiting.push(call);
      return;
    }
    // A call that waits without being marked holds up the script, as it would hold up packetdrill.
    if (call.endedUs === null)
      await subject.runWhile(subject.nowUs + ANY_TIME_LIMIT_US, () => call.endedUs !== null);
    if (call.endedUs === null) this.fail(`${body.name} does not return`);
    if (call.problem !== null) this.fail(call.problem);
  }

  /** Packetdrill gives a call that is under way a second to return before it makes the next. */
  private async awaitIdle(): Promise<void> {
    if (this.waiting.length === 0) return;
    const { subject, waiting } = this;
    await subject.runWhile(subject.nowUs + CALL_PATIENCE_US, () =>
      waiting.every(({ endedUs }) => endedUs !== null),
    );
    this.checkReturned();
  }

  /** What waiting calls returned since the last look, and which should have. */
  private checkReturned(): void {
    const { tolerance } = this.config;
    for (const call of this.waiting.splice(0)) {
      const { event, atUs, dueUs, endedUs, problem } = call;
      if (problem !== null) this.fail(problem, event);
      const allowedUs = toleranceUs(tolerance, dueUs, atUs);
      if (endedUs === null) {
        if (this.subject.nowUs > dueUs + allowedUs)
          this.fail(
            `timing error: expected system call return at ${seconds(dueUs)} sec but it still waits`,
            event,
          );
        this.waiting.push(call);
        continue;
      }
      const expected = { kind: 'absolute', atUs: dueUs, latestUs: null, offsetUs: 0 } as const;
      const late = timingError('system call return', expected, endedUs, atUs, tolerance);
      if (late !== null) this.fail(late, event);
    }
  }

  private code(code: string): void {
    const scope = {
      lookup: (name: string) => this.calls.lookup(name),
      print: (text: string) => this.note(text),
    };
    this.guard(() => {
      this.calls.checkCode();
      evaluate(code, this.variables, scope);
    });
  }

  private async command(command: string, line: number): Promise<void> {
    this.note(`\`${command.replace(/\s+/g, ' ')}\``);
    try {
      await this.shell.run(command);
    } catch (error) {
      if (!(error instanceof CommandError) && !(error instanceof CodeError)) throw error;
      const which = this.event === null ? 'init command' : 'command';
      this.failAt(line, `error executing ${which}: ${error.message}`, `\`${command}\``);
    }
  }

  private guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (error instanceof CodeError) this.fail(`error in code: ${error.message}`);
      if (!(error instanceof ScriptValueError)) throw error;
      const { body } = this.event as ScriptEvent;
      this.fail(`runtime error in ${body.kind === 'call' ? `${body.name} call` : 'code'}: ${error.message}`);
    }
  }

  // --- telling what went wrong ---

  private note(line: string, atUs: number = this.subject.nowUs): void {
    const text = `${seconds(atUs)} ${line}`;
    this.history.push(text);
    this.options.note?.(text);
  }

  private describe(parts: readonly Segment[], flow: Flow): string {
    const [first, last] = [parts[0] as Segment, parts[parts.length - 1] as Segment];
    const length = parts.reduce((sum, { payload }) => sum + payload.length, 0);
    const { seq } = flow.fromWire(first);
    return `${this.flows.tagOf(flow)}${formatSegment({ ...flow.fromWire(last), seq, length })}`;
  }

  private describeSent({ bytes }: Sent): string {
    const segment = decodeSegment(bytes, this.subject.outbound);
    if (segment === null) return `${bytes.length} bytes that are no segment to the peer`;
    if (typeof segment === 'string') return segment;
    const owner = this.flows.ownerOf(segment);
    if (owner !== null) return this.describe([segment], owner);
    const line = formatSegment({ ...segment, length: segment.payload.length });
    return `port ${segment.source} > ${segment.destination}: ${line}`;
  }

  private differs(
    spec: TcpSpec,
    what: string,
    parts: readonly Segment[],
    flow: Flow,
    atUs: number = this.subject.nowUs,
  ): never {
    const actual = parts.length === 0 ? '(nothing)' : this.describe(parts, flow);
    const tag = this.flows.tagOf(flow);
    const cut = parts.length > 1 ? ` in ${parts.length} parts` : '';
    return this.failPacket(
      `${what}\n  expected > ${tag}${formatSegment(spec)}\n  actual   > ${actual}${cut} at ${seconds(atUs)}`,
    );
  }

  private failPacket(what: string): never {
    return this.fail(`error handling packet: ${what}`);
  }

  private fail(what: string, event: ScriptEvent | null = this.event): never {
    return this.failAt(event?.line ?? 1, what, event?.text ?? '');
  }

  private failAt(line: number, what: string, text: string): never {
    const past = this.history.slice(-HISTORY_MAX).map(entry => `    ${entry}`);
    const lines = [`${this.script.path}:${line}: ${what}`, `  in: ${text}`, ...this.stateLines()];
    throw new ScriptFailure([...lines, '  before it:', ...past].join('\n'));
  }

  /** The connection as it stands. */
  private stateLines(): string[] {
    const { current } = this.flows;
    if (current === null) return [];
    const state = this.subject.stateOf(current.remotePort);
    const row = this.subject.rowOf(current.remotePort);
    const info = row?.info ?? null;
    const numbers = info === null ? [] : SHOWN.map(name => `${name} ${info[name]}`);
    const timer = row?.timer == null ? [] : [`timer ${row.timer.name} in ${seconds(row.timer.leftUs)}`];
    return [`  state: ${[state, ...numbers, ...timer].join(', ')}`];
  }
}

/** What is shown of TCP_INFO with a failure. */
const SHOWN = [
  'ca_state',
  'snd_cwnd',
  'snd_ssthresh',
  'unacked',
  'sacked',
  'lost',
  'retrans',
  'rto',
  'rtt',
  'snd_wnd',
  'notsent_bytes',
];
