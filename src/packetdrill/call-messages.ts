import type { ControlMessage } from '../socket/control.ts';
import type { EpollEvent } from '../socket/epoll.ts';
import type { MsgHdr } from '../socket/ops.ts';
import type { PollFd } from '../socket/poll.ts';
import { type CallContext, iovecLengths, noted, type Prepared, readCheck } from './call-support.ts';
import { type CallEvent, UnsupportedError, type Value } from './syntax.ts';
import { fieldsOf, itemsOf, membersOf, numberOf, ScriptValueError } from './values.ts';

/** A struct msghdr of a script. */
interface Message {
  readonly lengths: readonly number[];
  readonly flags: number;
  readonly control: readonly Value[];
}

function messageOf(value: Value | undefined): Message {
  const fields = fieldsOf(value, 'msghdr');
  const vectors = fields.get('msg_iov');
  const control = fields.get('msg_control');
  return {
    lengths: iovecLengths(vectors, vectors?.kind === 'array' ? vectors.items.length : 0),
    flags: numberOf(fields.get('msg_flags')),
    control: control === undefined ? [] : itemsOf(control),
  };
}

/** sendmsg(2); the address is that of the peer, in every case. */
export function prepareSendmsg(context: CallContext, { args }: CallEvent, waits: boolean): Prepared {
  const { subject, flows, fds } = context;
  const fd = fds.of(args[0]);
  const { lengths, flags: ignored } = messageOf(args[1]);
  const flags = numberOf(args[2]);
  if (ignored !== 0) throw new ScriptValueError('sendmsg ignores msg_flags field in msghdr');
  const bytes = fds.nextOut(
    fd,
    lengths.reduce((sum, length) => sum + length, 0),
  );
  let at = 0;
  const msg: MsgHdr = {
    msg_name: { address: subject.ends.peers, port: flows.connectPort },
    msg_iov: lengths.map(length => bytes.subarray(at, (at += length))),
  };
  return {
    invoke: () => {
      flows.connecting(numberOf(args[0]));
      const { sys } = subject;
      return noted(fds, fd, waits ? sys.wait.sendmsg(fd, msg, flags) : sys.sendmsg(fd, msg, flags));
    },
  };
}

/** recvmsg(2): the flags and the control messages must be those of the script. */
export function prepareRecvmsg(context: CallContext, { args }: CallEvent, waits: boolean): Prepared {
  const { subject, fds } = context;
  const fd = fds.of(args[0]);
  const expected = messageOf(args[1]);
  const flags = numberOf(args[2]);
  const parts = expected.lengths.map(length => new Uint8Array(length));
  const msg: MsgHdr = { msg_iov: parts };
  return {
    invoke: () => {
      const { sys } = subject;
      return waits ? sys.wait.recvmsg(fd, msg, flags) : sys.recvmsg(fd, msg, flags);
    },
    check: result => {
      // Where the call fails nothing is written; the script's struct is then what it was.
      if (result < 0) return null;
      if ((msg.msg_flags ?? 0) !== expected.flags)
        return `Expected msg_flags ${hex(expected.flags)} but got ${hex(msg.msg_flags ?? 0)}`;
      const whole = Uint8Array.from(parts.flatMap(part => [...part]));
      return (
        readCheck(fds, fd, whole, result, flags) ??
        controlProblem(context, expected.control, msg.msg_control ?? [])
      );
    },
  };
}

function controlProblem(
  context: CallContext,
  expected: readonly Value[],
  actual: readonly ControlMessage[],
): string | null {
  for (const [index, value] of expected.entries()) {
    const message = actual[index];
    if (message === undefined) return `received only ${index} cmsgs`;
    const fields = fieldsOf(value, 'cmsg');
    const [level, type] = [numberOf(fields.get('cmsg_level')), numberOf(fields.get('cmsg_type'))];
    if (message.cmsg_level !== level)
      return `Bad level in cmsg ${index}: expected=${level} actual=${message.cmsg_level}`;
    if (message.cmsg_type !== type)
      return `Bad type in cmsg ${index}: expected=${type} actual=${message.cmsg_type}`;
    const problem = dataProblem(context, fields.get('cmsg_data'), message);
    if (problem !== null) return `Bad data in cmsg ${index}: ${problem}`;
  }
  return actual.length > expected.length ? `received more than ${expected.length} cmsgs` : null;
}

