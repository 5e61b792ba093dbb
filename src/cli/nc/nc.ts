/**
 * netcat: a connection on one side, two byte streams on the other.
 * @module
 */
import { strerror } from '../../base/errno.ts';
import type { NameResolver } from '../../core/name-resolver.ts';
import { hostPort } from '../../socket/api/errors.ts';
import { ConnectError } from '../../socket/api/happy-eyeballs.ts';
import type { Sys } from '../../socket/calls.ts';
import { MSG_PEEK, SHUT_WR, SOCK_DGRAM } from '../../socket/constants.ts';
import { out, type Sockaddr } from '../../socket/sockaddr.ts';
import { check } from '../check.ts';
import { dial, type Peer, whyNotConnected } from '../dial.ts';
import { Failure } from '../failure.ts';
import type { CommandHost } from '../host/with-host.ts';
import { say } from '../output.ts';
import { writeOut } from '../output-async.ts';
import { anyAddress, bindSocket, listenOn, openSocketTo, peerAddress } from '../sockets.ts';
import { IdleTimer } from './idle-timer.ts';

/** What to connect. */
export interface NcSettings {
  /** A name or an IP address; null to wait for a peer. */
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

/** What is needed of a command's host. */
export type NcHost = Pick<CommandHost, 'stack' | 'hosts' | 'lookup'>;

/** Connects, or waits for a peer, and moves bytes both ways until both are closed. Throws a Failure. */
export async function runNc(host: NcHost, settings: NcSettings, user: UserStreams): Promise<void> {
  const sys = host.stack.sys.as('nc');
  const idle = new IdleTimer(settings.waitSeconds);
  try {
    const udp = settings.udp && settings.peer !== null ? await host.lookup(settings.peer) : null;
    if (settings.udp) await runUdp(sys, { ...settings, peer: udp }, user, idle);
    else await runTcp(sys, host.hosts, settings, user, idle);
  } finally {
    idle.stop();
  }
}

async function runTcp(
  sys: Sys,
  hosts: NameResolver,
  settings: NcSettings,
  user: UserStreams,
  idle: IdleTimer,
): Promise<void> {
  const { peer } = settings;
  const fd =
    peer === null
      ? await acceptOne(sys, settings, user)
      : await connectTo(sys, { hosts, hostname: peer, port: settings.port }, settings, idle);
  idle.touch();
  await both(sendAll(sys, fd, user, idle), receiveAll(sys, fd, user, idle), idle);
  check('close', sys.close(fd));
}

/** Until both directions have ended, one of them broke, or nothing happened for too long. */
async function both(sending: Promise<void>, receiving: Promise<void>, idle: IdleTimer): Promise<void> {
  await Promise.race([Promise.all([sending, receiving]), idle.over]);
}

async function connectTo(
  sys: Sys,
  peer: Peer,
  { verbose }: NcSettings,
  { signal }: IdleTimer,
): Promise<number> {
  const { hostname, port } = peer;
  try {
    const { fd, remote } = await dial(sys, peer, { signal });
    const address = sys.context.tcp.ip.textOf(remote.address);
    const whole = address === hostname ? address : `${hostname} (${address})`;
    if (verbose) say(`Connection to ${whole} ${port} port [tcp] succeeded!`);
    return fd;
  } catch (error) {
    const where = hostPort(hostname, port);
    if (signal.aborted) throw new Failure(`cannot connect to ${where}: no answer in time`);
    if (!(error instanceof ConnectError)) throw error;
    throw new Failure(`cannot connect to ${where}: ${whyNotConnected(error)}`);
  }
}

/** A UDP socket that sends to the peer and hears no other. */
async function connectUdp(sys: Sys, { peer, port, verbose }: NcSettings): Promise<number> {
  const address = peer ?? '';
  const fd = openSocketTo(sys, address, SOCK_DGRAM);
  const result = await sys.wait.connect(fd, { address, port });
  if (result < 0) throw new Failure(`cannot connect to ${hostPort(address, port)}: ${strerror(result)}`);
  if (verbose) say(`Connection to ${address} ${port} port [udp] succeeded!`);
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
  const fd = listens ? await firstPeer(sys, settings, user) : await connectUdp(sys, settings);
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
