/**
 * The two kinds of clients in a fuzzing arena: those whose traffic is attacked, which only have to go on making
 * traffic, and the innocent one, whose every byte is checked.
 * @module
 */
import { EAGAIN, EINPROGRESS, strerror } from '../../base/errno.ts';
import type { Rng } from '../../base/rng.ts';
import {
  IP_MTU_DISCOVER,
  IP_PMTUDISC_DONT,
  IP_RECVERR,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPV6_MTU_DISCOVER,
  IPV6_RECVERR,
  MSG_ERRQUEUE,
  SHUT_WR,
  SO_LINGER,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_IP,
  SOL_IPV6,
  SOL_SOCKET,
  SOL_TCP,
  TCP_NODELAY,
} from '../../socket/constants.ts';
import type { Stack } from '../../stack/stack.ts';
import { AF_INET, AF_INET6 } from '../../wire/address.ts';
import { ICMP4_ECHO } from '../../wire/icmp4.ts';
import { ICMP6_ECHO } from '../../wire/icmp6.ts';

/** Connections that a talker keeps at once. */
const TALKS = 6;

interface Talk {
  readonly fd: number;
  turns: number;
}

/** The addresses of a host. */
export interface Peer {
  readonly ipv4: string;
  readonly ipv6: string;
}

/** Keeps a few connections to services of another host busy, pings it and sends it datagrams, over both families. */
export class Talker {
  private readonly stack: Stack;
  private readonly peer: Peer;
  private readonly ports: readonly number[];
  private readonly datagramPort: number;
  private readonly rng: Rng;
  private talks: Talk[] = [];
  /** Sockets for datagrams and for pings, of IPv4 and of IPv6. */
  private readonly datagrams: readonly [number, number];
  private readonly pings: readonly [number, number];
  private readonly buffer = new Uint8Array(8192);

  constructor(stack: Stack, peer: Peer, ports: readonly number[], datagramPort: number, rng: Rng) {
    this.stack = stack;
    this.peer = peer;
    this.ports = ports;
    this.datagramPort = datagramPort;
    this.rng = rng;
    const { sys } = stack;
    this.datagrams = [sys.socket(AF_INET, SOCK_DGRAM), sys.socket(AF_INET6, SOCK_DGRAM)];
    this.pings = [
      sys.socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP),
      sys.socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6),
    ];
    for (const [fd, fd6] of [this.datagrams, this.pings]) {
      // Datagrams that are too big for a frame are to go out in fragments.
      sys.setsockopt(fd, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
      sys.setsockopt(fd6, SOL_IPV6, IPV6_MTU_DISCOVER, IP_PMTUDISC_DONT);
      sys.setsockopt(fd, SOL_IP, IP_RECVERR, 1);
      sys.setsockopt(fd6, SOL_IPV6, IPV6_RECVERR, 1);
    }
  }

  /** Opens, reads, writes, ends; now and then a ping, a datagram, a forgotten neighbour. */
  pump(): void {
    const { rng } = this;
    if (this.talks.length < TALKS && rng.chance(0.3)) this.open();
    this.talks = this.talks.filter(talk => this.talk(talk));
    if (rng.chance(0.05)) this.sendDatagram();
    if (rng.chance(0.03)) this.ping();
    if (!rng.chance(0.01)) return;
    const { ip } = this.stack;
    for (const neighbors of [ip.neighbors, ip.ipv6.neighbors]) neighbors.flush(null, false);
  }

  /** Ends every connection. */
  hangUp(): void {
    for (const { fd } of this.talks) this.stack.sys.close(fd);
    this.talks = [];
    this.readDatagrams();
  }

  private readDatagrams(): void {
    const { sys } = this.stack;
    for (const fd of [...this.datagrams, ...this.pings]) {
      // A pending error is told before the data that wait behind it.
      while (sys.recv(fd, this.buffer) !== -EAGAIN);
      while (sys.recvmsg(fd, { msg_iov: [this.buffer] }, MSG_ERRQUEUE) !== -EAGAIN);
    }
  }

  private open(): void {
    const { sys } = this.stack;
    const ipv6 = this.rng.chance(0.5);
    const fd = sys.socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM);
    if (this.rng.chance(0.5)) sys.setsockopt(fd, SOL_TCP, TCP_NODELAY, 1);
    const result = sys.connect(fd, this.at(ipv6, this.rng.pick(this.ports)));
    if (result !== -EINPROGRESS) sys.close(fd);
    else this.talks.push({ fd, turns: this.rng.between(5, 400) });
  }

  private at(ipv6: boolean, port: number): { address: string; port: number } {
    return { address: ipv6 ? this.peer.ipv6 : this.peer.ipv4, port };
  }

  private talk(talk: Talk): boolean {
    const { rng } = this;
    const { sys } = this.stack;
    const { fd } = talk;
    const got = sys.recv(fd, this.buffer);
    if (rng.chance(0.4)) sys.send(fd, this.buffer.subarray(0, rng.pick([1, 10, 500, 3000, 8192])));
    const over = got === 0 || (got < 0 && got !== -EAGAIN);
    if (!over && --talk.turns > 0) return true;
    if (!over && rng.chance(0.3)) {
      sys.shutdown(fd, SHUT_WR);
      talk.turns = 100;
      return true;
    }
    if (rng.chance(0.3)) sys.setsockopt(fd, SOL_SOCKET, SO_LINGER, { l_onoff: 1, l_linger: 0 });
    sys.close(fd);
    return false;
  }

  private sendDatagram(): void {
    const { sys } = this.stack;
    const bytes = this.buffer.subarray(0, this.rng.pick([0, 1, 100, 1472, 1473, 4000, 8000]));
    const ipv6 = this.rng.chance(0.5);
    sys.sendto(this.datagrams[ipv6 ? 1 : 0], bytes, 0, this.at(ipv6, this.datagramPort));
    this.readDatagrams();
  }

  private ping(): void {
    const message = this.buffer.subarray(0, 8 + this.rng.pick([0, 56, 1472, 3000]));
    const sequence = this.rng.below(65536);
    const ipv6 = this.rng.chance(0.5);
    message.set([ipv6 ? ICMP6_ECHO : ICMP4_ECHO, 0, 0, 0, 0, 0, sequence >> 8, sequence & 0xff]);
    this.stack.sys.sendto(this.pings[ipv6 ? 1 : 0], message, 0, this.at(ipv6, 0));
    this.readDatagrams();
  }
}

