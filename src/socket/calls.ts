import { TRACE_CALL } from '../trace/events.ts';
import type { EpollEvent } from './epoll.ts';
import { FdTable } from './fd-table.ts';
import { type MsgHdr, Ops } from './ops.ts';
import type { OptionValue } from './options.ts';
import type { PollFd } from './poll.ts';
import type { Out, Sockaddr, SockaddrInput } from './sockaddr.ts';
import type { SocketContext } from './socket.ts';
import * as A from './trace-args.ts';
import { SysWait } from './wait-calls.ts';

/** Descriptors 0, 1 and 2 are taken in a real process. */
const FIRST_FD = 3;

/** Who makes the calls. */
export interface ProcessOptions {
  /** Names the caller in the trace ('curl'). */
  readonly process?: string;
  /** The first descriptor that is free. */
  readonly firstFd?: number;
}

/**
 * The BSD socket calls of one process. Each returns a value or -errno, Linux's errno in Linux's situations, and NEVER
 * waits: where a blocking socket would, the result is -EAGAIN or -EINPROGRESS. The forms that wait are in `wait`.
 * What C writes through a pointer is written into an object that the caller passes: `out<Sockaddr>()`.
 * @example
 * const fd = sys.socket(AF_INET, SOCK_STREAM, 0);
 * const result = await sys.wait.connect(fd, { address: '10.0.0.2', port: 80 });
 */
export class Sys {
  readonly context: SocketContext;
  readonly process: string;
  /** The same calls, waiting: each returns a promise of what the call returns. */
  readonly wait: SysWait;
  /** The calls without a trace; for the layers above. */
  readonly ops: Ops;
  /** Other processes of the same host, by name. */
  private readonly others: Map<string, Sys>;

  constructor(context: SocketContext, options: ProcessOptions = {}, others: Map<string, Sys> = new Map()) {
    this.context = context;
    this.process = options.process ?? '';
    this.others = others;
    others.set(this.process, this);
    const { ethertype_nofile } = context.host.sysctl;
    this.ops = new Ops(context, new FdTable(options.firstFd ?? FIRST_FD, ethertype_nofile));
    this.wait = new SysWait(this);
  }

  /** The calls of another process on the same host, with descriptors of its own; the same one for the same name. */
  as(name: string, firstFd: number = FIRST_FD): Sys {
    return this.others.get(name) ?? new Sys(this.context, { process: name, firstFd }, this.others);
  }

  /** Ends every process of this host: closes each descriptor, wakes each waiter; no descriptor can be opened again. */
  closeAll(): void {
    for (const { ops } of this.others.values()) {
      ops.ended = true;
      for (const fd of [...ops.files.descriptors()]) ops.close(fd);
    }
  }

  /** Whether someone wants to see the calls. */
  get traced(): boolean {
    const { trace } = this.context.host;
    return trace !== null && (trace.wants & TRACE_CALL) !== 0;
  }

  /** Shows a call that returned now and began at `beganUs`; returns its result. */
  emit(name: string, args: A.CallArgs, result: number, beganUs: number): number {
    const { trace, nowUs, name: host } = this.context.host;
    const waitedUs = nowUs - beganUs;
    trace?.emit({ type: 'call', atUs: nowUs, host, process: this.process, name, args, result, waitedUs });
    return result;
  }

  private show(name: string, args: A.CallArgs, result: number): number {
    return this.emit(name, args, result, this.context.host.nowUs);
  }

  private begin(): Ops {
    this.context.host.refreshNow();
    return this.ops;
  }

  /** socket(2). `type` may be or-ed with SOCK_NONBLOCK and SOCK_CLOEXEC. */
  socket(domain: number, type: number, protocol = 0): number {
    const result = this.begin().socket(domain, type, protocol);
    return this.traced ? this.show('socket', A.socketArgs(domain, type, protocol), result) : result;
  }

