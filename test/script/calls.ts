import { errnoName } from '../../src/base/errno.ts';
import { AF_INET, MSG_PEEK, SOL_TCP, TCP_INFO } from '../../src/socket/constants.ts';
import type { OptionValue } from '../../src/socket/options.ts';
import type { PollFd } from '../../src/socket/poll.ts';
import { type Out, out } from '../../src/socket/sockaddr.ts';
import type { CodeValue } from './evaluate.ts';
import { pattern } from './peer.ts';
import { LOCAL_ADDRESS, LOCAL_PORT, PEER_PORT, REMOTE_ADDRESS, type Subject } from './subject.ts';
import type { CallEvent, Value } from './syntax.ts';
import { constantOf, membersOf, numberOf, ScriptValueError, textOf } from './values.ts';

/** A call that has begun and not returned, or has just returned. */
export interface Waiting {
  readonly line: number;
  readonly text: string;
  /** When it is to return, and how far off it may be, in microseconds. */
  readonly dueUs: number;
  readonly tolerance: number;
  returnedUs: number | null;
  /** What is wrong with what it returned. */
  problem: string | null;
}

/** A call made ready: what to pass, and what to look at when it has returned. */
interface Prepared {
  readonly args: readonly unknown[];
  /** Looks at what the call has written; returns what is wrong, or null. */
  readonly check?: (result: number) => string | null;
}

type Call = (...args: readonly unknown[]) => number | Promise<number>;

/** Makes a script's socket calls, and judges what they return. */
export class CallRunner {
  private readonly subject: Subject;
  /** The script's descriptors and ours. */
  private readonly fds = new Map<number, number>();
  /** How far each of our descriptors has read and written its stream. */
  private readonly readAt = new Map<number, number>();
  private readonly wroteAt = new Map<number, number>();
  /** The connection that was made last; tcpi_* are its values. */
  private connection = -1;

  constructor(subject: Subject) {
    this.subject = subject;
  }

  /** Makes a call that returns at once; returns what is wrong with the outcome, or null. */
  call(body: CallEvent): string | null {
    const own = this.ownCall(body);
    if (own !== undefined) return own;
    const { args, check } = this.prepare(body);
    const result = this.method(this.subject.sys, body.name)(...args) as number;
    return this.judge(body, args, result) ?? check?.(result) ?? null;
  }

  /** Begins a call that waits. */
  callAndWait(body: CallEvent, dueUs: number, tolerance: number, text: string, line: number): Waiting {
    const { args, check } = this.prepare(body);
    const waiting: Waiting = { line, text, dueUs, tolerance, returnedUs: null, problem: null };
    const made = this.method(this.subject.sys.wait, body.name)(...this.waitingArgs(body, args));
    void (made as Promise<number>).then(result => {
      waiting.returnedUs = this.subject.nowUs;
      waiting.problem = this.judge(body, args, result) ?? check?.(result) ?? null;
    });
    return waiting;
  }

  /** tcpi_* of the connection that was made last, counters, and the constants of the socket calls. */
  lookup(name: string): CodeValue | undefined {
    if (name.startsWith('tcpi_')) {
      const info = out<OptionValue>();
      const result = this.subject.sys.getsockopt(this.connection, SOL_TCP, TCP_INFO, info);
      if (result < 0) throw new ScriptValueError(`TCP_INFO: ${errnoName(result)}`);
      const value = (info.value as unknown as Record<string, CodeValue>)[name.slice(5)];
      if (value === undefined) throw new ScriptValueError(`TCP_INFO has no ${name}`);
      return value;
    }
    return this.subject.counter(name) ?? constantOf(name);
  }

  /** Whether it is one of the house's own calls, which only look. */
  isOwn({ name }: CallEvent): boolean {
    return name === 'expect_state' || name === 'counter';
  }

