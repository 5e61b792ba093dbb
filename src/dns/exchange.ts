/**
 * One question to one name server, and its answer (RFC 1035 section 4.2, RFC 7766, forged answers: RFC 5452).
 * @module
 */
import { EAGAIN, EINPROGRESS } from '../base/errno.ts';
import type { Host } from '../core/host.ts';
import { POLLIN, POLLOUT } from '../core/readiness.ts';
import type { Sys } from '../socket/calls.ts';
import {
  FIONREAD,
  SO_ERROR,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../socket/constants.ts';
import { ALWAYS, type File } from '../socket/file.ts';
import type { OptionValue } from '../socket/options.ts';
import { out, type Sockaddr } from '../socket/sockaddr.ts';
import { TIMED_OUT, waitFor } from '../socket/wait.ts';
import type { DnsErrorCode } from './errors.ts';
import {
  BLANK_MESSAGE,
  decodeMessage,
  type Edns,
  encodeMessage,
  type Message,
  type Question,
} from './message.ts';
import { restoreCase, sameName } from './names.ts';
import { mapNames, type ResourceRecord } from './records.ts';

/** What to ask, whom and how. */
export interface Ask {
  /** Its name is normal (`normalName`). */
  readonly question: Question;
  readonly server: Sockaddr;
  /** Whether to begin with TCP; else an answer that was cut off is asked for by TCP. */
  readonly tcp: boolean;
  /** RD: the server is to ask others; AD, CD: RFC 6840 sections 5.7 and 5.9. */
  readonly flags: Pick<Message, 'rd' | 'ad' | 'cd'>;
  readonly edns: Edns | null;
  /** Whether the letters of the name have a random case, which the answer must repeat. */
  readonly randomCase: boolean;
  /** Whether an answer that was cut off is good enough. */
  readonly keepTruncated: boolean;
  /** Microseconds for everything. */
  readonly timeoutUs: number;
  /** Microseconds until the question is sent again by UDP, then twice as many. */
  readonly repeatUs: number;
  /** `ResolverLimits.strays`. */
  readonly strays: number;
}

/** An answer. */
export interface Exchanged {
  readonly message: Message;
  /** Its bytes, without TCP's length. */
  readonly bytes: number;
  readonly tcp: boolean;
  /** From the first sending on, in microseconds. */
  readonly tookUs: number;
}

/**
 * Asks, and waits for the answer. What is not the answer to this very question is ignored: it must come from the server
 * to the port that asked (the socket is connected), with the id and the question, letter for letter. Never rejects.
 */
export async function exchange(sys: Sys, ask: Ask): Promise<Exchanged | DnsErrorCode> {
  const { host } = sys.context;
  const beganUs = host.refreshNow();
  const deadlineUs = beganUs + ask.timeoutUs;
  const query = makeQuery(host, ask);
  let found = ask.tcp ? 'tcp' : await overUdp(sys, ask, query, deadlineUs);
  const tcp = found === 'tcp';
  if (found === 'tcp') found = await overTcp(sys, ask, query, deadlineUs);
  if (typeof found === 'string') return found;
  const message = inOurLetters(found.message, query.message, ask.question);
  return { message, bytes: found.bytes, tcp, tookUs: host.refreshNow() - beganUs };
}

/** What was sent. */
interface Query {
  readonly message: Message;
  readonly bytes: Uint8Array;
}

/** What came, or why nothing did. */
type Found = { readonly message: Message; readonly bytes: number } | DnsErrorCode;

function makeQuery(host: Host, { question, flags, edns, randomCase }: Ask): Query {
  const name = randomCase ? withRandomCase(question.name, host) : question.name;
  const id = host.random32() & 0xffff;
  const message = { ...BLANK_MESSAGE, ...flags, id, questions: [{ ...question, name }], edns };
  return { message, bytes: encodeMessage(message) };
}

/** draft-vixie-dnsext-dns0x20: a bit more to guess for each letter. */
function withRandomCase(name: string, host: Host): string {
  const random = host.randomBytes(name.length);
  return name.replace(/[A-Za-z]/g, (letter, at: number) =>
    ((random[at] as number) & 1) === 0 ? letter.toLowerCase() : letter.toUpperCase(),
  );
}

/** An answer without the random case of its question, which it has wherever it points there. */
function inOurLetters(message: Message, query: Message, { name }: Question): Message {
  const sent = query.questions[0]?.name ?? name;
  if (sent === name) return message;
  const restored = (records: readonly ResourceRecord[]): ResourceRecord[] =>
    records.map(record => mapNames(record, each => restoreCase(each, sent, name)));
  return {
    ...message,
    questions: message.questions.map(question => ({ ...question, name })),
    answers: restored(message.answers),
    authorities: restored(message.authorities),
    additionals: restored(message.additionals),
  };
}

/** Whether a message is the answer to `query`; 'case' when nothing but the case of letters is wrong. */
function judge(message: Message, query: Message): 'answer' | 'case' | 'stray' {
  if (!message.response || message.id !== query.id || message.opcode !== query.opcode) return 'stray';
  const [asked] = query.questions as [Question];
  const [repeated, ...more] = message.questions;
  // Who does not understand a question need not repeat it.
  if (repeated === undefined)
    return message.rcode === 'FORMERR' || message.rcode === 'NOTIMP' ? 'answer' : 'stray';
  if (more.length > 0 || repeated.type !== asked.type || repeated.class !== asked.class) return 'stray';
  if (repeated.name === asked.name) return 'answer';
  return sameName(repeated.name, asked.name) ? 'case' : 'stray';
}

// --- UDP --------------------------------------------------------------------------------------------------------

async function overUdp(sys: Sys, ask: Ask, query: Query, deadlineUs: number): Promise<Found | 'tcp'> {
  const { server } = ask;
  // A socket of its own for each question, so that each has another port (RFC 5452 section 9.2).
  const fd = sys.socket(server.family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return 'ECANCELLED';
  try {
    if (sys.connect(fd, server) < 0) return 'ECONNREFUSED';
    return await askByDatagram(sys, fd, ask, query, deadlineUs);
  } finally {
    sys.close(fd);
  }
}

async function askByDatagram(
  sys: Sys,
  fd: number,
  ask: Ask,
  query: Query,
  deadlineUs: number,
): Promise<Found | 'tcp'> {
  const { host } = sys.context;
  const file = sys.ops.files.get(fd) as File;
  let waitUs = ask.repeatUs;
  for (let strays = 0; ; waitUs *= 2) {
    if (isLost(sys.send(fd, query.bytes))) return 'ECONNREFUSED';
    const untilUs = Math.min(host.nowUs + waitUs, deadlineUs);
    for (;;) {
      const woken = await ready(host, file, POLLIN, untilUs);
      if (woken < 0) return 'ECANCELLED';
      if (woken === TIMED_OUT) break;
      const result = receiveDatagram(sys, fd, ask, query);
      if (result !== null) return result;
      if (++strays > ask.strays) return 'tcp';
    }
    if (untilUs >= deadlineUs) return 'ETIMEOUT';
  }
}

/** The answer; null for a datagram that is not it. */
function receiveDatagram(sys: Sys, fd: number, ask: Ask, query: Query): Found | 'tcp' | null {
  const size = out<number>();
  sys.ops.ioctl(fd, FIONREAD, size);
  const bytes = new Uint8Array(size.value ?? 0);
  const result = sys.recv(fd, bytes);
  if (result < 0) return isLost(result) ? 'ECONNREFUSED' : null;
  const message = decodeMessage(bytes);
  const { id } = query.message;
  // What has the id and is no message was broken on the way, or made by somebody who guesses: TCP has neither.
  if (message === null) return bytes[0] === id >> 8 && bytes[1] === (id & 0xff) ? 'tcp' : null;
  const verdict = judge(message, query.message);
  if (verdict === 'case') return 'tcp';
  if (verdict === 'stray') return null;
  return message.tc && !ask.keepTruncated ? 'tcp' : { message, bytes: bytes.length };
}

/** Whether a call's result means that the server cannot be reached (an ICMP error, no route). */
function isLost(result: number): boolean {
  return result < 0 && result !== -EAGAIN;
}

/** Waits until one of the bits holds: the bits, TIMED_OUT, or less than 0 when the descriptor is closed. */
async function ready(host: Host, file: File, mask: number, deadlineUs: number): Promise<number> {
  // What was there before a wait began wakes nobody.
  const now = file.poll() & (mask | ALWAYS);
  return now !== 0 ? now : waitFor(host, file, mask, deadlineUs, undefined);
}

// --- TCP --------------------------------------------------------------------------------------------------------

/** Bytes of the length in front of each message. */
const LENGTH_BYTES = 2;

async function overTcp(sys: Sys, ask: Ask, query: Query, deadlineUs: number): Promise<Found> {
  const { server } = ask;
  const fd = sys.socket(server.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return 'ECANCELLED';
  try {
    const stream = new TcpStream(sys, fd, deadlineUs);
    const failure = await stream.connect(server);
    if (failure !== null) return failure;
    return await askByStream(stream, query);
  } finally {
    sys.close(fd);
  }
}

async function askByStream(stream: TcpStream, { message: asked, bytes }: Query): Promise<Found> {
  const framed = new Uint8Array(LENGTH_BYTES + bytes.length);
  framed.set([bytes.length >> 8, bytes.length & 0xff]);
  framed.set(bytes, LENGTH_BYTES);
  if (!stream.write(framed)) return 'ECONNREFUSED';
  const prefix = await stream.read(LENGTH_BYTES);
  if (typeof prefix === 'string') return prefix;
  const answer = await stream.read(((prefix[0] as number) << 8) | (prefix[1] as number));
  if (typeof answer === 'string') return answer;
  const message = decodeMessage(answer);
  // Nobody guesses here: the case of letters may differ.
  if (message === null || judge(message, asked) === 'stray') return 'EBADRESP';
  return { message, bytes: answer.length };
}

/** A connection whose every step has the same deadline. */
class TcpStream {
  private readonly sys: Sys;
  private readonly fd: number;
  private readonly file: File;
  private readonly deadlineUs: number;

  constructor(sys: Sys, fd: number, deadlineUs: number) {
    this.sys = sys;
    this.fd = fd;
    this.file = sys.ops.files.get(fd) as File;
    this.deadlineUs = deadlineUs;
  }

  /** Null when it stands. */
  async connect(server: Sockaddr): Promise<DnsErrorCode | null> {
    const result = this.sys.connect(this.fd, server);
    if (result === 0) return null;
    if (result !== -EINPROGRESS) return 'ECONNREFUSED';
    const waited = await this.until(POLLOUT);
    if (waited !== null) return waited;
    const error = out<OptionValue>();
    this.sys.ops.getsockopt(this.fd, SOL_SOCKET, SO_ERROR, error);
    return error.value === 0 ? null : 'ECONNREFUSED';
  }

  /** A question is small: the send buffer takes it at once. */
  write(bytes: Uint8Array): boolean {
    return this.sys.send(this.fd, bytes) === bytes.length;
  }

  /** Exactly so many bytes. */
  async read(length: number): Promise<Uint8Array | DnsErrorCode> {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const waited = await this.until(POLLIN);
      if (waited !== null) return waited;
      const result = this.sys.recv(this.fd, bytes.subarray(at));
      if (result === 0 || isLost(result)) return 'ECONNREFUSED';
      if (result > 0) at += result;
    }
    return bytes;
  }

  private async until(mask: number): Promise<DnsErrorCode | null> {
    const woken = await ready(this.sys.context.host, this.file, mask, this.deadlineUs);
    if (woken === TIMED_OUT) return 'ETIMEOUT';
    return woken < 0 ? 'ECANCELLED' : null;
  }
}
