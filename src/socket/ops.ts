import {
  EAFNOSUPPORT,
  EBADF,
  EFAULT,
  EINVAL,
  EMFILE,
  EMSGSIZE,
  ENETDOWN,
  ENOTCONN,
  ENOTSOCK,
  ENOTTY,
  EPROTONOSUPPORT,
  ESOCKTNOSUPPORT,
} from '../base/errno.ts';
import { AF_INET, AF_INET6, AF_UNSPEC } from '../wire/address.ts';
import * as C from './constants.ts';
import { type ControlMessage, MessageOut } from './control.ts';
import { DgramSocket } from './dgram-socket.ts';
import { Epoll, type EpollEvent } from './epoll.ts';
import type { FdTable } from './fd-table.ts';
import type { File } from './file.ts';
import { zeroCopyCuts } from './notices.ts';
import { getOption, type OptionValue, setOption } from './options.ts';
import { type PollFd, pollNow } from './poll.ts';
import { checkSockaddr, type Out, type Sockaddr, type SockaddrInput } from './sockaddr.ts';
import { Socket, type SocketContext } from './socket.ts';
import { TcpSocket } from './tcp-socket.ts';

/** struct msghdr. recvmsg fills in `msg_name`, `msg_control` and `msg_flags`. */
export interface MsgHdr {
  msg_name?: SockaddrInput | null;
  msg_iov: readonly Uint8Array[];
  /**
   * Of recvmsg what was asked for with IP_RECVTTL, IP_RECVERR ...; always with room for all of it. To sendmsg what
   * holds for this datagram: IP_PKTINFO, IP_TTL, IP_TOS, IPV6_PKTINFO, IPV6_HOPLIMIT, IPV6_TCLASS, IPV6_DONTFRAG.
   */
  msg_control?: readonly ControlMessage[];
  msg_flags?: number;
}

/** Buffers that sendmsg and recvmsg take in one call (UIO_MAXIOV). */
const IOV_MAX = 1024;

/** The calls without their trace: what the synchronous and the blocking forms have in common. They never wait. */
export class Ops {
  readonly context: SocketContext;
  readonly files: FdTable;
  /** Set when the stack is gone: no new descriptors. */
  ended = false;

  constructor(context: SocketContext, files: FdTable) {
    this.context = context;
    this.files = files;
  }

  file(fd: number): File | number {
    return this.files.get(fd) ?? -EBADF;
  }

  socketOf(fd: number): Socket | number {
    const file = this.files.get(fd);
    if (file === undefined) return -EBADF;
    return file instanceof Socket ? file : -ENOTSOCK;
  }

  socket(domain: number, type: number, protocol: number): number {
    const kind = type & ~(C.SOCK_NONBLOCK | C.SOCK_CLOEXEC);
    if (domain !== AF_INET && domain !== AF_INET6) return -EAFNOSUPPORT;
    if (kind !== C.SOCK_STREAM && kind !== C.SOCK_DGRAM) {
      return kind === C.SOCK_RAW ? -EPROTONOSUPPORT : kind > 0 && kind < 11 ? -ESOCKTNOSUPPORT : -EINVAL;
    }
    const wanted = kind === C.SOCK_STREAM ? C.IPPROTO_TCP : protocol || C.IPPROTO_UDP;
    const icmp = domain === AF_INET ? C.IPPROTO_ICMP : C.IPPROTO_ICMPV6;
    const known = wanted === C.IPPROTO_TCP || wanted === C.IPPROTO_UDP || wanted === icmp;
    if (!known || (protocol !== 0 && protocol !== wanted)) return -EPROTONOSUPPORT;
    if (this.files.isFull) return -EMFILE;
    const { context } = this;
    return this.install(
      kind === C.SOCK_STREAM ? new TcpSocket(context, domain) : new DgramSocket(context, domain, wanted),
      type,
    );
  }