/** Bytes that the innocent client sends over one connection, and wants back. */
const CONVERSATION = 65536;
/** Virtual time that one conversation may take, in microseconds: an attack may cost time, but not for ever. */
const PATIENCE_US = 120e6;

/**
 * Sends numbered bytes to an echo service over one connection after the other, of IPv4 and of IPv6 in turn, and checks
 * what comes back.
 */
export class Innocent {
  /** Conversations that ended as they should. */
  finished = 0;
  /** What went wrong, oldest first; the client goes on with a new connection. */
  readonly harms: string[] = [];
  private readonly stack: Stack;
  private readonly peer: Peer;
  private readonly port: number;
  private ipv6 = false;
  private fd = -1;
  private sent = 0;
  private got = 0;
  private beganUs = 0;
  private readonly pattern = new Uint8Array(CONVERSATION);
  private readonly buffer = new Uint8Array(8192);

  constructor(stack: Stack, peer: Peer, port: number, rng: Rng) {
    this.stack = stack;
    this.peer = peer;
    this.port = port;
    rng.fill(this.pattern);
  }

  /** Whether a conversation is under way. */
  get busy(): boolean {
    return this.fd >= 0;
  }

  /** Goes on with the conversation; begins one when there is none and `mayBegin`. */
  pump(mayBegin: boolean): void {
    if (this.fd < 0) {
      if (mayBegin) this.begin();
      return;
    }
    this.send();
    this.receive();
    if (this.fd >= 0 && this.stack.host.nowUs - this.beganUs > PATIENCE_US) {
      this.harmed(`no end after ${PATIENCE_US / 1e6} s, ${this.got} of ${CONVERSATION} bytes came back`);
    }
  }

  private begin(): void {
    const { sys } = this.stack;
    this.ipv6 = !this.ipv6;
    this.fd = sys.socket(this.ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM);
    this.sent = 0;
    this.got = 0;
    this.beganUs = this.stack.host.nowUs;
    const result = sys.connect(this.fd, {
      address: this.ipv6 ? this.peer.ipv6 : this.peer.ipv4,
      port: this.port,
    });
    if (result !== -EINPROGRESS) this.harmed(`connect: ${strerror(result)}`);
  }

  private send(): void {
    const { sys } = this.stack;
    if (this.sent === CONVERSATION) return;
    const sent = sys.send(this.fd, this.pattern.subarray(this.sent, this.sent + 8192));
    if (sent > 0) this.sent += sent;
    else if (sent !== -EAGAIN) this.harmed(`send: ${strerror(sent)}`);
    if (this.fd >= 0 && this.sent === CONVERSATION) sys.shutdown(this.fd, SHUT_WR);
  }

  private receive(): void {
    if (this.fd < 0) return;
    const got = this.stack.sys.recv(this.fd, this.buffer);
    if (got === -EAGAIN) return;
    if (got < 0) {
      this.harmed(`recv: ${strerror(got)}`);
    } else if (got === 0) {
      if (this.got !== CONVERSATION) this.harmed(`end of stream after ${this.got} of ${CONVERSATION} bytes`);
      else this.end();
    } else {
      this.check(got);
    }
  }

  private check(length: number): void {
    for (let i = 0; i < length; i++) {
      if (this.buffer[i] === this.pattern[this.got + i]) continue;
      this.harmed(`byte ${this.got + i} came back wrong`);
      return;
    }
    this.got += length;
  }

  private end(): void {
    this.stack.sys.close(this.fd);
    this.fd = -1;
    this.finished++;
  }

  private harmed(what: string): void {
    this.harms.push(`${this.ipv6 ? 'IPv6' : 'IPv4'}: ${what}`);
    this.stack.sys.close(this.fd);
    this.fd = -1;
  }
}
