import { ENOENT } from '../base/errno.ts';
import type { Sys } from '../socket/calls.ts';
import { AF_UNSPEC, MSG_OOB, SIOCATMARK, SO_OOBINLINE, SOL_SOCKET } from '../socket/constants.ts';
import type { OptionValue } from '../socket/options.ts';
import { type Out, out, type SockaddrInput } from '../socket/sockaddr.ts';
import type { Linger } from '../socket/socket.ts';
import {
  prepareEpollCtl,
  prepareEpollWait,
  preparePoll,
  prepareRecvmsg,
  prepareSendmsg,
} from './call-messages.ts';
import { type CallContext, elided, iovecLengths, noted, type Prepared, readCheck } from './call-support.ts';
import type { CallEvent, Value } from './syntax.ts';
import { bracketedOf, isNull, itemsOf, membersOf, numberOf, ScriptValueError, textOf } from './values.ts';

/** A call a script may make: how many arguments it has, and what to do. */
interface Call {
  readonly args: readonly [number, number];
  readonly prepare: (context: CallContext, event: CallEvent, waits: boolean) => Prepared;
}

/** The calls by name. With `waits` those that may have to wait do. */
export const CALLS: Readonly<Record<string, Call>> = {
  socket: { args: [3, 3], prepare: prepareSocket },
  bind: { args: [3, 3], prepare: prepareBind },
  listen: { args: [2, 2], prepare: prepareListen },
  accept: { args: [3, 3], prepare: prepareAccept },
  connect: { args: [3, 3], prepare: prepareConnect },
  read: { args: [3, 3], prepare: prepareRead },
  readv: { args: [3, 3], prepare: prepareReadv },
  recv: { args: [4, 4], prepare: prepareRead },
  recvfrom: { args: [6, 6], prepare: prepareRead },
  recvmsg: { args: [3, 3], prepare: prepareRecvmsg },
  write: { args: [3, 3], prepare: prepareWrite },
  writev: { args: [3, 3], prepare: prepareWritev },
  send: { args: [4, 4], prepare: prepareWrite },
  sendto: { args: [6, 6], prepare: prepareWrite },
  sendmsg: { args: [3, 3], prepare: prepareSendmsg },
  fcntl: { args: [2, 3], prepare: prepareFcntl },
  ioctl: { args: [2, 3], prepare: prepareIoctl },
  close: { args: [1, 1], prepare: prepareClose },
  shutdown: { args: [2, 2], prepare: prepareShutdown },
  getsockopt: { args: [5, 5], prepare: prepareGetsockopt },
  setsockopt: { args: [5, 5], prepare: prepareSetsockopt },
  poll: { args: [3, 3], prepare: preparePoll },
  epoll_create: { args: [1, 1], prepare: prepareEpollCreate },
  epoll_ctl: { args: [4, 4], prepare: prepareEpollCtl },
  epoll_wait: { args: [4, 4], prepare: prepareEpollWait },
  open: { args: [2, 2], prepare: prepareOpen },
  sendfile: { args: [4, 4], prepare: prepareSendfile },
  pipe: { args: [1, 1], prepare: preparePipe },
  splice: { args: [6, 6], prepare: prepareSplice },
};

function prepareSocket({ subject, flows, fds }: CallContext, { args, result }: CallEvent): Prepared {
  const { family } = subject.ends.ours;
  const domain = args[0]?.kind === 'elided' ? family : numberOf(args[0]);
  const [type, protocol] = [numberOf(args[1]), numberOf(args[2])];
  return {
    opens: true,
    invoke: () => subject.sys.socket(domain, type, protocol),
    check: live => {
      if (live < 0) return null;
      const fd = numberOf(result ?? undefined);
      fds.mustBeNew(fd);
      fds.opened(fd, live);
      flows.socket(fd);
      return null;
    },
  };
}

/** The address of an argument: a symbol `peer2` means the second peer, a number is a port or AF_UNSPEC. */
function address(context: CallContext, value: Value | undefined, ours: boolean): SockaddrInput {
  const { subject, flows, bindPort, house } = context;
  const { ends } = subject;
  const where = ours ? ends.ours : ends.peers;
  if (value?.kind === 'elided') return { address: where, port: ours ? bindPort : flows.connectPort };
  if (!house && ours) elided(value);
  if (value?.kind === 'symbol' && /^peer\d+$/.test(value.name))
    return { address: where, port: flows.connectPort - 1 + Number(value.name.slice(4)) };
  const number = numberOf(value);
  if (house && number !== AF_UNSPEC) return { address: where, port: number };
  return { family: number, address: where, port: 0 };
}

