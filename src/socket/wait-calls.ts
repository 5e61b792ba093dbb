import { EAGAIN, EALREADY, EBADF, EFAULT, EINPROGRESS, EINTR } from '../base/errno.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP } from '../core/readiness.ts';
import type { Sys } from './calls.ts';
import { MSG_DONTWAIT, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, SOCK_STREAM } from './constants.ts';
import type { EpollEvent } from './epoll.ts';
import type { File } from './file.ts';
import { gather, type MsgHdr, room, scatter } from './ops.ts';
import { type PollFd, waitMask } from './poll.ts';
import { type Out, out, type Sockaddr, type SockaddrInput } from './sockaddr.ts';
import type { Socket } from './socket.ts';
import { TcpSocket } from './tcp-socket.ts';
import * as A from './trace-args.ts';
import { TIMED_OUT, type WaitOptions, waitFor, waitForAny } from './wait.ts';

/** More cannot come, or cannot be sent. */
const FINISHED = POLLERR | POLLHUP;
const NO_OPTIONS: WaitOptions = {};

/**
 * The calls that wait, as promises of what they return. They wait unless O_NONBLOCK or MSG_DONTWAIT is set, for as long
 * as SO_RCVTIMEO or SO_SNDTIMEO says (then -EAGAIN; -EINPROGRESS for connect), until `signal` aborts (-EINTR) or the
 * descriptor is closed (-EBADF). A count of bytes already moved comes before any of these.
 */
export class SysWait {
  private readonly sys: Sys;

  constructor(sys: Sys) {
    this.sys = sys;
  }

  private begin(): number {
    return this.sys.context.host.refreshNow();
  }

  /** accept(2). */
  async accept(sockfd: number, addr: Out<Sockaddr> | null = null, options = NO_OPTIONS): Promise<number> {
    const beganUs = this.begin();
    const result = await this.acceptOne(sockfd, addr, 0, options);
    const { sys } = this;
    return sys.traced ? sys.emit('accept', A.filledArgs(sockfd, addr?.value), result, beganUs) : result;
  }

  /** accept4(2). */
  async accept4(
    sockfd: number,
    addr: Out<Sockaddr> | null,
    flags: number,
    options = NO_OPTIONS,
  ): Promise<number> {
    const beganUs = this.begin();
    const result = await this.acceptOne(sockfd, addr, flags, options);
    const { sys } = this;
    if (!sys.traced) return result;
    return sys.emit('accept4', A.filledArgs(sockfd, addr?.value, flags), result, beganUs);
  }

  private async acceptOne(
    fd: number,
    addr: Out<Sockaddr> | null,
    flags: number,
    { signal }: WaitOptions,
  ): Promise<number> {
    const { ops } = this.sys;
    const socket = ops.socketOf(fd);
    if (typeof socket === 'number') return socket;
    const deadlineUs = this.deadline(socket.options.rcvTimeoutUs);
    for (;;) {
      const result = ops.accept(fd, addr, flags);
      if (result !== -EAGAIN || socket.nonblocking) return result;
      const woken = await this.wait(socket, POLLIN, deadlineUs, signal);
      if (woken <= 0) return woken === TIMED_OUT ? -EAGAIN : woken;
    }
  }

  /** connect(2): 0 when the connection stands, or why it does not. */
  async connect(sockfd: number, addr: SockaddrInput, options = NO_OPTIONS): Promise<number> {
    const beganUs = this.begin();
    const result = await this.connectOne(sockfd, addr, options);
    const { sys } = this;
    return sys.traced ? sys.emit('connect', A.addressArgs(sockfd, addr), result, beganUs) : result;
  }

  private async connectOne(fd: number, addr: SockaddrInput, { signal }: WaitOptions): Promise<number> {
    const { ops } = this.sys;
    const socket = ops.socketOf(fd);
    if (typeof socket === 'number') return socket;
    const deadlineUs = this.deadline(socket.options.sndTimeoutUs);
    for (;;) {
      const result = ops.connect(fd, addr);
      if ((result !== -EINPROGRESS && result !== -EALREADY) || socket.nonblocking) return result;
      const woken = await this.wait(socket, POLLOUT, deadlineUs, signal);
      if (woken <= 0) return woken === TIMED_OUT ? -EINPROGRESS : woken;
    }
  }

  /** send(2): all bytes, unless something comes between. */
  async send(sockfd: number, buf: Uint8Array, flags = 0, options = NO_OPTIONS): Promise<number> {
    const beganUs = this.begin();
    const result = await this.sendAll(sockfd, buf, flags, null, options);
    const { sys } = this;
    return sys.traced ? sys.emit('send', A.sendArgs(sockfd, buf, flags), result, beganUs) : result;
  }

  /** sendto(2). */
  async sendto(
    sockfd: number,
    buf: Uint8Array,
    flags = 0,
    dest: SockaddrInput | null = null,
    options = NO_OPTIONS,
  ): Promise<number> {
    const beganUs = this.begin();
    const result = await this.sendAll(sockfd, buf, flags, dest, options);
    const { sys } = this;
    if (!sys.traced) return result;
    return sys.emit('sendto', A.sendtoArgs(sockfd, buf, flags, dest), result, beganUs);
  }