  /** The house's own calls; undefined when it is none of them. */
  private ownCall({ name, args, result }: CallEvent): string | null | undefined {
    if (name === 'expect_state') {
      const wanted = textOf(args[0]);
      const actual = this.subject.stateOf(PEER_PORT + (args[1] === undefined ? 1 : numberOf(args[1])));
      return wanted === actual ? null : `the state is ${actual}, not ${wanted}`;
    }
    if (name === 'counter') {
      const counter = textOf(args[0]);
      const value = this.subject.counter(counter);
      if (value === undefined) throw new ScriptValueError(`unknown counter ${counter}`);
      const wanted = numberOf(result ?? undefined);
      return value === wanted ? null : `${counter} is ${value}, not ${wanted}`;
    }
    return undefined;
  }

  private method(target: object, name: string): Call {
    const method = (target as Record<string, Call | undefined>)[name];
    if (typeof method !== 'function') throw new ScriptValueError(`unknown call ${name}`);
    return method.bind(target);
  }

  /** poll(2) is the one call whose waiting form takes an argument more. */
  private waitingArgs(body: CallEvent, args: readonly unknown[]): readonly unknown[] {
    return body.name === 'poll' ? [...args, numberOf(body.args[2])] : args;
  }

  private prepare({ name, args }: CallEvent): Prepared {
    const number = (index: number): number => numberOf(args[index]);
    const fd = name === 'socket' || name === 'poll' ? -1 : this.fd(args[0]);
    switch (name) {
      case 'socket':
        return { args: [args[0]?.kind === 'elided' ? AF_INET : number(0), number(1), number(2)] };
      case 'bind':
        return { args: [fd, { address: LOCAL_ADDRESS, port: this.port(args[1], LOCAL_PORT) }] };
      case 'connect':
        return { args: [fd, { address: REMOTE_ADDRESS, port: this.port(args[1], PEER_PORT + 1) }] };
      case 'accept':
        return { args: [fd] };
      case 'read':
      case 'recv':
        return this.prepareRead(name, fd, number(2), name === 'recv' ? number(3) : 0);
      case 'recvfrom':
        return this.prepareRead(name, fd, number(2), number(3));
      case 'write':
        return this.prepareWrite(fd, number(2), []);
      case 'send':
        return this.prepareWrite(fd, number(2), [number(3)]);
      case 'sendto':
        return this.prepareWrite(fd, number(2), [
          number(3),
          { address: REMOTE_ADDRESS, port: PEER_PORT + 1 },
        ]);
      case 'setsockopt':
        return { args: [fd, number(1), number(2), optionValue(args[3])] };
      case 'getsockopt':
        return this.prepareGetsockopt(fd, number(1), number(2), args[3]);
      case 'ioctl':
        return this.prepareIoctl(fd, number(1), args[2]);
      case 'poll':
        return this.preparePoll(args[0]);
      case 'fcntl':
        return { args: args.length > 2 ? [fd, number(1), number(2)] : [fd, number(1)] };
      case 'listen':
      case 'shutdown':
        return { args: [fd, number(1)] };
      case 'close':
        return { args: [fd] };
      default:
        throw new ScriptValueError(`unknown call ${name}`);
    }
  }

  private fd(value: Value | undefined): number {
    const script = numberOf(value);
    return this.fds.get(script) ?? script;
  }

  /** A symbol peer2 means the second peer's port, a number itself. */
  private port(value: Value | undefined, otherwise: number): number {
    if (value?.kind === 'symbol' && value.name.startsWith('peer'))
      return PEER_PORT + Number(value.name.slice(4));
    return value === undefined || value.kind === 'elided' ? otherwise : numberOf(value);
  }