/** An int, or a struct whose members must be those that the script names. */
function dataProblem(
  context: CallContext,
  expected: Value | undefined,
  actual: ControlMessage,
): string | null {
  const data = actual.cmsg_data;
  if (expected?.kind !== 'struct') {
    const wanted = numberOf(expected);
    return data === wanted ? null : `expected=${wanted} actual=${JSON.stringify(data)}`;
  }
  if ([...expected.fields.keys()].some(name => name.startsWith('TCP_NLA_')))
    throw new UnsupportedError('SCM_TIMESTAMPING_OPT_STATS');
  const members = membersOf(expected);
  if ('scm_sec' in members) return timeProblem(context, members, data);
  for (const [name, wanted] of Object.entries(members)) {
    const value = (data as unknown as Record<string, unknown>)[name];
    if (value !== wanted) return `${name} expected=${wanted} actual=${JSON.stringify(value)}`;
  }
  return null;
}

/** A time of 0 is not looked at; any other counts from the begin of the script. */
function timeProblem(
  { subject, toleranceUs }: CallContext,
  { scm_sec = 0, scm_nsec = 0 }: Record<string, number>,
  data: ControlMessage['cmsg_data'],
): string | null {
  if (scm_sec === 0 && scm_nsec === 0) return null;
  const { tv_sec, tv_nsec } = data as unknown as { tv_sec?: number; tv_nsec?: number };
  if (tv_sec === undefined || tv_nsec === undefined) return `no time: ${JSON.stringify(data)}`;
  const wantedUs = scm_sec * 1e6 + Math.trunc(scm_nsec / 1e3);
  const actualUs = tv_sec * 1e6 + Math.trunc(tv_nsec / 1e3) - subject.epochUs;
  if (Math.abs(wantedUs - actualUs) <= toleranceUs) return null;
  return `expected=${wantedUs} us actual=${actualUs} us`;
}

/** poll(2). */
export function preparePoll({ subject, fds }: CallContext, { args }: CallEvent, waits: boolean): Prepared {
  const wanted = itemsOf(args[0]).map(item => {
    const fields = fieldsOf(item, 'pollfd');
    const revents = fields.get('revents');
    return {
      fd: fds.of(fields.get('fd')),
      events: numberOf(fields.get('events')),
      revents: revents === undefined ? 0 : numberOf(revents),
    };
  });
  const [count, timeout] = [numberOf(args[1]), numberOf(args[2])];
  if (count !== wanted.length)
    throw new ScriptValueError(`nfds ${count} does not match ${wanted.length}-element pollfd array`);
  const list: PollFd[] = wanted.map(({ fd, events }) => ({ fd, events }));
  return {
    invoke: () => (waits ? subject.sys.wait.poll(list, timeout) : subject.sys.poll(list)),
    check: () => {
      for (const [index, { revents }] of wanted.entries()) {
        const actual = list[index]?.revents ?? 0;
        if (revents !== actual)
          return `Expected revents of ${hex(revents)} but got ${hex(actual)} for pollfd ${index}`;
      }
      return null;
    },
  };
}

/** What a script puts into a struct epoll_event: its own descriptor, or a number. */
function epollEvent(value: Value | undefined): EpollEvent {
  const fields = fieldsOf(value, 'epollev');
  const data = fields.get('fd') ?? fields.get('ptr') ?? fields.get('u32') ?? fields.get('u64');
  if (data === undefined) throw new ScriptValueError('epoll_event specified incorrectly');
  return { events: numberOf(fields.get('events')) >>> 0, data: numberOf(data) };
}

/** epoll_ctl(2). */
export function prepareEpollCtl({ subject, fds }: CallContext, { args }: CallEvent): Prepared {
  const [epfd, op, fd] = [fds.of(args[0]), numberOf(args[1]), fds.of(args[2])];
  const event = epollEvent(args[3]);
  return { invoke: () => subject.sys.epoll_ctl(epfd, op, fd, event) };
}

/** epoll_wait(2): only the first event is looked at. */
export function prepareEpollWait(
  { subject, fds }: CallContext,
  { args }: CallEvent,
  waits: boolean,
): Prepared {
  const epfd = fds.of(args[0]);
  const expected = epollEvent(args[1]);
  const [most, timeout] = [numberOf(args[2]), numberOf(args[3])];
  const events: EpollEvent[] = [];
  return {
    invoke: () => {
      const { sys } = subject;
      return waits ? sys.wait.epoll_wait(epfd, events, most, timeout) : sys.epoll_wait(epfd, events, most);
    },
    check: () => {
      const actual = events[0] ?? { events: 0, data: 0 };
      if (actual.events >>> 0 !== expected.events)
        return `epoll_event->events does not match script: expected: ${hex(expected.events)} actual: ${hex(actual.events)}`;
      return actual.data === expected.data
        ? null
        : `epoll_event->data does not match script: expected: ${expected.data} actual: ${actual.data}`;
    },
  };
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}
