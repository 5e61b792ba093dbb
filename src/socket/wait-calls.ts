import { EAGAIN, EFAULT, EINTR } from '../base/errno.ts';
import { POLLOUT } from '../core/readiness.ts';
import { AcceptCall, ConnectCall, EpollWaitCall, ReceiveCall, SendCall } from './blocking-calls.ts';
import type { Sys } from './calls.ts';
import { MSG_TRUNC, MSG_ZEROCOPY, SOCK_STREAM } from './constants.ts';
import { MessageOut } from './control.ts';
import type { EpollEvent } from './epoll.ts';
import { FastOpenCall } from './fast-open-call.ts';
import { zeroCopyCuts } from './notices.ts';
import { gather, type MsgHdr, room, scatter } from './ops.ts';
import { type PollFd, waitMask } from './poll.ts';
import type { Out, Sockaddr, SockaddrInput } from './sockaddr.ts';
import { TcpSocket } from './tcp-socket.ts';
import * as A from './trace-args.ts';
import { TIMED_OUT, type WaitOptions, waitFor, waitForAny } from './wait.ts';

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

  /** Shows the call once it has returned. */
  private async show(
    name: string,
    beganUs: number,
    call: Promise<number>,
    args: (result: number) => A.CallArgs,
  ): Promise<number> {
    const result = await call;
    return this.sys.emit(name, args(result), result, beganUs);
  }

  /** accept(2). */
  accept(sockfd: number, addr: Out<Sockaddr> | null = null, options = NO_OPTIONS): Promise<number> {
    const beganUs = this.begin();
    const call = this.acceptOne(sockfd, addr, 0, options);
    if (!this.sys.traced) return call;
    return this.show('accept', beganUs, call, () => A.filledArgs(sockfd, addr?.value));
  }

  /** accept4(2). */
  accept4(sockfd: number, addr: Out<Sockaddr> | null, flags: number, options = NO_OPTIONS): Promise<number> {
    const beganUs = this.begin();
    const call = this.acceptOne(sockfd, addr, flags, options);
    if (!this.sys.traced) return call;
    return this.show('accept4', beganUs, call, () => A.filledArgs(sockfd, addr?.value, flags));
  }

  private acceptOne(
    fd: number,
    addr: Out<Sockaddr> | null,
    flags: number,
    options: WaitOptions,
  ): Promise<number> {
    const { ops } = this.sys;
    const socket = ops.socketOf(fd);
    if (typeof socket === 'number') return Promise.resolve(socket);
    return new AcceptCall(ops, socket, addr, flags).start(socket.options.rcvTimeoutUs, options);
  }

  /** connect(2): 0 when the connection stands, or why it does not. */
  connect(sockfd: number, addr: SockaddrInput, options = NO_OPTIONS): Promise<number> {
    const beganUs = this.begin();
    const call = this.connectOne(sockfd, addr, options);
    if (!this.sys.traced) return call;
    return this.show('connect', beganUs, call, () => A.addressArgs(sockfd, addr));
  }

  private connectOne(fd: number, addr: SockaddrInput, options: WaitOptions): Promise<number> {
    const { ops } = this.sys;
    const target = ops.connectTarget(fd, addr);
    if (typeof target === 'number') return Promise.resolve(target);
    const { socket, address } = target;
    return new ConnectCall(ops, socket, address).start(socket.options.sndTimeoutUs, options);
  }

  /** send(2): all bytes, unless something comes between. */
  send(sockfd: number, buf: Uint8Array, flags = 0, options = NO_OPTIONS): Promise<number> {
    const beganUs = this.begin();
    const call = this.sendAll(sockfd, buf, flags, null, options);
    if (!this.sys.traced) return call;
    return this.show('send', beganUs, call, () => A.sendArgs(sockfd, buf, flags));
  }

  /** sendto(2). */
  sendto(
    sockfd: number,
    buf: Uint8Array,
    flags = 0,
    dest: SockaddrInput | null = null,
    options = NO_OPTIONS,
  ): Promise<number> {
    const beganUs = this.begin();
    const call = this.sendAll(sockfd, buf, flags, dest, options);
    if (!this.sys.traced) return call;
    return this.show('sendto', beganUs, call, () => A.sendtoArgs(sockfd, buf, flags, dest));
  }

  /** sendmsg(2). */
  sendmsg(sockfd: number, msg: MsgHdr, flags = 0, options = NO_OPTIONS): Promise<number> {
    const beganUs = this.begin();
    const bytes = gather(msg);
    // A datagram leaves at once or not at all.
    const done = typeof bytes === 'number' ? bytes : this.sys.ops.sendWith(sockfd, bytes, flags, msg);
    const call =
      typeof bytes === 'number' || done !== null
        ? Promise.resolve(done ?? 0)
        : this.sendAll(
            sockfd,
            bytes,
            flags,
            msg.msg_name ?? null,
            options,
            (flags & MSG_ZEROCOPY) !== 0 ? zeroCopyCuts(msg.msg_iov) : [],
          );
    if (!this.sys.traced) return call;
    return this.show('sendmsg', beganUs, call, () => A.msgArgs(sockfd, msg, flags, Infinity));
  }

  /** write(2). */
  write(fd: number, buf: Uint8Array, options = NO_OPTIONS): Promise<number> {
    const beganUs = this.begin();
    const refused = this.sys.ops.notReadable(fd);
    const call = refused !== 0 ? Promise.resolve(refused) : this.sendAll(fd, buf, 0, null, options);
    if (!this.sys.traced) return call;
    return this.show('write', beganUs, call, () => A.writeArgs(fd, buf));
  }

  private sendAll(
    fd: number,
    buf: Uint8Array,
    flags: number,
    dest: SockaddrInput | null,
    options: WaitOptions,
    cuts: readonly number[] = [],
  ): Promise<number> {
    const { ops } = this.sys;
    const target = ops.sendTarget(fd, buf, dest);
    if (typeof target === 'number') return Promise.resolve(target);
    const { socket, to } = target;
    const { sndTimeoutUs } = socket.options;
    if (socket instanceof TcpSocket && socket.opensWith(flags))
      return new FastOpenCall(ops, socket, buf, flags, to).start(sndTimeoutUs, options);
    const result = socket.send(buf, 0, buf.length, flags, to, cuts);
    // Most calls are over at once, and need no object that waits. A datagram leaves at once or not at all.
    const over = result === buf.length || (result < 0 && result !== -EAGAIN);
    if (over || socket.type !== SOCK_STREAM) return Promise.resolve(result);
    const sent = Math.max(result, 0);
    return new SendCall(ops, socket, buf, flags, null, cuts, sent).start(sndTimeoutUs, options);
  }

  /** recv(2): at least one byte (MSG_WAITALL: all), or 0 at the end of a stream. */
  recv(sockfd: number, buf: Uint8Array, flags = 0, options = NO_OPTIONS): Promise<number> {
    const beganUs = this.begin();
    const call = this.receive(sockfd, buf, flags, null, options);
    if (!this.sys.traced) return call;
    return this.show('recv', beganUs, call, result => A.recvArgs(sockfd, buf, flags, result));
  }

  /** recvfrom(2). */
  recvfrom(
    sockfd: number,
    buf: Uint8Array,
    flags = 0,
    src: Out<Sockaddr> | null = null,
    options = NO_OPTIONS,
  ): Promise<number> {
    const beganUs = this.begin();
    const call = this.receive(sockfd, buf, flags, src, options);
    if (!this.sys.traced) return call;
    return this.show('recvfrom', beganUs, call, result =>
      A.recvfromArgs(sockfd, buf, flags, src?.value, result),
    );
  }

  /** recvmsg(2). */
  async recvmsg(sockfd: number, msg: MsgHdr, flags = 0, options = NO_OPTIONS): Promise<number> {
    const beganUs = this.begin();
    const bytes = room(msg);
    const from = new MessageOut();
    let result =
      typeof bytes === 'number' ? bytes : await this.receive(sockfd, bytes, flags | MSG_TRUNC, from, options);
    if (result >= 0 && typeof bytes !== 'number') result = scatter(msg, bytes, result, flags, from);
    const { sys } = this;
    return sys.traced ? sys.emit('recvmsg', A.msgArgs(sockfd, msg, flags, result), result, beganUs) : result;
  }

  /** read(2). */
  read(fd: number, buf: Uint8Array, options = NO_OPTIONS): Promise<number> {
    const beganUs = this.begin();
    const refused = this.sys.ops.notReadable(fd);
    const call = refused !== 0 ? Promise.resolve(refused) : this.receive(fd, buf, 0, null, options);
    if (!this.sys.traced) return call;
    return this.show('read', beganUs, call, result => A.readArgs(fd, buf, result));
  }

  private receive(
    fd: number,
    buf: Uint8Array,
    flags: number,
    from: Out<Sockaddr> | null,
    options: WaitOptions,
  ): Promise<number> {
    const { ops } = this.sys;
    const socket = ops.socketOf(fd);
    if (typeof socket === 'number') return Promise.resolve(socket);
    if (!(buf instanceof Uint8Array)) return Promise.resolve(-EFAULT);
    return new ReceiveCall(ops, socket, buf, flags, from).start(socket.options.rcvTimeoutUs, options);
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
  epoll_wait(
    epfd: number,
    events: EpollEvent[],
    maxevents: number,
    timeout: number,
    options = NO_OPTIONS,
  ): Promise<number> {
    const beganUs = this.begin();
    const call = this.epollAny(epfd, events, maxevents, timeout, options);
    if (!this.sys.traced) return call;
    return this.show('epoll_wait', beganUs, call, () => A.epollWaitArgs(epfd, events, maxevents, timeout));
  }

  private epollAny(
    epfd: number,
    events: EpollEvent[],
    maxevents: number,
    timeout: number,
    options: WaitOptions,
  ): Promise<number> {
    const { ops } = this.sys;
    const epoll = ops.epollTarget(epfd, events, maxevents);
    if (typeof epoll === 'number') return Promise.resolve(epoll);
    const timeoutUs = timeout < 0 ? Number.POSITIVE_INFINITY : timeout * 1000;
    return new EpollWaitCall(ops, epoll, events, maxevents).start(timeoutUs, options);
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
      const woken = await waitFor(host, socket, POLLOUT, deadlineUs, signal);
      this.begin();
      if (woken === TIMED_OUT || woken === -EINTR) break;
    }
    socket.detach();
    return 0;
  }

  private deadline(timeoutUs: number): number {
    return this.sys.context.host.nowUs + timeoutUs;
  }

  private timeoutAt(ms: number): number {
    return ms < 0 ? Number.POSITIVE_INFINITY : this.deadline(ms * 1000);
  }
}