function prepareBind(context: CallContext, { args }: CallEvent): Prepared {
  const fd = context.fds.of(args[0]);
  const to = address(context, args[1], true);
  return { invoke: () => context.subject.sys.bind(fd, to) };
}

function prepareListen({ subject, flows, fds }: CallContext, { args }: CallEvent): Prepared {
  const [fd, backlog] = [fds.of(args[0]), numberOf(args[1])];
  return {
    invoke: () => subject.sys.listen(fd, backlog),
    check: value => {
      if (value === 0) flows.listen(numberOf(args[0]));
      return null;
    },
  };
}

function prepareAccept(context: CallContext, { args, result }: CallEvent, waits: boolean): Prepared {
  const { subject, flows, fds } = context;
  const fd = fds.of(args[0]);
  elided(args[1]);
  return {
    opens: true,
    invoke: () => (waits ? subject.sys.wait.accept(fd) : subject.sys.accept(fd)),
    check: live => {
      if (live < 0) return null;
      const script = numberOf(result ?? undefined);
      fds.opened(script, live);
      return flows.accepted(script) ? null : 'unable to find socket matching accept() call';
    },
  };
}

function prepareConnect(context: CallContext, { args }: CallEvent, waits: boolean): Prepared {
  const { subject, flows, fds } = context;
  const fd = fds.of(args[0]);
  const to = address(context, args[1], false);
  const dissolves = to.family === AF_UNSPEC;
  return {
    invoke: () => {
      if (dissolves) flows.disconnected(numberOf(args[0]));
      else flows.connecting(numberOf(args[0]));
      return waits ? subject.sys.wait.connect(fd, to) : subject.sys.connect(fd, to);
    },
  };
}

/** A buffer of `length` bytes, or NULL: the calls check that. */
function buffer(value: Value | undefined, length: number): Uint8Array {
  return isNull(value) ? (null as unknown as Uint8Array) : new Uint8Array(length);
}

function prepareRead({ subject, fds }: CallContext, { name, args }: CallEvent, waits: boolean): Prepared {
  const fd = fds.of(args[0]);
  const length = numberOf(args[2]);
  const flags = name === 'read' ? 0 : numberOf(args[3]);
  const bytes = buffer(args[1], length);
  const { sys } = subject;
  const urgent = (flags & MSG_OOB) !== 0;
  let atHole = false;
  return {
    invoke: () => {
      atHole = !urgent && isAtHole(sys, fd);
      if (name === 'read') return waits ? sys.wait.read(fd, bytes) : sys.read(fd, bytes);
      if (name === 'recv') return waits ? sys.wait.recv(fd, bytes, flags) : sys.recv(fd, bytes, flags);
      return waits ? sys.wait.recvfrom(fd, bytes, flags) : sys.recvfrom(fd, bytes, flags);
    },
    check: result => {
      if (urgent) return null;
      if (atHole && !isAtMark(sys, fd)) fds.passedOver(fd);
      return readCheck(fds, fd, bytes, result, flags);
    },
  };
}

/** Whether the next byte to be read is an urgent one. */
function isAtMark(sys: Sys, fd: number): boolean {
  const answer = out<number>();
  return sys.ioctl(fd, SIOCATMARK, answer) >= 0 && answer.value === 1;
}

/** Whether it is one that reading passes over. */
function isAtHole(sys: Sys, fd: number): boolean {
  const inline = out<OptionValue>();
  return isAtMark(sys, fd) && sys.getsockopt(fd, SOL_SOCKET, SO_OOBINLINE, inline) >= 0 && inline.value === 0;
}

function prepareReadv({ subject, fds }: CallContext, { args }: CallEvent, waits: boolean): Prepared {
  const fd = fds.of(args[0]);
  const lengths = iovecLengths(args[1], numberOf(args[2]));
  const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
  return {
    invoke: () => (waits ? subject.sys.wait.read(fd, bytes) : subject.sys.read(fd, bytes)),
    check: result => readCheck(fds, fd, bytes, result, 0),
  };
}

