import assert from 'node:assert/strict';
import { EAGAIN, EINPROGRESS, errnoName } from '../../src/base/errno.ts';
import { POLLIN, POLLOUT } from '../../src/core/readiness.ts';
import { EventLoop } from '../../src/sim/event-loop.ts';
import { PIECE_MAX, Pattern } from '../../src/sim/pattern.ts';
import { AF_INET, SOCK_NONBLOCK, SOCK_STREAM } from '../../src/socket/constants.ts';
import { out, type Sockaddr } from '../../src/socket/sockaddr.ts';
import type { Stack } from '../../src/stack/stack.ts';

/** Bytes handed to one call, and taken by one. */
const PIECE = 65536;
const PORT = 5001;

/** A stream as its receiver sees it. */
export interface Inbound {
  /** The sender's port: it says which stream of the pattern this is. */
  readonly stream: number;
  readonly fd: number;
  /** Bytes that have come, all of them right. */
  bytes: number;
  /** The end has come. */
  ended: boolean;
}

/** A program that accepts streams, reads them as fast as they come and compares every byte. */
export class Receiver {
  readonly streams: Inbound[] = [];
  /** Streams that have ended. */
  ended = 0;
  private readonly loop: EventLoop;
  private readonly pattern: Pattern;
  private readonly buffer = Buffer.alloc(PIECE);

  constructor(stack: Stack, pattern: Pattern) {
    this.loop = new EventLoop(stack, false);
    this.pattern = pattern;
    const { sys } = stack;
    const fd = sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
    assert.equal(sys.bind(fd, { address: '0.0.0.0', port: PORT }), 0);
    assert.equal(sys.listen(fd, 4096), 0);
    this.loop.watch(fd, POLLIN, () => this.acceptAll(fd));
  }

  private acceptAll(listener: number): void {
    const peer = out<Sockaddr>();
    for (;;) {
      const fd = this.loop.sys.accept4(listener, peer, SOCK_NONBLOCK);
      if (fd === -EAGAIN) return;
      assert.ok(fd >= 0, `accept: ${errnoName(fd)}`);
      const stream: Inbound = { stream: peer.value?.port ?? 0, fd, bytes: 0, ended: false };
      this.streams.push(stream);
      this.loop.watch(fd, POLLIN, () => this.readAll(stream));
    }
  }

  private readAll(stream: Inbound): void {
    const { buffer, loop } = this;
    for (;;) {
      const count = loop.sys.recv(stream.fd, buffer);
      if (count === -EAGAIN) return;
      assert.ok(count >= 0, `recv: ${errnoName(count)} after ${stream.bytes} bytes`);
      if (count === 0) break;
      const right = this.pattern.piece(stream.stream, stream.bytes, count);
      assert.equal(buffer.compare(right, 0, count, 0, count), 0, `wrong bytes from ${stream.bytes} on`);
      stream.bytes += count;
    }
    stream.ended = true;
    this.ended++;
    loop.forget(stream.fd);
    assert.equal(loop.sys.close(stream.fd), 0);
  }
}

/** A program that opens connections and sends `total` bytes over each, then closes. */
export class Sender {
  /** Connections that are open or were. */
  connected = 0;
  private readonly loop: EventLoop;
  private readonly pattern: Pattern;
  private readonly address: string;

  /** `address` is the receiver's. */
  constructor(stack: Stack, pattern: Pattern, address: string) {
    this.loop = new EventLoop(stack, false);
    this.pattern = pattern;
    this.address = address;
  }

  /** Opens a connection from `port`; an infinite `total` never ends. */
  open(port: number, total: number): void {
    const { loop, address } = this;
    const { sys } = loop;
    const fd = sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
    assert.equal(sys.bind(fd, { address: '0.0.0.0', port }), 0);
    assert.equal(sys.connect(fd, { address, port: PORT }), -EINPROGRESS);
    let sent = -1;
    loop.watch(fd, POLLOUT, () => {
      if (sent < 0) {
        sent = 0;
        this.connected++;
      }
      sent = this.fill(fd, port, sent, total);
      if (sent < total) return;
      loop.forget(fd);
      assert.equal(sys.close(fd), 0);
    });
  }

  /** Writes until the socket takes no more; returns the position reached. */
  private fill(fd: number, stream: number, from: number, total: number): number {
    for (let sent = from; ; ) {
      const length = Math.min(PIECE, PIECE_MAX, total - sent);
      if (length === 0) return sent;
      const count = this.loop.sys.send(fd, this.pattern.piece(stream, sent, length));
      if (count === -EAGAIN) return sent;
      assert.ok(count > 0, `send: ${errnoName(count)} after ${sent} bytes`);
      sent += count;
    }
  }
}