  private install(file: File, flags: number): number {
    if (this.ended) {
      file.close();
      return -ENETDOWN;
    }
    file.nonblocking = (flags & C.SOCK_NONBLOCK) !== 0;
    file.closeOnExec = (flags & C.SOCK_CLOEXEC) !== 0;
    return this.files.open(file);
  }

  bind(fd: number, addr: SockaddrInput): number {
    const socket = this.socketOf(fd);
    if (typeof socket === 'number') return socket;
    const address = this.addressOf(addr, socket);
    if (typeof address === 'number') return address;
    // AF_UNSPEC is taken for AF_INET when the address is 0.0.0.0: old programs do that.
    if (address.family === AF_UNSPEC && !address.address.isUnspecified) return -EAFNOSUPPORT;
    return socket.bind(address);
  }

  private addressOf(input: SockaddrInput, { family }: Socket): Sockaddr | number {
    return checkSockaddr(input, family, name => this.context.tcp.ip.netif(name)?.index ?? 0);
  }

  listen(fd: number, backlog: number): number {
    const socket = this.socketOf(fd);
    return typeof socket === 'number' ? socket : socket.listen(backlog | 0);
  }

  accept(fd: number, peer: Out<Sockaddr> | null, flags: number): number {
    const socket = this.socketOf(fd);
    return typeof socket === 'number' ? socket : this.acceptFrom(socket, peer, flags);
  }

  /** `accept`, when the descriptor's socket is known. */
  acceptFrom(socket: Socket, peer: Out<Sockaddr> | null, flags: number): number {
    if ((flags & ~(C.SOCK_NONBLOCK | C.SOCK_CLOEXEC)) !== 0) return -EINVAL;
    if (this.files.isFull) return -EMFILE;
    const accepted = socket.accept(peer);
    return typeof accepted === 'number' ? accepted : this.install(accepted, flags);
  }

  connect(fd: number, addr: SockaddrInput): number {
    const target = this.connectTarget(fd, addr);
    return typeof target === 'number' ? target : target.socket.connect(target.address);
  }

  /** Checks the arguments of connect(2); what is left is `socket.connect`. */
  connectTarget(fd: number, addr: SockaddrInput): { socket: Socket; address: Sockaddr } | number {
    const socket = this.socketOf(fd);
    if (typeof socket === 'number') return socket;
    const address = this.addressOf(addr, socket);
    return typeof address === 'number' ? address : { socket, address };
  }

  /** Checks a sending call's arguments; what is left is `socket.send`. */
  sendTarget(
    fd: number,
    buf: Uint8Array,
    to: SockaddrInput | null,
  ): { socket: Socket; to: Sockaddr | null } | number {
    const socket = this.socketOf(fd);
    if (typeof socket === 'number') return socket;
    if (!(buf instanceof Uint8Array)) return -EFAULT;
    if (to === null) return { socket, to: null };
    const address = this.addressOf(to, socket);
    return typeof address === 'number' ? address : { socket, to: address };
  }

  send(
    fd: number,
    buf: Uint8Array,
    flags: number,
    to: SockaddrInput | null,
    cuts: readonly number[] = [],
  ): number {
    const target = this.sendTarget(fd, buf, to);
    return typeof target === 'number'
      ? target
      : target.socket.send(buf, 0, buf.length, flags, target.to, cuts);
  }

  receive(fd: number, buf: Uint8Array, flags: number, from: Out<Sockaddr> | null): number {
    const socket = this.socketOf(fd);
    if (typeof socket === 'number') return socket;
    return buf instanceof Uint8Array ? socket.receive(buf, 0, buf.length, flags, from) : -EFAULT;
  }

  /** read(2) and write(2) on what is no socket: -EINVAL, as Linux says for epoll. */
  notReadable(fd: number): number {
    const file = this.file(fd);
    return typeof file === 'number' ? file : file instanceof Socket ? 0 : -EINVAL;
  }

