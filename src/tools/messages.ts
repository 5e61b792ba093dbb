/**
 * Reading the datagrams and the error queue of a socket, as ping and traceroute do.
 * @module
 */
import { EAGAIN, EBADF, EINTR } from '../base/errno.ts';
import { SocketError } from '../socket/api/errors.ts';
import type { Sys } from '../socket/calls.ts';
import {
  AF_INET,
  IP_RECVERR,
  IP_RECVTTL,
  IP_TTL,
  IPV6_HOPLIMIT,
  IPV6_RECVERR,
  IPV6_RECVHOPLIMIT,
  MSG_ERRQUEUE,
  POLLERR,
  POLLIN,
  POLLNVAL,
  SO_TIMESTAMP,
  SOL_IP,
  SOL_IPV6,
  SOL_SOCKET,
} from '../socket/constants.ts';
import type { SockExtendedErr } from '../socket/control.ts';
import type { MsgHdr } from '../socket/ops.ts';
import type { OptionValue, Timeval } from '../socket/options.ts';
import type { IpAddress } from '../wire/address.ts';

/** A datagram, or an entry of the error queue. */
export interface Message {
  /** How long it is; of an error: what came back of our datagram. At most as much as the buffer holds is there. */
  readonly length: number;
  /** Who sent it; of an error: whom our datagram was for. */
  readonly address: IpAddress;
  readonly port: number;
  /** When it came, in microseconds since the Unix epoch. */
  readonly atUs: number;
  readonly ttl: number;
  readonly error: SockExtendedErr | null;
}

/** A datagram socket whose messages come with their time and TTL, and whose errors are queued. */
export class Messages {
  readonly fd: number;
  /** What the message that was read last begins with. */
  readonly buffer: Uint8Array;
  private readonly sys: Sys;
  private readonly family: number;

  /** Opens the socket; messages of more than `size` bytes are cut off. Throws SocketError. */
  constructor(sys: Sys, type: number, protocol: number, family: number, size: number) {
    this.sys = sys;
    this.family = family;
    this.buffer = new Uint8Array(size);
    this.fd = sys.socket(family, type, protocol);
    if (this.fd < 0) throw new SocketError('socket', this.fd);
    this.setIp(IP_RECVERR, IPV6_RECVERR, 1);
    this.setIp(IP_RECVTTL, IPV6_RECVHOPLIMIT, 1);
    this.set(SOL_SOCKET, SO_TIMESTAMP, 1);
  }

  /** setsockopt(2). Throws SocketError for a value that cannot be. */
  set(level: number, option: number, value: OptionValue): void {
    const result = this.sys.setsockopt(this.fd, level, option, value);
    if (result < 0) throw new SocketError('setsockopt', result);
  }

  /** `set`, of the option that is one of the socket's family. */
  setIp(option4: number, option6: number, value: OptionValue): void {
    if (this.family === AF_INET) this.set(SOL_IP, option4, value);
    else this.set(SOL_IPV6, option6, value);
  }

  /** Waits until there is something to read or `untilUs`. Resolves to what is ready: POLL* bits. Throws the reason. */
  async ready(untilUs: number, signal: AbortSignal | undefined): Promise<number> {
    signal?.throwIfAborted();
    const fds = [{ fd: this.fd, events: POLLIN | POLLERR, revents: 0 }];
    const leftUs = untilUs - this.sys.context.host.refreshNow();
    const timeout = leftUs === Number.POSITIVE_INFINITY ? -1 : Math.max(0, Math.ceil(leftUs / 1000));
    const result = await this.sys.wait.poll(fds, timeout, { signal });
    if (result === -EINTR) throw signal?.reason;
    if (((fds[0]?.revents ?? 0) & POLLNVAL) !== 0) throw new SocketError('poll', -EBADF);
    return fds[0]?.revents ?? 0;
  }

  /** What is there of what `ready` announced, errors first. Each is in `buffer` until the next one is asked for. */
  *read(ready: number): IterableIterator<Message> {
    if ((ready & POLLERR) !== 0) yield* this.readAll(MSG_ERRQUEUE);
    // Also takes an error whose details found no room in the queue: it would be announced for ever.
    yield* this.readAll(0);
  }

  close(): void {
    this.sys.close(this.fd);
  }

  private *readAll(flags: number): IterableIterator<Message> {
    for (;;) {
      const msg: MsgHdr = { msg_iov: [this.buffer] };
      const length = this.sys.recvmsg(this.fd, msg, flags);
      if (length === -EAGAIN || length === -EBADF) return;
      // A pending error is told once.
      if (length >= 0) yield messageOf(msg, length);
    }
  }
}

function isIp(level: number, type: number, type4: number, type6: number): boolean {
  return (level === SOL_IP && type === type4) || (level === SOL_IPV6 && type === type6);
}

function messageOf(msg: MsgHdr, length: number): Message {
  let atUs = 0;
  let ttl = 0;
  let error: SockExtendedErr | null = null;
  for (const { cmsg_level, cmsg_type, cmsg_data } of msg.msg_control ?? []) {
    if (cmsg_level === SOL_SOCKET && cmsg_type === SO_TIMESTAMP) {
      const { tv_sec, tv_usec } = cmsg_data as Timeval;
      atUs = tv_sec * 1e6 + tv_usec;
    } else if (isIp(cmsg_level, cmsg_type, IP_TTL, IPV6_HOPLIMIT)) {
      ttl = cmsg_data as number;
    } else if (isIp(cmsg_level, cmsg_type, IP_RECVERR, IPV6_RECVERR)) {
      error = cmsg_data as SockExtendedErr;
    }
  }
  const { address, port } = msg.msg_name as { address: IpAddress; port: number };
  return { length, address, port, atUs, ttl, error };
}