function prepareWrite(context: CallContext, { name, args }: CallEvent, waits: boolean): Prepared {
  const { subject, flows, fds } = context;
  const fd = fds.of(args[0]);
  const length = numberOf(args[2]);
  const bytes = isNull(args[1]) ? buffer(args[1], 0) : fds.nextOut(fd, length);
  const flags = name === 'write' ? 0 : numberOf(args[3]);
  const to = name === 'sendto' ? address(context, args[4], false) : null;
  const { sys } = subject;
  const invoke = (): number | Promise<number> => {
    if (name === 'write') return waits ? sys.wait.write(fd, bytes) : sys.write(fd, bytes);
    if (to === null) return waits ? sys.wait.send(fd, bytes, flags) : sys.send(fd, bytes, flags);
    if (!context.house) flows.connecting(numberOf(args[0]));
    return waits ? sys.wait.sendto(fd, bytes, flags, to) : sys.sendto(fd, bytes, flags, to);
  };
  return { invoke: () => noted(fds, fd, invoke()) };
}

function prepareWritev({ subject, fds }: CallContext, { args }: CallEvent, waits: boolean): Prepared {
  const fd = fds.of(args[0]);
  const lengths = iovecLengths(args[1], numberOf(args[2]));
  const bytes = fds.nextOut(
    fd,
    lengths.reduce((sum, length) => sum + length, 0),
  );
  return {
    invoke: () => noted(fds, fd, waits ? subject.sys.wait.write(fd, bytes) : subject.sys.write(fd, bytes)),
  };
}

function prepareFcntl({ subject, fds }: CallContext, { args }: CallEvent): Prepared {
  const [fd, command] = [fds.of(args[0]), numberOf(args[1])];
  const value = args.length > 2 ? numberOf(args[2]) : undefined;
  return { invoke: () => subject.sys.fcntl(fd, command, value) };
}

function prepareIoctl({ subject, fds }: CallContext, { args }: CallEvent): Prepared {
  const [fd, request] = [fds.of(args[0]), numberOf(args[1])];
  const wanted = args.length > 2 ? bracketedOf(args[2]) : 0;
  const value: Out<number> = { value: wanted };
  return {
    invoke: () => subject.sys.ioctl(fd, request, value),
    check: result =>
      result < 0 || value.value === wanted
        ? null
        : `Bad ioctl optval: expected: ${wanted} actual: ${value.value}`,
  };
}

function prepareClose({ subject, fds }: CallContext, { args }: CallEvent, waits: boolean): Prepared {
  const script = numberOf(args[0]);
  const other = fds.other(args[0]);
  const fd = other === undefined ? fds.of(args[0]) : -1;
  return {
    invoke: () => {
      if (other !== undefined) return 0;
      return waits ? subject.sys.wait.close(fd) : subject.sys.close(fd);
    },
    check: () => {
      fds.closed(script);
      return null;
    },
  };
}

function prepareShutdown({ subject, fds }: CallContext, { args }: CallEvent): Prepared {
  const [fd, how] = [fds.of(args[0]), numberOf(args[1])];
  return { invoke: () => subject.sys.shutdown(fd, how) };
}

/** An option's value as the socket layer takes it. */
function optionValue(value: Value | undefined): OptionValue {
  if (value?.kind === 'array') return bracketedOf(value);
  if (value?.kind === 'string') return value.value;
  if (value?.kind !== 'struct') return numberOf(value);
  const members = membersOf(value);
  if ('onoff' in members)
    return { l_onoff: members['onoff'] ?? 0, l_linger: members['linger'] ?? 0 } as Linger;
  return members as unknown as OptionValue;
}

function prepareSetsockopt({ subject, fds, house }: CallContext, { args }: CallEvent): Prepared {
  const [fd, level, name] = [fds.of(args[0]), numberOf(args[1]), numberOf(args[2])];
  if (!house && args[3]?.kind !== 'array' && args[3]?.kind !== 'string' && args[3]?.kind !== 'struct')
    throw new ScriptValueError('unsupported setsockopt value type');
  let value = optionValue(args[3]);
  const length = numberOf(args[4]);
  if (typeof value === 'string' && !house) value = value.padEnd(length, '\0').slice(0, length);
  return { invoke: () => subject.sys.setsockopt(fd, level, name, value) };
}

/** Bytes of an int, which most options are. */
const INT_LENGTH = 4;