  /** sendmsg(2). */
  async sendmsg(sockfd: number, msg: MsgHdr, flags = 0, options = NO_OPTIONS): Promise<number> {
    const beganUs = this.begin();
    const bytes = gather(msg);
    const result =
      typeof bytes === 'number'
        ? bytes
        : await this.sendAll(sockfd, bytes, flags, msg.msg_name ?? null, options);
    const { sys } = this;
    return sys.traced
      ? sys.emit('sendmsg', A.msgArgs(sockfd, msg, flags, Infinity), result, beganUs)
      : result;
  }

  /** write(2). */
  async write(fd: number, buf: Uint8Array, options = NO_OPTIONS): Promise<number> {
    const beganUs = this.begin();
    const { sys } = this;
    const result = sys.ops.notReadable(fd) || (await this.sendAll(fd, buf, 0, null, options));
    return sys.traced ? sys.emit('write', A.writeArgs(fd, buf), result, beganUs) : result;
  }

  private async sendAll(
    fd: number,
    buf: Uint8Array,
    flags: number,
    dest: SockaddrInput | null,
    { signal }: WaitOptions,
  ): Promise<number> {
    const target = this.sys.ops.sendTarget(fd, buf, dest);
    if (typeof target === 'number') return target;
    const { socket } = target;
    const deadlineUs = this.deadline(socket.options.sndTimeoutUs);
    const mayWait = !socket.nonblocking && (flags & MSG_DONTWAIT) === 0;
    let { to } = target;
    for (let sent = 0; ; ) {
      // What went wrong after some bytes were taken is for the next call to say.
      if (sent > 0 && (socket.poll() & FINISHED) !== 0) return sent;
      const result = socket.send(buf, sent, buf.length, flags, to);
      to = null;
      if (result >= 0) sent += result;
      if (result < 0 && result !== -EAGAIN) return sent > 0 ? sent : result;
      if (sent === buf.length) return sent;
      if (!mayWait) return sent > 0 ? sent : -EAGAIN;
      if (result > 0) continue;
      const woken = await this.wait(socket, POLLOUT, deadlineUs, signal);
      if (woken <= 0) return sent > 0 ? sent : woken === TIMED_OUT ? -EAGAIN : woken;
    }
  }

  /** recv(2): at least one byte (MSG_WAITALL: all), or 0 at the end of a stream. */
  async recv(sockfd: number, buf: Uint8Array, flags = 0, options = NO_OPTIONS): Promise<number> {
    const beganUs = this.begin();
    const result = await this.receive(sockfd, buf, flags, null, options);
    const { sys } = this;
    return sys.traced ? sys.emit('recv', A.recvArgs(sockfd, buf, flags, result), result, beganUs) : result;
  }

  /** recvfrom(2). */
  async recvfrom(
    sockfd: number,
    buf: Uint8Array,
    flags = 0,
    src: Out<Sockaddr> | null = null,
    options = NO_OPTIONS,
  ): Promise<number> {
    const beganUs = this.begin();
    const result = await this.receive(sockfd, buf, flags, src, options);
    const { sys } = this;
    if (!sys.traced) return result;
    return sys.emit('recvfrom', A.recvfromArgs(sockfd, buf, flags, src?.value, result), result, beganUs);
  }

  /** recvmsg(2). */
  async recvmsg(sockfd: number, msg: MsgHdr, flags = 0, options = NO_OPTIONS): Promise<number> {
    const beganUs = this.begin();
    const bytes = room(msg);
    const from = out<Sockaddr>();
    let result =
      typeof bytes === 'number' ? bytes : await this.receive(sockfd, bytes, flags | MSG_TRUNC, from, options);
    if (result >= 0 && typeof bytes !== 'number') result = scatter(msg, bytes, result, flags, from.value);
    const { sys } = this;
    return sys.traced ? sys.emit('recvmsg', A.msgArgs(sockfd, msg, flags, result), result, beganUs) : result;
  }

  /** read(2). */
  async read(fd: number, buf: Uint8Array, options = NO_OPTIONS): Promise<number> {
    const beganUs = this.begin();
    const { sys } = this;
    const result = sys.ops.notReadable(fd) || (await this.receive(fd, buf, 0, null, options));
    return sys.traced ? sys.emit('read', A.readArgs(fd, buf, result), result, beganUs) : result;
  }