  /** bind(2). Port 0 picks one. */
  bind(sockfd: number, addr: SockaddrInput): number {
    const result = this.begin().bind(sockfd, addr);
    return this.traced ? this.show('bind', A.addressArgs(sockfd, addr), result) : result;
  }

  /** listen(2). A negative backlog, or one above somaxconn, means somaxconn. */
  listen(sockfd: number, backlog: number): number {
    const result = this.begin().listen(sockfd, backlog);
    return this.traced ? this.show('listen', { sockfd, backlog }, result) : result;
  }

  /** accept(2): a new descriptor, or -EAGAIN when nobody waits. */
  accept(sockfd: number, addr: Out<Sockaddr> | null = null): number {
    const result = this.begin().accept(sockfd, addr, 0);
    return this.traced ? this.show('accept', A.filledArgs(sockfd, addr?.value), result) : result;
  }

  /** accept4(2). */
  accept4(sockfd: number, addr: Out<Sockaddr> | null, flags: number): number {
    const result = this.begin().accept(sockfd, addr, flags);
    return this.traced ? this.show('accept4', A.filledArgs(sockfd, addr?.value, flags), result) : result;
  }

  /** connect(2): -EINPROGRESS on a stream that begins; AF_UNSPEC dissolves the association. */
  connect(sockfd: number, addr: SockaddrInput): number {
    const result = this.begin().connect(sockfd, addr);
    return this.traced ? this.show('connect', A.addressArgs(sockfd, addr), result) : result;
  }

  /** send(2): how many bytes were taken. */
  send(sockfd: number, buf: Uint8Array, flags = 0): number {
    const result = this.begin().send(sockfd, buf, flags, null);
    return this.traced ? this.show('send', A.sendArgs(sockfd, buf, flags), result) : result;
  }

  /** sendto(2). An address on a listening stream opens it actively (RFC 9293 section 3.10.2). */
  sendto(sockfd: number, buf: Uint8Array, flags = 0, dest: SockaddrInput | null = null): number {
    const result = this.begin().send(sockfd, buf, flags, dest);
    return this.traced ? this.show('sendto', A.sendtoArgs(sockfd, buf, flags, dest), result) : result;
  }

  /** sendmsg(2); on a datagram socket with control data. */
  sendmsg(sockfd: number, msg: MsgHdr, flags = 0): number {
    const result = this.begin().sendmsg(sockfd, msg, flags);
    return this.traced ? this.show('sendmsg', A.msgArgs(sockfd, msg, flags, Infinity), result) : result;
  }

  /** recv(2): how many bytes; 0 at the end of a stream. */
  recv(sockfd: number, buf: Uint8Array, flags = 0): number {
    const result = this.begin().receive(sockfd, buf, flags, null);
    return this.traced ? this.show('recv', A.recvArgs(sockfd, buf, flags, result), result) : result;
  }

  /** recvfrom(2). */
  recvfrom(sockfd: number, buf: Uint8Array, flags = 0, src: Out<Sockaddr> | null = null): number {
    const result = this.begin().receive(sockfd, buf, flags, src);
    if (!this.traced) return result;
    return this.show('recvfrom', A.recvfromArgs(sockfd, buf, flags, src?.value, result), result);
  }

  /** recvmsg(2): fills `msg_name` and `msg_flags`, too. */
  recvmsg(sockfd: number, msg: MsgHdr, flags = 0): number {
    const result = this.begin().recvmsg(sockfd, msg, flags);
    return this.traced ? this.show('recvmsg', A.msgArgs(sockfd, msg, flags, result), result) : result;
  }

  /** read(2). */
  read(fd: number, buf: Uint8Array): number {
    const ops = this.begin();
    const result = ops.notReadable(fd) || ops.receive(fd, buf, 0, null);
    return this.traced ? this.show('read', A.readArgs(fd, buf, result), result) : result;
  }

  /** write(2). */
  write(fd: number, buf: Uint8Array): number {
    const ops = this.begin();
    const result = ops.notReadable(fd) || ops.send(fd, buf, 0, null);
    return this.traced ? this.show('write', A.writeArgs(fd, buf), result) : result;
  }