  private prepareRead(name: string, fd: number, length: number, flags: number): Prepared {
    const buffer = new Uint8Array(length);
    const check = (result: number): string | null => {
      if (result <= 0) return null;
      const at = this.readAt.get(fd) ?? 0;
      if ((flags & MSG_PEEK) === 0) this.readAt.set(fd, at + result);
      const expected = pattern(at, result);
      const wrong = expected.findIndex((byte, index) => byte !== buffer[index]);
      return wrong < 0 ? null : `byte ${at + wrong} of the stream is not what was sent`;
    };
    return { args: name === 'read' ? [fd, buffer] : [fd, buffer, flags], check };
  }

  private prepareWrite(fd: number, length: number, more: readonly unknown[]): Prepared {
    const at = this.wroteAt.get(fd) ?? 0;
    const check = (result: number): null => {
      this.wroteAt.set(fd, at + Math.max(result, 0));
      return null;
    };
    return { args: [fd, pattern(at, length), ...more], check };
  }

  private prepareGetsockopt(fd: number, level: number, name: number, expected: Value | undefined): Prepared {
    const value: Out<OptionValue> = out();
    const check = (result: number): string | null => {
      if (result < 0 || expected === undefined || expected.kind === 'elided') return null;
      const wanted =
        expected.kind === 'array' && expected.items[0]?.kind === 'elided' ? null : optionValue(expected);
      const same = wanted === null || JSON.stringify(wanted) === JSON.stringify(value.value);
      return same ? null : `the value is ${JSON.stringify(value.value)}, not ${JSON.stringify(wanted)}`;
    };
    return { args: [fd, level, name, value], check };
  }

  private prepareIoctl(fd: number, request: number, expected: Value | undefined): Prepared {
    const value: Out<number> = { value: expected === undefined ? 0 : numberOf(expected) };
    const wanted = value.value;
    return {
      args: [fd, request, value],
      check: result =>
        result < 0 || value.value === wanted ? null : `the value is ${value.value}, not ${wanted}`,
    };
  }

  private preparePoll(list: Value | undefined): Prepared {
    if (list?.kind !== 'array') throw new ScriptValueError('poll needs an array');
    const wanted = list.items.map(membersOf);
    const fds: PollFd[] = wanted.map(entry => ({
      fd: this.fds.get(entry['fd'] ?? -1) ?? entry['fd'] ?? -1,
      events: entry['events'] ?? 0,
    }));
    const check = (): string | null => {
      for (const [index, entry] of wanted.entries()) {
        const revents = fds[index]?.revents ?? 0;
        if ((entry['revents'] ?? 0) !== revents) {
          return `revents of descriptor ${entry['fd']} is 0x${revents.toString(16)}, not 0x${entry['revents']?.toString(16)}`;
        }
      }
      return null;
    };
    return { args: [fds], check };
  }

  private judge(body: CallEvent, args: readonly unknown[], result: number): string | null {
    this.noteConnection(body, args, result);
    if (body.result === null) return null;
    const wanted = numberOf(body.result);
    const actual = result < 0 ? `-1 ${errnoName(result)}` : String(result);
    const expected = body.errno === null ? String(wanted) : `-1 ${body.errno}`;
    if ((body.name === 'socket' || body.name === 'accept') && result >= 0 && body.errno === null) {
      this.fds.set(wanted, result);
      return null;
    }
    return actual === expected ? null : `${body.name} returned ${actual}, not ${expected}`;
  }

  private noteConnection({ name }: CallEvent, args: readonly unknown[], result: number): void {
    if (name === 'connect') this.connection = args[0] as number;
    if (name === 'accept' && result >= 0) this.connection = result;
  }
}

/** An option's value as the socket layer takes it. */
function optionValue(value: Value | undefined): OptionValue {
  if (value?.kind === 'array') return optionValue(value.items[0]);
  if (value?.kind === 'string') return value.value;
  if (value?.kind !== 'struct') return numberOf(value);
  const members = membersOf(value);
  if ('onoff' in members) return { l_onoff: members['onoff'] ?? 0, l_linger: members['linger'] ?? 0 };
  return members as unknown as OptionValue;
}