  private async receive(
    fd: number,
    buf: Uint8Array,
    flags: number,
    from: Out<Sockaddr> | null,
    { signal }: WaitOptions,
  ): Promise<number> {
    const socket = this.sys.ops.socketOf(fd);
    if (typeof socket === 'number') return socket;
    if (!(buf instanceof Uint8Array)) return -EFAULT;
    const deadlineUs = this.deadline(socket.options.rcvTimeoutUs);
    const mayWait = !socket.nonblocking && (flags & MSG_DONTWAIT) === 0;
    const wantAll = (flags & (MSG_WAITALL | MSG_PEEK)) === MSG_WAITALL && socket.type === SOCK_STREAM;
    for (let got = 0; ; ) {
      if (got > 0 && finishedReading(socket)) return got;
      const result = socket.receive(buf, got, buf.length, flags, from);
      if (result > 0) got += result;
      if (result >= 0 && (!wantAll || result === 0 || got === buf.length)) return got;
      if (result < 0 && result !== -EAGAIN) return got > 0 ? got : result;
      if (!mayWait) return got > 0 ? got : -EAGAIN;
      // The end may have come with the bytes: look again before waiting for more.
      if (result > 0) continue;
      const woken = await this.wait(socket, POLLIN | POLLRDHUP, deadlineUs, signal);
      if (woken <= 0) return got > 0 ? got : woken === TIMED_OUT ? -EAGAIN : woken;
    }
  }

  /** poll(2): `timeout` in milliseconds; -1 waits for ever. */
  async poll(fds: readonly PollFd[], timeout: number, options = NO_OPTIONS): Promise<number> {
    const beganUs = this.begin();
    const result = await this.pollAll(fds, timeout, options);
    const { sys } = this;
    return sys.traced ? sys.emit('poll', A.pollArgs(fds, timeout), result, beganUs) : result;
  }

  private async pollAll(fds: readonly PollFd[], timeout: number, { signal }: WaitOptions): Promise<number> {
    const { ops, context } = this.sys;
    const deadlineUs = this.timeoutAt(timeout);
    for (;;) {
      const result = ops.poll(fds);
      if (result !== 0 || timeout === 0) return result;
      const targets = fds.flatMap(({ fd, events }) => {
        const file = ops.files.get(fd);
        return file === undefined ? [] : [{ file, mask: waitMask(events) }];
      });
      const woken = await waitForAny(context.host, targets, deadlineUs, signal);
      this.begin();
      if (woken === TIMED_OUT) return ops.poll(fds);
      if (woken === -EINTR) return woken;
    }
  }

  /** epoll_wait(2): `timeout` in milliseconds; -1 waits for ever. */
  async epoll_wait(
    epfd: number,
    events: EpollEvent[],
    maxevents: number,
    timeout: number,
    options = NO_OPTIONS,
  ): Promise<number> {
    const beganUs = this.begin();
    const result = await this.epollAny(epfd, events, maxevents, timeout, options);
    const { sys } = this;
    if (!sys.traced) return result;
    return sys.emit('epoll_wait', A.epollWaitArgs(epfd, events, maxevents, timeout), result, beganUs);
  }

  private async epollAny(
    epfd: number,
    events: EpollEvent[],
    maxevents: number,
    timeout: number,
    { signal }: WaitOptions,
  ): Promise<number> {
    const { ops } = this.sys;
    const epoll = ops.epollOf(epfd);
    if (typeof epoll === 'number') return epoll;
    const deadlineUs = this.timeoutAt(timeout);
    for (;;) {
      const result = ops.epoll_wait(epfd, events, maxevents);
      if (result !== 0 || timeout === 0) return result;
      const woken = await this.wait(epoll, POLLIN, deadlineUs, signal);
      if (woken <= 0) return woken;
    }
  }

  /** close(2): with SO_LINGER and a time it waits until everything was sent and acknowledged, or the time is over. */
  async close(fd: number, options = NO_OPTIONS): Promise<number> {
    const beganUs = this.begin();
    const { sys } = this;
    const file = sys.ops.files.get(fd);
    const lingers = file instanceof TcpSocket && file.options.linger.l_onoff !== 0;
    const result = lingers ? await this.linger(fd, file, options) : sys.ops.close(fd);
    return sys.traced ? sys.emit('close', { fd }, result, beganUs) : result;
  }

  private async linger(fd: number, socket: TcpSocket, { signal }: WaitOptions): Promise<number> {
    const { host } = this.sys.context;
    const { files } = this.sys.ops;
    const deadlineUs = this.deadline(socket.options.linger.l_linger * 1e6);
    files.remove(fd);
    socket.close();
    socket.stay();
    while (!socket.drained && host.nowUs < deadlineUs) {
      // The socket is closed, so whatever wakes it says EBADF: only the time and the signal end the wait.
      const woken = await this.wait(socket, POLLOUT, deadlineUs, signal);
      if (woken === TIMED_OUT || woken === -EINTR) break;
    }
    socket.detach();
    return 0;
  }

  private async wait(
    file: File,
    mask: number,
    deadlineUs: number,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const woken = await waitFor(this.sys.context.host, file, mask, deadlineUs, signal);
    this.begin();
    // Closed after it was woken: its number may stand for another file by now.
    return woken > 0 && file.closed ? -EBADF : woken;
  }

  private deadline(timeoutUs: number): number {
    return this.sys.context.host.nowUs + timeoutUs;
  }

  private timeoutAt(ms: number): number {
    return ms < 0 ? Number.POSITIVE_INFINITY : this.deadline(ms * 1000);
  }
}

/** The stream ended or failed after some bytes: those are returned first. */
function finishedReading(socket: Socket): boolean {
  return socket.readableBytes() === 0 && (socket.poll() & (FINISHED | POLLRDHUP)) !== 0;
}
