import assert from 'node:assert/strict';
import { EAGAIN, EINPROGRESS, errnoName } from '../../src/base/errno.ts';
import { POLLIN, POLLOUT } from '../../src/core/readiness.ts';
import { EventLoop } from '../../src/sim/event-loop.ts';
import type { Pattern } from '../../src/sim/pattern.ts';
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

/** A program that opens connections and sends bytes over each. */
export class Sender {
  /** Descriptors of connections that are done and were to stay open. */
  private readonly kept: number[] = [];
  private readonly loop: EventLoop;
  private readonly pattern: Pattern;
  private readonly address: string;

  /** `address` is the receiver's. */
  constructor(stack: Stack, pattern: Pattern, address: string) {
    this.loop = new EventLoop(stack, false);
    this.pattern = pattern;
    this.address = address;
  }

  /** Opens a connection from `port` and sends `total` bytes, then closes, unless it is to `keep` it open. */
  open(port: number, total: number, keep = false): void {
    const { loop, address } = this;
    const { sys } = loop;
    const fd = sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
    assert.equal(sys.bind(fd, { address: '0.0.0.0', port }), 0);
    assert.equal(sys.connect(fd, { address, port: PORT }), -EINPROGRESS);
    let sent = 0;
    loop.watch(fd, POLLOUT, () => {
      sent = this.fill(fd, port, sent, total);
      if (sent < total) return;
      loop.forget(fd);
      if (keep) this.kept.push(fd);
      else assert.equal(sys.close(fd), 0);
    });
  }

  /** Closes what was kept open. */
  closeKept(): void {
    for (const fd of this.kept.splice(0)) assert.equal(this.loop.sys.close(fd), 0);
  }

  /** Writes until the socket takes no more; returns the position reached. */
  private fill(fd: number, stream: number, from: number, total: number): number {
    for (let sent = from; ; ) {
      const length = Math.min(PIECE, total - sent);
      if (length === 0) return sent;
      const count = this.loop.sys.send(fd, this.pattern.piece(stream, sent, length));
      if (count === -EAGAIN) return sent;
      assert.ok(count > 0, `send: ${errnoName(count)} after ${sent} bytes`);
      sent += count;
    }
  }
}