  sendmsg(fd: number, msg: MsgHdr, flags: number): number {
    const bytes = gather(msg);
    if (typeof bytes === 'number') return bytes;
    const cuts = (flags & C.MSG_ZEROCOPY) !== 0 ? zeroCopyCuts(msg.msg_iov) : [];
    return this.sendWith(fd, bytes, flags, msg) ?? this.send(fd, bytes, flags, msg.msg_name ?? null, cuts);
  }

  /** Sends a datagram with the control data of `msg`; null when there is none, or no use for it: on a stream. */
  sendWith(fd: number, bytes: Uint8Array, flags: number, msg: MsgHdr): number | null {
    const control = msg.msg_control ?? [];
    const socket = this.files.get(fd);
    if (!Array.isArray(control)) return -EFAULT;
    if (control.length === 0 || !(socket instanceof DgramSocket)) return null;
    const target = this.sendTarget(fd, bytes, msg.msg_name ?? null);
    return typeof target === 'number' ? target : socket.sendWith(control, bytes, flags, target.to);
  }

  recvmsg(fd: number, msg: MsgHdr, flags: number): number {
    const bytes = room(msg);
    if (typeof bytes === 'number') return bytes;
    const from = new MessageOut();
    // MSG_TRUNC asks for the whole length, which tells whether something was cut off.
    const result = this.receive(fd, bytes, flags | C.MSG_TRUNC, from);
    return result < 0 ? result : scatter(msg, bytes, result, flags, from);
  }

  shutdown(fd: number, how: number): number {
    const socket = this.socketOf(fd);
    if (typeof socket === 'number') return socket;
    if (how !== C.SHUT_RD && how !== C.SHUT_WR && how !== C.SHUT_RDWR) return -EINVAL;
    return socket.shutdown(how !== C.SHUT_WR, how !== C.SHUT_RD);
  }

  close(fd: number): number {
    const file = this.files.remove(fd);
    if (typeof file === 'number') return file;
    file.close();
    if (file instanceof TcpSocket) file.detach();
    return 0;
  }

  getsockname(fd: number, addr: Out<Sockaddr>): number {
    const socket = this.socketOf(fd);
    if (typeof socket === 'number') return socket;
    return store(addr, socket.localName());
  }

  getpeername(fd: number, addr: Out<Sockaddr>): number {
    const socket = this.socketOf(fd);
    if (typeof socket === 'number') return socket;
    const peer = socket.peerName();
    return peer === null ? -ENOTCONN : store(addr, peer);
  }

  setsockopt(fd: number, level: number, name: number, value: OptionValue): number {
    const socket = this.socketOf(fd);
    return typeof socket === 'number' ? socket : setOption(socket, level, name, value);
  }

  getsockopt(fd: number, level: number, name: number, value: Out<OptionValue>): number {
    const socket = this.socketOf(fd);
    if (typeof socket === 'number') return socket;
    return isOut(value) ? getOption(socket, level, name, value) : -EFAULT;
  }

  fcntl(fd: number, cmd: number, arg: number): number {
    const file = this.file(fd);
    if (typeof file === 'number') return file;
    switch (cmd) {
      case C.F_GETFD:
        return file.closeOnExec ? C.FD_CLOEXEC : 0;
      case C.F_SETFD:
        file.closeOnExec = (arg & C.FD_CLOEXEC) !== 0;
        return 0;
      case C.F_GETFL:
        return C.O_RDWR | (file.nonblocking ? C.O_NONBLOCK : 0);
      case C.F_SETFL:
        file.nonblocking = (arg & C.O_NONBLOCK) !== 0;
        return 0;
      default:
        return -EINVAL;
    }
  }

  ioctl(fd: number, request: number, arg: Out<number>): number {
    const file = this.file(fd);
    if (typeof file === 'number') return file;
    if (!isOut(arg)) return -EFAULT;
    if (request === C.FIONBIO) {
      file.nonblocking = (arg.value ?? 0) !== 0;
      return 0;
    }
    if (!(file instanceof Socket)) return -ENOTTY;
    const value = socketIoctl(file, request);
    return value < 0 ? value : store(arg, value);
  }

