/**
 * netcat: a connection on one side, two byte streams on the other.
 * @module
 */
import { EINTR, strerror } from '../../base/errno.ts';
import { hostPort } from '../../socket/api/errors.ts';
import type { Sys } from '../../socket/calls.ts';
import { MSG_PEEK, SHUT_WR, SOCK_DGRAM, SOCK_STREAM } from '../../socket/constants.ts';
import { out, type Sockaddr } from '../../socket/sockaddr.ts';
import { check } from '../check.ts';
import { Failure } from '../failure.ts';
import { say } from '../output.ts';
import { writeOut } from '../output-async.ts';
import { anyAddress, bindSocket, listenOn, openSocketTo, peerAddress } from '../sockets.ts';
import { IdleTimer } from './idle-timer.ts';

/** What to connect. */
export interface NcSettings {
  /** An IP address; null to wait for a peer. */
  readonly peer: string | null;
  readonly port: number;
  readonly udp: boolean;
  readonly verbose: boolean;
  /** Seconds without a byte after which it ends; null: never. */
  readonly waitSeconds: number | null;
}

/** The side of the user. */
export interface UserStreams {
  readonly input: AsyncIterable<Uint8Array>;
  write(bytes: Uint8Array): Promise<void>;
  /** It listens: somebody may connect from now on. */
  listening(): void;
  /** Ends a read that is under way. */
  close(): void;
}

const RECEIVE_BYTES = 65536;
/** Bytes of standard input in one datagram: nc's. */
const DATAGRAM_BYTES = 16384;
/** How long answers are waited for over UDP when there is nothing more to send, unless -w says so. Seconds. */
const UDP_WAIT = 1;

/** Standard input and output of this process. */
export function standardInputOutput(listening: () => void): UserStreams {
  const { stdin } = process;
  return {
    input: stdin,
    write: bytes => writeOut(1, bytes),
    listening,
    close: () => stdin.destroy(),
  };
}

/** Connects, or waits for a peer, and moves bytes both ways until both are closed. Throws a Failure. */
export async function runNc(sys: Sys, settings: NcSettings, user: UserStreams): Promise<void> {
  const idle = new IdleTimer(settings.waitSeconds);
  try {
    if (settings.udp) await runUdp(sys, settings, user, idle);
    else await runTcp(sys, settings, user, idle);
  } finally {
    idle.stop();
  }
}

async function runTcp(sys: Sys, settings: NcSettings, user: UserStreams, idle: IdleTimer): Promise<void> {
  const fd =
    settings.peer === null ? await acceptOne(sys, settings, user) : await connect(sys, settings, idle);
  idle.touch();
  await both(sendAll(sys, fd, user, idle), receiveAll(sys, fd, user, idle), idle);
  check('close', sys.close(fd));
}

/** Until both directions have ended, one of them broke, or nothing happened for too long. */
async function both(sending: Promise<void>, receiving: Promise<void>, idle: IdleTimer): Promise<void> {
  await Promise.race([Promise.all([sending, receiving]), idle.over]);
}

async function connect(sys: Sys, settings: NcSettings, idle: IdleTimer): Promise<number> {
  const { port, verbose } = settings;
  const address = settings.peer ?? '';
  const type = settings.udp ? SOCK_DGRAM : SOCK_STREAM;
  const fd = openSocketTo(sys, address, type);
  const result = await sys.wait.connect(fd, { address, port }, { signal: idle.signal });
  if (result === -EINTR) throw new Failure(`cannot connect to ${hostPort(address, port)}: no answer in time`);
  if (result < 0) throw new Failure(`cannot connect to ${hostPort(address, port)}: ${strerror(result)}`);
  if (verbose) say(`Connection to ${address} ${port} port [${settings.udp ? 'udp' : 'tcp'}] succeeded!`);
  return fd;
}

async function acceptOne(sys: Sys, { port, verbose }: NcSettings, user: UserStreams): Promise<number> {
  const listener = listenOn(sys, port, 1);
  user.listening();
  if (verbose) say(`Listening on ${anyAddress(sys)} ${port}`);
  const peer = out<Sockaddr>();
  const fd = check('accept', await sys.wait.accept(listener, peer));
  check('close', sys.close(listener));
  if (verbose) sayReceived(sys, peer.value);
  return fd;
}

/** Sends what the user says; its end is the end of our direction. */
async function sendAll(sys: Sys, fd: number, user: UserStreams, idle: IdleTimer): Promise<void> {
  for await (const bytes of user.input) {
    idle.touch();
    for (let at = 0; at < bytes.length; )
      at += check('send', await sys.wait.send(fd, at === 0 ? bytes : bytes.subarray(at)));
  }
  check('shutdown', sys.shutdown(fd, SHUT_WR));
}

/** Writes what the peer says, to its end. */
async function receiveAll(sys: Sys, fd: number, user: UserStreams, idle: IdleTimer): Promise<void> {
  const buffer = new Uint8Array(RECEIVE_BYTES);
  for (;;) {
    const got = check('recv', await sys.wait.recv(fd, buffer));
    if (got === 0) return;
    idle.touch();
    await user.write(buffer.subarray(0, got));
  }
}

async function runUdp(sys: Sys, settings: NcSettings, user: UserStreams, idle: IdleTimer): Promise<void> {
  const listens = settings.peer === null;
  const fd = listens ? await firstPeer(sys, settings, user) : await connect(sys, settings, idle);
  idle.touch();
  const sending = sendDatagrams(sys, fd, user, idle).then(() => {
    if (!listens && settings.waitSeconds === null) idle.limit(UDP_WAIT);
  });
  // UDP has no end: only silence, or what went wrong.
  await both(sending, receiveDatagrams(sys, fd, user, idle), idle);
  check('close', sys.close(fd));
}

/** Waits for a datagram, without taking it, and connects the socket to whoever sent it. */
async function firstPeer(sys: Sys, { port, verbose }: NcSettings, user: UserStreams): Promise<number> {
  const fd = bindSocket(sys, SOCK_DGRAM, port);
  user.listening();
  if (verbose) say(`Bound on ${anyAddress(sys)} ${port}`);
  const from = out<Sockaddr>();
  check('recvfrom', await sys.wait.recvfrom(fd, new Uint8Array(1), MSG_PEEK, from));
  if (from.value === null) throw new Failure('recvfrom: no address');
  check('connect', sys.connect(fd, { address: from.value.address, port: from.value.port }));
  if (verbose) sayReceived(sys, from.value);
  return fd;
}

function sayReceived(sys: Sys, peer: Sockaddr | null): void {
  if (peer !== null) say(`Connection received on ${peerAddress(sys, peer)} ${peer.port}`);
}

async function sendDatagrams(sys: Sys, fd: number, user: UserStreams, idle: IdleTimer): Promise<void> {
  for await (const bytes of user.input) {
    idle.touch();
    for (let at = 0; at < bytes.length; at += DATAGRAM_BYTES)
      check('send', await sys.wait.send(fd, bytes.subarray(at, at + DATAGRAM_BYTES)));
  }
}

/** Writes what the peer sends, for ever. */
async function receiveDatagrams(sys: Sys, fd: number, user: UserStreams, idle: IdleTimer): Promise<void> {
  const buffer = new Uint8Array(RECEIVE_BYTES);
  for (;;) {
    const got = check('recv', await sys.wait.recv(fd, buffer));
    idle.touch();
    await user.write(buffer.subarray(0, got));
  }
}