  /** shutdown(2): SHUT_RD, SHUT_WR (sends FIN) or SHUT_RDWR. */
  shutdown(sockfd: number, how: number): number {
    const result = this.begin().shutdown(sockfd, how);
    return this.traced ? this.show('shutdown', A.shutdownArgs(sockfd, how), result) : result;
  }

  /** close(2). The transport finishes by itself; SO_LINGER with 0 seconds resets. */
  close(fd: number): number {
    const result = this.begin().close(fd);
    return this.traced ? this.show('close', { fd }, result) : result;
  }

  /** getsockname(2). */
  getsockname(sockfd: number, addr: Out<Sockaddr>): number {
    const result = this.begin().getsockname(sockfd, addr);
    return this.traced ? this.show('getsockname', A.filledArgs(sockfd, addr?.value), result) : result;
  }

  /** getpeername(2). */
  getpeername(sockfd: number, addr: Out<Sockaddr>): number {
    const result = this.begin().getpeername(sockfd, addr);
    return this.traced ? this.show('getpeername', A.filledArgs(sockfd, addr?.value), result) : result;
  }

  /** setsockopt(2). */
  setsockopt(sockfd: number, level: number, optname: number, optval: OptionValue): number {
    const result = this.begin().setsockopt(sockfd, level, optname, optval);
    if (!this.traced) return result;
    return this.show('setsockopt', A.optionArgs(sockfd, level, optname, optval, false), result);
  }

  /** getsockopt(2): the value is written to `optval.value`. */
  getsockopt(sockfd: number, level: number, optname: number, optval: Out<OptionValue>): number {
    const result = this.begin().getsockopt(sockfd, level, optname, optval);
    if (!this.traced) return result;
    return this.show('getsockopt', A.optionArgs(sockfd, level, optname, optval?.value, true), result);
  }

  /** fcntl(2): F_GETFL, F_SETFL (O_NONBLOCK), F_GETFD, F_SETFD. */
  fcntl(fd: number, cmd: number, arg?: number): number {
    const result = this.begin().fcntl(fd, cmd, arg ?? 0);
    return this.traced ? this.show('fcntl', A.fcntlArgs(fd, cmd, arg), result) : result;
  }

  /** ioctl(2): FIONREAD, SIOCATMARK, SIOCOUTQ, SIOCOUTQNSD write to `arg.value`, FIONBIO reads it. */
  ioctl(fd: number, request: number, arg: Out<number>): number {
    const result = this.begin().ioctl(fd, request, arg);
    return this.traced ? this.show('ioctl', A.ioctlArgs(fd, request, arg?.value), result) : result;
  }

  /** poll(2) with a time-out of 0: fills in each `revents`; returns how many are not zero. */
  poll(fds: readonly PollFd[]): number {
    const result = this.begin().poll(fds);
    return this.traced ? this.show('poll', A.pollArgs(fds, 0), result) : result;
  }

  /** epoll_create1(2). */
  epoll_create1(flags = 0): number {
    const result = this.begin().epoll_create1(flags);
    return this.traced ? this.show('epoll_create1', A.epollCreateArgs(flags), result) : result;
  }

  /** epoll_ctl(2). Instances cannot watch each other (-EINVAL). */
  epoll_ctl(epfd: number, op: number, fd: number, event: EpollEvent | null = null): number {
    const result = this.begin().epoll_ctl(epfd, op, fd, event);
    return this.traced ? this.show('epoll_ctl', A.epollCtlArgs(epfd, op, fd, event), result) : result;
  }

  /** epoll_wait(2) with a time-out of 0: fills `events`; returns how many. */
  epoll_wait(epfd: number, events: EpollEvent[], maxevents: number): number {
    const result = this.begin().epoll_wait(epfd, events, maxevents);
    return this.traced
      ? this.show('epoll_wait', A.epollWaitArgs(epfd, events, maxevents, 0), result)
      : result;
  }
}