  poll(fds: readonly PollFd[]): number {
    if (!Array.isArray(fds)) return -EFAULT;
    return fds.length > this.context.host.sysctl.ethertype_nofile ? -EINVAL : pollNow(this.files, fds);
  }

  epoll_create1(flags: number): number {
    if ((flags & ~C.EPOLL_CLOEXEC) !== 0) return -EINVAL;
    return this.install(new Epoll(), flags);
  }

  epoll_ctl(epfd: number, op: number, fd: number, event: EpollEvent | null): number {
    const target = this.file(fd);
    const epoll = this.file(epfd);
    if (typeof epoll === 'number') return epoll;
    if (typeof target === 'number') return target;
    if (!(epoll instanceof Epoll) || epoll === target) return -EINVAL;
    if (op !== C.EPOLL_CTL_DEL && (typeof event !== 'object' || event === null)) return -EFAULT;
    return epoll.control(op, target, event);
  }

  epoll_wait(epfd: number, events: EpollEvent[], maxevents: number): number {
    const epoll = this.epollTarget(epfd, events, maxevents);
    return typeof epoll === 'number' ? epoll : epoll.collect(events, maxevents);
  }

  /** Checks the arguments of epoll_wait(2); what is left is `epoll.collect`. */
  epollTarget(epfd: number, events: EpollEvent[], maxevents: number): Epoll | number {
    const epoll = this.file(epfd);
    if (typeof epoll === 'number') return epoll;
    if (!(epoll instanceof Epoll) || maxevents <= 0) return -EINVAL;
    return Array.isArray(events) ? epoll : -EFAULT;
  }
}

/** The bytes of all buffers in one; -EFAULT or -EMSGSIZE. */
export function gather(msg: MsgHdr): Uint8Array | number {
  const iov = checkIov(msg);
  if (typeof iov === 'number') return iov;
  const only = iov.length === 1 ? iov[0] : undefined;
  if (only !== undefined) return only;
  const bytes = new Uint8Array(iov.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of iov) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** One buffer as large as all of them: a single one itself. -EFAULT or -EMSGSIZE. */
export function room(msg: MsgHdr): Uint8Array | number {
  const iov = checkIov(msg);
  if (typeof iov === 'number') return iov;
  const only = iov.length === 1 ? iov[0] : undefined;
  return only ?? new Uint8Array(iov.reduce((sum, part) => sum + part.length, 0));
}

/** Spreads what was received over the buffers and fills in the rest of `msg`; returns what recvmsg returns. */
export function scatter(
  msg: MsgHdr,
  bytes: Uint8Array,
  length: number,
  flags: number,
  from: MessageOut,
): number {
  const count = Math.min(length, bytes.length);
  let at = 0;
  for (const part of msg.msg_iov) {
    const end = Math.min(at + part.length, count);
    if (part !== bytes) part.set(bytes.subarray(at, end));
    at = end;
  }
  msg.msg_name = from.value;
  msg.msg_control = from.control;
  msg.msg_flags = from.flags | (length > count ? C.MSG_TRUNC : 0);
  return (flags & C.MSG_TRUNC) !== 0 ? length : count;
}

function checkIov(msg: MsgHdr): readonly Uint8Array[] | number {
  if (typeof msg !== 'object' || msg === null || !Array.isArray(msg.msg_iov)) return -EFAULT;
  if (msg.msg_iov.length > IOV_MAX) return -EMSGSIZE;
  return msg.msg_iov.every(part => part instanceof Uint8Array) ? msg.msg_iov : -EFAULT;
}

function isOut(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

function store<T>(place: Out<T>, value: T): number {
  if (!isOut(place)) return -EFAULT;
  place.value = value;
  return 0;
}

function socketIoctl(socket: Socket, request: number): number {
  if (request === C.FIONREAD) return socket.readableBytes();
  if (request === C.SIOCATMARK) return Number(socket.atMark);
  if (request === C.SIOCOUTQ) return socket.outq();
  return request === C.SIOCOUTQNSD ? socket.outqNotSent() : -ENOTTY;
}
