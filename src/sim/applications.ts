import { EADDRINUSE, EAGAIN, EALREADY, EINPROGRESS, errnoName } from '../base/errno.ts';
import { POLLIN, POLLOUT } from '../core/readiness.ts';
import type { Sys } from '../socket/calls.ts';
import * as C from '../socket/constants.ts';
import { out, type Sockaddr } from '../socket/sockaddr.ts';
import { type Conversation, Side } from './conversation.ts';
import { anyOf, isIpv6 } from './draw-addresses.ts';
import type { AppTimer } from './event-loop.ts';
import { type AppContext, StreamEnd } from './stream-end.ts';
import { demand, Violation } from './violation.ts';
import type { ServerPlan, SocketPlan, TransferPlan } from './world-plan.ts';

/** A listener whose port is still taken tries again after this time. */
const BIND_AGAIN_US = 1_000_000;

/** Opens the connection of a transfer, again if need be, and hands it to a StreamEnd. */
export class Opener {
  private readonly app: AppContext;
  private readonly talk: Conversation;
  private readonly side: Side;
  private readonly isClient: boolean;
  private readonly again: AppTimer;
  private attempts = 0;
  private readonly begun: (end: StreamEnd) => void;

  constructor(app: AppContext, talk: Conversation, isClient: boolean, begun: (end: StreamEnd) => void) {
    this.app = app;
    this.talk = talk;
    this.isClient = isClient;
    this.begun = begun;
    if (!isClient) talk.server = new Side();
    this.side = isClient ? talk.client : (talk.server as Side);
    this.again = app.loop.timer(() => this.open());
  }

  /** Tries to connect. */
  open(): void {
    const { sys } = this.app.loop;
    const { plan } = this.talk;
    this.attempts++;
    const fd = streamSocket(sys, isIpv6(plan.address));
    setOptions(sys, fd, this.isClient ? plan.up.socket : plan.down.socket);
    const result = this.bind(sys, fd, plan) || sys.connect(fd, this.target(plan));
    if (result === 0 || result === -EINPROGRESS) {
      this.app.loop.watch(fd, POLLOUT, () => this.connected(fd));
    } else {
      this.failed(fd, -result);
    }
  }

  /** Its host lost its power. */
  crash(): void {
    this.side.outcome ??= 'crashed';
  }

  private bind(sys: Sys, fd: number, plan: TransferPlan): number {
    const port = this.isClient ? plan.clientPort : plan.port;
    if (port === 0) return 0;
    sys.setsockopt(fd, C.SOL_SOCKET, C.SO_REUSEADDR, 1);
    return sys.bind(fd, { address: anyOf(plan.address), port });
  }

  private target(plan: TransferPlan): { address: string; port: number } {
    if (this.isClient) return plan;
    return { address: plan.clientAddress, port: plan.clientPort };
  }

  private connected(fd: number): void {
    const { loop } = this.app;
    const error = this.howItWent(loop.sys, fd);
    if (error === EALREADY) return;
    loop.forget(fd);
    if (error !== 0) {
      this.failed(fd, error);
      return;
    }
    this.side.local = nameOf(loop.sys, fd);
    const end = new StreamEnd(this.app, fd, this.talk, this.side, this.isClient, '');
    this.begun(end);
    end.begin();
  }

  /** Some programs ask SO_ERROR, some call connect(2) again. */
  private howItWent(sys: Sys, fd: number): number {
    const { plan } = this.talk;
    if (plan.id % 2 === 0) return -sys.connect(fd, this.target(plan));
    const error = out<number>();
    sys.getsockopt(fd, C.SOL_SOCKET, C.SO_ERROR, error as never);
    return error.value ?? 0;
  }

  private failed(fd: number, errno: number): void {
    const { plan } = this.talk;
    this.app.loop.sys.close(fd);
    if (this.attempts < plan.attempts) {
      this.again.start(plan.retryUs);
      return;
    }
    demand(!this.app.calm, () => `transfer ${plan.id}: connect: ${errnoName(errno)} in a calm world`);
    this.side.outcome = 'error';
    this.side.errno = errno;
    this.app.ended(null);
  }
}

/** Listens, accepts, and hands each connection to a StreamEnd; closes and opens its listener as planned. */
export class Server {
  private readonly app: AppContext;
  private readonly plan: ServerPlan;
  private readonly begun: (end: StreamEnd) => void;
  private fd = -1;
  /** It is to listen now; and it will never listen again. */
  private open = false;
  private finished = false;
  private readonly binding: AppTimer;
  private readonly accepting: AppTimer;

