/**
 * The client: a plain socket program that makes the calls curl makes, and nothing else.
 * @module
 */
import { EINPROGRESS } from '../../base/errno.ts';
import { VERSION } from '../../base/version.ts';
import { hostPort } from '../../socket/api/errors.ts';
import type { Sys } from '../../socket/calls.ts';
import {
  F_GETFL,
  F_SETFL,
  IPPROTO_TCP,
  MSG_NOSIGNAL,
  O_NONBLOCK,
  POLLIN,
  POLLOUT,
  SO_ERROR,
  SO_KEEPALIVE,
  SOCK_STREAM,
  SOL_SOCKET,
  SOL_TCP,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_NODELAY,
} from '../../socket/constants.ts';
import type { OptionValue } from '../../socket/options.ts';
import { out, type Sockaddr } from '../../socket/sockaddr.ts';
import { check } from '../check.ts';
import { openSocketTo } from '../sockets.ts';

/** Seconds of silence before a keepalive probe, and between probes: curl's defaults. */
const KEEPALIVE_SECONDS = 60;
/** How long to wait for a connection, and for an answer, in milliseconds. */
const TIMEOUT_MS = 10_000;
const RECEIVE_BYTES = 102_400;

/** What to fetch. */
export interface Target {
  readonly address: string;
  readonly port: number;
  readonly path: string;
}

/**
 * Fetches from a server, calls `answered` when the answer is there, and closes the connection. Throws a Failure when
 * that goes wrong.
 */
export async function runCurl(sys: Sys, target: Target, answered: () => void): Promise<void> {
  const { address, port, path } = target;
  const fd = await connect(sys, address, port);
  const peer = out<Sockaddr>();
  const local = out<Sockaddr>();
  check('getpeername', sys.getpeername(fd, peer));
  check('getsockname', sys.getsockname(fd, local));
  const host = hostPort(address, port);
  const request = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: ethertype/${VERSION}\r\nAccept: */*\r\n\r\n`;
  check('sendto', sys.sendto(fd, new TextEncoder().encode(request), MSG_NOSIGNAL));
  await receiveAnswer(sys, fd);
  answered();
  check('close', sys.close(fd));
}

async function connect(sys: Sys, address: string, port: number): Promise<number> {
  const fd = openSocketTo(sys, address, SOCK_STREAM, IPPROTO_TCP);
  check('setsockopt', sys.setsockopt(fd, SOL_TCP, TCP_NODELAY, 1));
  check('setsockopt', sys.setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, 1));
  check('setsockopt', sys.setsockopt(fd, SOL_TCP, TCP_KEEPIDLE, KEEPALIVE_SECONDS));
  check('setsockopt', sys.setsockopt(fd, SOL_TCP, TCP_KEEPINTVL, KEEPALIVE_SECONDS));
  const flags = check('fcntl', sys.fcntl(fd, F_GETFL));
  check('fcntl', sys.fcntl(fd, F_SETFL, flags | O_NONBLOCK));
  const began = sys.connect(fd, { address, port });
  if (began !== -EINPROGRESS) check('connect', began);
  await waitFor(sys, fd, POLLOUT);
  const error = out<OptionValue>();
  check('getsockopt', sys.getsockopt(fd, SOL_SOCKET, SO_ERROR, error));
  check('connect', -Number(error.value));
  return fd;
}

async function waitFor(sys: Sys, fd: number, events: number): Promise<void> {
  const ready = await sys.wait.poll([{ fd, events }], TIMEOUT_MS);
  if (check('poll', ready) === 0) throw new Error(`poll: nothing happened for ${TIMEOUT_MS} ms`);
}

/** Reads until head and Content-Length are complete. */
async function receiveAnswer(sys: Sys, fd: number): Promise<void> {
  const buffer = new Uint8Array(RECEIVE_BYTES);
  let text = '';
  while (!isComplete(text)) {
    await waitFor(sys, fd, POLLIN);
    const got = check('recvfrom', sys.recvfrom(fd, buffer));
    if (got === 0) return;
    text += Buffer.from(buffer.subarray(0, got)).toString('latin1');
  }
}

function isComplete(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const length = /\r\nContent-Length: (\d+)/i.exec(text.slice(0, end));
  return text.length >= end + 4 + Number(length?.[1] ?? 0);
}
