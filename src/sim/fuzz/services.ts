/**
 * What the hosts of a fuzzing arena do with their sockets. Nothing here waits: `pump` does what can be done now.
 * @module
 */
import { EAGAIN } from '../../base/errno.ts';
import {
  IP_MTU_DISCOVER,
  IP_PMTUDISC_DONT,
  IPV6_MTU_DISCOVER,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_IP,
  SOL_IPV6,
} from '../../socket/constants.ts';
import { out, type Sockaddr } from '../../socket/sockaddr.ts';
import type { Stack } from '../../stack/stack.ts';
import { AF_INET6 } from '../../wire/address.ts';

/** What a service does with a connection: sends back what comes, reads and forgets it, or only sends. */
export type ServiceKind = 'echo' | 'discard' | 'chargen';

/** Connections that a service keeps at once; more wait in the accept queue. */
const CONNECTIONS_MAX = 48;
const BACKLOG = 16;
/** A connection on which nothing moved for so many turns is closed. */
const IDLE_TURNS = 3000;
const CHUNK = 4096;
/** Lower ports are those of services (RFC 6335 section 6). */
const PORT_USER_MIN = 1024;

interface Served {
  readonly fd: number;
  /** Bytes that came and are not yet sent back: chunk[0, held). */
  readonly chunk: Uint8Array;
  held: number;
  ending: boolean;
  idle: number;
}

/** A TCP server, for both families. */
export class Service {
  private readonly stack: Stack;
  private readonly kind: ServiceKind;
  private readonly listener: number;
  private served: Served[] = [];
  private readonly scratch = new Uint8Array(CHUNK);

  constructor(stack: Stack, port: number, kind: ServiceKind) {
    const { sys } = stack;
    this.stack = stack;
    this.kind = kind;
    this.listener = sys.socket(AF_INET6, SOCK_STREAM);
    sys.bind(this.listener, { address: '::', port });
    sys.listen(this.listener, BACKLOG);
  }

  /** Accepts, reads, writes, and closes what has ended. */
  pump(): void {
    const { sys } = this.stack;
    while (this.served.length < CONNECTIONS_MAX) {
      const fd = sys.accept(this.listener);
      if (fd < 0) break;
      this.served.push({ fd, chunk: new Uint8Array(CHUNK), held: 0, ending: false, idle: 0 });
    }
    this.served = this.served.filter(served => this.serve(served));
  }

  /** Closes every connection, also those that wait in the accept queue; the listener stays. */
  hangUp(): void {
    const { sys } = this.stack;
    for (const { fd } of this.served) sys.close(fd);
    this.served = [];
    for (let fd = sys.accept(this.listener); fd >= 0; fd = sys.accept(this.listener)) sys.close(fd);
  }

  private serve(served: Served): boolean {
    served.idle++;
    const alive = this.kind === 'chargen' ? this.generate(served) : this.take(served);
    if (alive && served.idle < IDLE_TURNS) return true;
    this.stack.sys.close(served.fd);
    return false;
  }

  private generate(served: Served): boolean {
    const { sys } = this.stack;
    const sent = sys.send(served.fd, this.scratch);
    if (sent > 0) served.idle = 0;
    const got = sys.recv(served.fd, served.chunk);
    return (sent > 0 || sent === -EAGAIN) && got !== 0 && (got > 0 || got === -EAGAIN);
  }

  private take(served: Served): boolean {
    const { sys } = this.stack;
    if (!served.ending && served.held === 0) {
      const got = sys.recv(served.fd, served.chunk);
      if (got === 0) served.ending = true;
      else if (got > 0) served.held = this.kind === 'echo' ? got : 0;
      else if (got !== -EAGAIN) return false;
      if (got > 0) served.idle = 0;
    }
    if (served.held > 0) {
      const sent = sys.send(served.fd, served.chunk.subarray(0, served.held));
      if (sent > 0) {
        served.chunk.copyWithin(0, sent, served.held);
        served.held -= sent;
        served.idle = 0;
      } else if (sent !== -EAGAIN) {
        return false;
      }
    }
    return !(served.ending && served.held === 0);
  }
}

/** A UDP socket, for both families, that answers each datagram with itself. */
export class DatagramEcho {
  private readonly stack: Stack;
  private readonly fd: number;
  private readonly buffer = new Uint8Array(65536);

  constructor(stack: Stack, port: number) {
    this.stack = stack;
    this.fd = stack.sys.socket(AF_INET6, SOCK_DGRAM);
    stack.sys.setsockopt(this.fd, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
    stack.sys.setsockopt(this.fd, SOL_IPV6, IPV6_MTU_DISCOVER, IP_PMTUDISC_DONT);
    stack.sys.bind(this.fd, { address: '::', port });
  }

  /** Reads what has come. */
  hangUp(): void {
    this.pump();
  }

  /** Answers what has come. */
  pump(): void {
    const { sys } = this.stack;
    for (;;) {
      const from = out<Sockaddr>();
      const got = sys.recvfrom(this.fd, this.buffer, 0, from);
      if (got === -EAGAIN) return;
      // Two echo services must not talk to each other for ever.
      if (got < 0 || from.value === null || from.value.port < PORT_USER_MIN) continue;
      sys.sendto(this.fd, this.buffer.subarray(0, got), 0, from.value);
    }
  }
}
