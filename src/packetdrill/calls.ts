import { errnoName, strerror } from '../base/errno.ts';
import { SO_RCVBUF, SO_SNDBUF, SOL_SOCKET, SOL_TCP, TCP_CC_INFO, TCP_INFO } from '../socket/constants.ts';
import type { OptionValue } from '../socket/options.ts';
import { out } from '../socket/sockaddr.ts';
import type { CallContext, Prepared } from './call-support.ts';
import { CALLS } from './call-table.ts';
import type { CodeValue } from './code.ts';
import type { Configuration } from './configuration.ts';
import { Descriptors } from './descriptors.ts';
import { type Flows, NumberedPeers } from './flows.ts';
import type { Subject } from './subject.ts';
import { constantOf } from './symbols.ts';
import { type CallEvent, UnsupportedError } from './syntax.ts';
import { numberOf, ScriptValueError, textOf } from './values.ts';

/** Calls that packetdrill has and that mean nothing to a stack. */
const UNSUPPORTED = ['cap_set', 'psp_rx_assoc', 'psp_tx_assoc'];

/** What of SO_MEMINFO there is, by the options that say the same. */
const SK_MEMINFO: Readonly<Record<string, number | undefined>> = {
  SK_MEMINFO_RCVBUF: SO_RCVBUF,
  SK_MEMINFO_SNDBUF: SO_SNDBUF,
};

/** Fields of TCP_INFO that Linux does not fill any more. */
const ALWAYS_ZERO: readonly string[] = ['tcpi_fackets', 'tcpi_last_ack_sent'];

/** Makes a script's system calls, and judges what they return. */
export class CallRunner {
  private readonly subject: Subject;
  private readonly flows: Flows;
  private readonly house: boolean;
  private readonly context: CallContext;

  constructor(subject: Subject, flows: Flows, house: boolean, { bindPort, tolerance }: Configuration) {
    this.subject = subject;
    this.flows = flows;
    this.house = house;
    const fds = new Descriptors(house);
    this.context = { subject, flows, house, fds, bindPort, toleranceUs: tolerance.us };
  }

  /**
   * Begins a call; `ended` is called with what is wrong with the outcome, or null, before this returns or later. With
   * `waits` false in a house script a call that would have to wait does not.
   */
  call(event: CallEvent, waits: boolean, ended: (problem: string | null) => void): void {
    if (this.house && OWN_CALLS.has(event.name)) {
      ended(this.ownCall(event));
      return;
    }
    const prepared = this.prepare(event, waits);
    const result = prepared.invoke();
    const judge = (value: number): void => ended(this.judgeSafely(event, prepared, value));
    if (typeof result === 'number') judge(result);
    else void result.then(judge);
  }

  private prepare(event: CallEvent, waits: boolean): Prepared {
    if (UNSUPPORTED.includes(event.name)) throw new UnsupportedError(`${event.name}()`);
    const call = Object.hasOwn(CALLS, event.name) ? CALLS[event.name] : undefined;
    if (call === undefined) throw new ScriptValueError(`Unknown system call: '${event.name}'`);
    const [least, most] = call.args;
    const count = event.args.length;
    if (count < least || count > most) {
      const wanted = least === most ? String(least) : `${least}-${most}`;
      throw new ScriptValueError(`Expected ${wanted} args but got ${count}`);
    }
    return call.prepare(this.context, event, waits || !this.house);
  }

  /** What comes after a wait has nobody to catch what it throws. */
  private judgeSafely(event: CallEvent, prepared: Prepared, result: number): string | null {
    try {
      return this.judge(event, prepared, result);
    } catch (error) {
      if (error instanceof ScriptValueError) return `runtime error in ${event.name} call: ${error.message}`;
      throw error;
    }
  }