function prepareGetsockopt({ subject, fds, house }: CallContext, { args }: CallEvent): Prepared {
  const [fd, level, name] = [fds.of(args[0]), numberOf(args[1]), numberOf(args[2])];
  const expected = args[3] as Value;
  const length = bracketedOf(args[4]);
  const value: Out<OptionValue> = out();
  return {
    invoke: () => subject.sys.getsockopt(fd, level, name, value),
    check: result => {
      if (result < 0 || (house && expected.kind === 'elided')) return null;
      if (house && expected.kind === 'array' && expected.items[0]?.kind === 'elided') return null;
      const wanted = optionValue(expected);
      const actual = value.value;
      const numeric = typeof actual === 'number' || typeof actual === 'boolean';
      if (!house && numeric && length !== INT_LENGTH)
        return `Bad getsockopt optlen: expected: ${length} actual: ${INT_LENGTH}`;
      // What is longer than an int comes back as unsigned or signed, whichever the option has.
      const same = numeric
        ? Number(actual) === wanted || (Number(actual) | 0) === (Number(wanted) | 0)
        : JSON.stringify(actual) === JSON.stringify(wanted);
      return same
        ? null
        : `Bad getsockopt optval: expected: ${JSON.stringify(wanted)} actual: ${JSON.stringify(actual)}`;
    },
  };
}

function prepareEpollCreate({ subject, fds }: CallContext, { args, result }: CallEvent): Prepared {
  numberOf(args[0]);
  return {
    opens: true,
    invoke: () => subject.sys.epoll_create1(0),
    check: live => {
      if (live < 0) return null;
      fds.mustBeNew(numberOf(result ?? undefined));
      fds.opened(numberOf(result ?? undefined), live);
      return null;
    },
  };
}

// --- files and pipes: the runner's own, since the stack has only sockets ---

function prepareOpen({ subject, fds }: CallContext, { args, result }: CallEvent): Prepared {
  const length = subject.files.lengthOf(textOf(args[0]));
  numberOf(args[1]);
  return {
    opens: true,
    invoke: () => (length === undefined ? -ENOENT : 0),
    check: () => {
      if (length !== undefined) fds.openedOther(numberOf(result ?? undefined), { kind: 'file', length });
      return null;
    },
  };
}

function prepareSendfile({ subject, fds }: CallContext, { args }: CallEvent): Prepared {
  const fd = fds.of(args[0]);
  const file = fds.other(args[1]);
  if (file?.kind !== 'file')
    throw new ScriptValueError(`unable to find file with script fd ${numberOf(args[1])}`);
  const length = Math.max(Math.min(numberOf(args[3]), file.length - bracketedOf(args[2])), 0);
  return { invoke: () => noted(fds, fd, subject.sys.wait.write(fd, fds.nextOut(fd, length))) };
}

function preparePipe({ fds }: CallContext, { args }: CallEvent): Prepared {
  const ends = itemsOf(args[0]).map(numberOf);
  if (ends.length !== 2) throw new ScriptValueError(`${ends.length} pipe file descriptors instead of 2`);
  return {
    invoke: () => 0,
    check: () => {
      const pipe = { bytes: 0 };
      for (const end of ends) fds.openedOther(end, { kind: 'pipe', pipe });
      return null;
    },
  };
}

/** Between a socket and a pipe, in either direction. */
function prepareSplice({ subject, fds }: CallContext, { args }: CallEvent): Prepared {
  const [from, to] = [fds.other(args[0]), fds.other(args[2])];
  const length = numberOf(args[4]);
  if (to?.kind === 'pipe') {
    const fd = fds.of(args[0]);
    const bytes = new Uint8Array(length);
    return {
      // A pipe takes no urgent byte, nor anything behind it.
      invoke: () => (isAtMark(subject.sys, fd) ? 0 : subject.sys.wait.read(fd, bytes)),
      check: result => {
        to.pipe.bytes += Math.max(result, 0);
        return readCheck(fds, fd, bytes, result, 0);
      },
    };
  }
  if (from?.kind !== 'pipe') throw new ScriptValueError('splice needs a pipe');
  const fd = fds.of(args[2]);
  const count = Math.min(length, from.pipe.bytes);
  from.pipe.bytes -= count;
  return { invoke: () => noted(fds, fd, subject.sys.wait.write(fd, fds.nextOut(fd, count))) };
}