  /** `beganUs`: when the world began. */
  constructor(app: AppContext, plan: ServerPlan, beganUs: number, begun: (end: StreamEnd) => void) {
    this.app = app;
    this.plan = plan;
    this.begun = begun;
    this.binding = app.loop.timer(() => this.listen());
    this.accepting = app.loop.timer(() => this.acceptNext());
    const nowUs = app.loop.env.nowUs() - beganUs;
    for (const atUs of plan.toggleUs) {
      if (atUs > nowUs) app.loop.timer(() => this.toggle(!this.open)).start(atUs - nowUs);
    }
    this.toggle(plan.toggleUs.filter(atUs => atUs <= nowUs).length % 2 === 0);
  }

  /** Accepts who already waits, and listens no more. */
  finish(): void {
    while (this.fd >= 0 && this.accept());
    this.finished = true;
    this.toggle(false);
  }

  private toggle(open: boolean): void {
    this.open = open && !this.finished;
    if (this.open) this.listen();
    else this.close();
  }

  private listen(): void {
    if (!this.open || this.fd >= 0) return;
    const { loop } = this.app;
    const { sys } = loop;
    const { address, port, backlog, socket } = this.plan;
    const fd = streamSocket(sys, isIpv6(address));
    sys.setsockopt(fd, C.SOL_SOCKET, C.SO_REUSEADDR, 1);
    setOptions(sys, fd, socket);
    const result = sys.bind(fd, { address, port }) || sys.listen(fd, backlog);
    if (result < 0) {
      demand(result === -EADDRINUSE, () => `listen on port ${port}: ${errnoName(result)}`);
      sys.close(fd);
      this.binding.start(BIND_AGAIN_US);
      return;
    }
    this.fd = fd;
    loop.watch(fd, POLLIN, () => this.acceptNext());
  }

  private close(): void {
    this.binding.stop();
    this.accepting.stop();
    if (this.fd < 0) return;
    this.app.loop.forget(this.fd);
    this.app.loop.sys.close(this.fd);
    this.fd = -1;
  }

  private acceptNext(): void {
    while (this.fd >= 0 && this.accept()) {
      if (this.plan.acceptPauseUs === 0) continue;
      this.app.loop.want(this.fd, 0);
      this.accepting.start(this.plan.acceptPauseUs);
      return;
    }
    if (this.fd >= 0) this.app.loop.want(this.fd, POLLIN);
  }

  private accept(): boolean {
    const { sys } = this.app.loop;
    const peer = out<Sockaddr>();
    const fd = sys.accept4(this.fd, peer, C.SOCK_NONBLOCK);
    if (fd === -EAGAIN) return false;
    if (fd < 0) throw new Violation(`accept returned ${errnoName(fd)}`);
    const side = new Side();
    side.local = nameOf(sys, fd);
    const remote = textOf(peer.value);
    const end = new StreamEnd(this.app, fd, null, side, false, remote);
    this.begun(end);
    end.begin();
    return true;
  }
}

function nameOf(sys: Sys, fd: number): string {
  const name = out<Sockaddr>();
  sys.getsockname(fd, name);
  return textOf(name.value);
}

/** As the other end sees it: an IPv6 socket that took an IPv4 connection shows mapped addresses. */
function textOf(name: Sockaddr | null): string {
  return `${name?.address.toString().replace(/^::ffff:/, '')}:${name?.port}`;
}

function streamSocket(sys: Sys, ipv6: boolean): number {
  const fd = sys.socket(ipv6 ? C.AF_INET6 : C.AF_INET, C.SOCK_STREAM | C.SOCK_NONBLOCK);
  demand(fd >= 0, () => `socket returned ${errnoName(fd)}`);
  return fd;
}

function setOptions(sys: Sys, fd: number, plan: SocketPlan): void {
  const set = (level: number, name: number, value: number | string): void => {
    const result = sys.setsockopt(fd, level, name, value);
    demand(result === 0, () => `setsockopt(${level}, ${name}, ${value}) returned ${errnoName(result)}`);
  };
  if (plan.noDelay) set(C.SOL_TCP, C.TCP_NODELAY, 1);
  if (plan.cork) set(C.SOL_TCP, C.TCP_CORK, 1);
  if (plan.keepIdle > 0) {
    set(C.SOL_SOCKET, C.SO_KEEPALIVE, 1);
    set(C.SOL_TCP, C.TCP_KEEPIDLE, plan.keepIdle);
    set(C.SOL_TCP, C.TCP_KEEPINTVL, plan.keepIdle);
  }
  if (plan.userTimeoutMs > 0) set(C.SOL_TCP, C.TCP_USER_TIMEOUT, plan.userTimeoutMs);
  if (plan.sndBuf > 0) set(C.SOL_SOCKET, C.SO_SNDBUF, plan.sndBuf);
  if (plan.rcvBuf > 0) set(C.SOL_SOCKET, C.SO_RCVBUF, plan.rcvBuf);
  if (plan.maxSeg > 0) set(C.SOL_TCP, C.TCP_MAXSEG, plan.maxSeg);
  if (plan.congestion !== null) set(C.SOL_TCP, C.TCP_CONGESTION, plan.congestion);
}