  private judge(event: CallEvent, prepared: Prepared, result: number): string | null {
    const problem = this.resultProblem(event, prepared, result) ?? null;
    if (problem !== null) return `runtime error in ${event.name} call: ${problem}`;
    const late = prepared.check?.(result) ?? null;
    return late === null ? null : `runtime error in ${event.name} call: ${late}`;
  }

  private resultProblem(event: CallEvent, { opens }: Prepared, result: number): string | null {
    if (event.result === null) return null;
    const expected = numberOf(event.result);
    const actual = result < 0 ? -1 : result;
    const why = result < 0 ? ` with errno ${-result} (${strerror(result)})` : '';
    if (opens === true && expected >= 0) {
      if (result < 0) return `Expected non-negative result but got ${actual}${why}`;
    } else if (actual !== expected) {
      return `Expected result ${expected} but got ${actual}${why || ' with errno 0 (Success)'}`;
    }
    if (event.errno === null) return null;
    const wanted = event.errno === 'EWOULDBLOCK' ? 'EAGAIN' : event.errno;
    if (result < 0 && errnoName(result) === wanted) return null;
    return `Expected errno ${event.errno} but got ${result < 0 ? `${errnoName(result)} (${strerror(result)})` : 'none'}`;
  }

  /** tcpi_* of the connection that is looked at, counters (house), and the constants of the socket calls. */
  lookup(name: string): CodeValue | undefined {
    if (name.startsWith('tcpi_')) {
      const value = ALWAYS_ZERO.includes(name) ? 0 : this.info(TCP_INFO)[name.slice(5)];
      if (value === undefined) throw new ScriptValueError(`TCP_INFO has no ${name}`);
      return value;
    }
    const memory = SK_MEMINFO[name];
    if (memory !== undefined) return this.option(SOL_SOCKET, memory) as CodeValue;
    if (name.startsWith('bbr_')) {
      const value = this.info(TCP_CC_INFO)[name.slice(4)];
      if (value === undefined) throw new ScriptValueError(`TCP_CC_INFO has no ${name}`);
      return value;
    }
    return (this.house ? this.subject.counter(name) : undefined) ?? constantOf(name);
  }

  /** TCP_INFO or TCP_CC_INFO of the connection that is looked at. */
  private info(option: number): Record<string, CodeValue> {
    return this.option(SOL_TCP, option) as unknown as Record<string, CodeValue>;
  }

  private option(level: number, option: number): OptionValue {
    const fd = this.flows.fdForCode;
    if (fd === null) throw new ScriptValueError('no socket to use for code');
    const info = out<OptionValue>();
    const live = this.context.fds.find(fd);
    const result = live < 0 ? live : this.subject.sys.getsockopt(live, level, option, info);
    if (result < 0) throw new ScriptValueError(`can't find getsockopt to get TCP info: ${errnoName(result)}`);
    return info.value as OptionValue;
  }

  /** Fails where packetdrill has no TCP_INFO to give to the code. */
  checkCode(): void {
    if (!this.house) this.info(TCP_INFO);
  }

  /** The house's own calls, which only look. */
  private ownCall({ name, args, result }: CallEvent): string | null {
    if (name === 'expect_state') {
      const wanted = textOf(args[0]);
      const port = NumberedPeers.portOf(args[1] === undefined ? 1 : numberOf(args[1]));
      const actual = this.subject.stateOf(port);
      return wanted === actual ? null : `the state is ${actual}, not ${wanted}`;
    }
    const counter = textOf(args[0]);
    const value = this.subject.counter(counter);
    if (value === undefined) throw new ScriptValueError(`unknown counter ${counter}`);
    const wanted = numberOf(result ?? undefined);
    return value === wanted ? null : `${counter} is ${value}, not ${wanted}`;
  }

  /** Whether a call is one of the house's own, which only look. */
  isOwn({ name }: CallEvent): boolean {
    return this.house && OWN_CALLS.has(name);
  }
}

const OWN_CALLS: ReadonlySet<string> = new Set(['expect_state', 'counter']);
