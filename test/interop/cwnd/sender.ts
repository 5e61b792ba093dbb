/**
 * One end of a stream, at a host of the kernel's or of ours: it takes bytes, and tells of itself what TCP_INFO says.
 * @module
 */
import { Socket } from 'node:net';
import { EINPROGRESS, errnoName } from '../../../src/base/errno.ts';
import { libc } from '../../../src/node/linux/libc.ts';
import { SO_LINGER, SOCK_STREAM, SOL_SOCKET, SOL_TCP, TCP_INFO } from '../../../src/socket/constants.ts';
import type { OptionValue } from '../../../src/socket/options.ts';
import { out } from '../../../src/socket/sockaddr.ts';
import type { Stack } from '../../../src/stack/stack.ts';
import type { TcpInfo } from '../../../src/tcp/info.ts';
import { AF_INET } from '../../../src/wire/address.ts';
import type { Place } from '../support/place.ts';
import { until } from '../support/until.ts';

/** What is looked at of TCP_INFO; windows in segments. */
export interface SenderInfo {
  readonly cwnd: number;
  readonly ssthresh: number;
  readonly bytesAcked: number;
}

/** A connected socket. */
export interface Sender {
  /** Writes bytes, PIECE_MAX at most; resolves when the socket has taken them, rejects when it does not. */
  write(length: number): Promise<void>;
  info(): SenderInfo;
  /** Ends the connection with a reset. */
  abort(): void;
}

/** Bytes of one write. */
export const PIECE_MAX = 65536;

const PIECE = new Uint8Array(PIECE_MAX);
/** As the kernel counts them; ours need not be the same. */
const LINUX = { SOCK_NONBLOCK: 0x800, SOCK_CLOEXEC: 0x80000, SOL_TCP: 6, TCP_INFO: 11, ESTABLISHED: 1 };
/** Offsets in struct tcp_info, and as much of it as is read. */
const STATE = 0;
const SND_SSTHRESH = 76;
const SND_CWND = 80;
const BYTES_ACKED = 120;
const TCP_INFO_LENGTH = 128;

/** Connects a socket of the kernel's. */
export async function connectKernel(place: Place, address: string, port: number): Promise<Sender> {
  const system = libc();
  const type = SOCK_STREAM | LINUX.SOCK_NONBLOCK | LINUX.SOCK_CLOEXEC;
  const fd = place.run(() => system.socket(AF_INET, type, 0));
  const result = system.connect(fd, sockaddrIn(address, port));
  if (result !== 0 && result !== -EINPROGRESS) throw new Error(`connect: ${errnoName(result)}`);
  const bytes = new Uint8Array(TCP_INFO_LENGTH);
  const view = new DataView(bytes.buffer);
  const read = (): void => {
    const got = system.getsockopt(fd, LINUX.SOL_TCP, LINUX.TCP_INFO, bytes);
    if (got < 0) throw new Error(`getsockopt TCP_INFO: ${errnoName(got)}`);
  };
  const connected = (): boolean => {
    read();
    return view.getUint8(STATE) === LINUX.ESTABLISHED;
  };
  await until(connected, () => `a connection to ${address}`);
  const socket = new Socket({ fd, readable: false, writable: true });
  socket.on('error', () => {});
  return {
    write: length =>
      new Promise((resolve, reject) => {
        socket.write(PIECE.subarray(0, length), error => (error ? reject(error) : resolve()));
      }),
    info() {
      read();
      return {
        cwnd: view.getUint32(SND_CWND, true),
        ssthresh: view.getUint32(SND_SSTHRESH, true),
        bytesAcked: Number(view.getBigUint64(BYTES_ACKED, true)),
      };
    },
    abort: () => socket.resetAndDestroy(),
  };
}

/** struct sockaddr_in */
function sockaddrIn(address: string, port: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_INET, true);
  view.setUint16(2, port);
  bytes.set(address.split('.').map(Number), 4);
  return bytes;
}

/** Connects a socket of ours. */
export async function connectOurs({ sys }: Stack, address: string, port: number): Promise<Sender> {
  const fd = sys.socket(AF_INET, SOCK_STREAM, 0);
  const result = await sys.wait.connect(fd, { address, port });
  if (result !== 0) throw new Error(`connect: ${errnoName(result)}`);
  const value = out<OptionValue>();
  return {
    async write(length) {
      const sent = await sys.wait.send(fd, PIECE.subarray(0, length));
      if (sent < 0) throw new Error(`send: ${errnoName(sent)}`);
    },
    info() {
      sys.getsockopt(fd, SOL_TCP, TCP_INFO, value);
      const { snd_cwnd, snd_ssthresh, bytes_acked } = value.value as TcpInfo;
      return { cwnd: snd_cwnd, ssthresh: snd_ssthresh, bytesAcked: bytes_acked };
    },
    abort() {
      sys.setsockopt(fd, SOL_SOCKET, SO_LINGER, { l_onoff: 1, l_linger: 0 });
      sys.close(fd);
    },
  };
}
