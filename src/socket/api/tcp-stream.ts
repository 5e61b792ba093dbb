import { ECONNABORTED } from '../../base/errno.ts';
import { POLLIN, POLLRDHUP } from '../../core/readiness.ts';
import type { Sys } from '../calls.ts';
import { FIONREAD, SHUT_RD, SHUT_WR, SO_ERROR, SO_LINGER, SOL_SOCKET } from '../constants.ts';
import { ALWAYS, type File } from '../file.ts';
import type { OptionValue } from '../options.ts';
import { out, type Sockaddr } from '../sockaddr.ts';
import { waitFor } from '../wait.ts';
import type { SocketAddress } from './address.ts';
import { Deferred } from './deferred.ts';
import { hostPort, SocketError } from './errors.ts';
import type { Connected } from './happy-eyeballs.ts';

/** Who talks to whom: 'address:port' of both ends. */
export interface SocketInfo {
  remoteAddress: string;
  localAddress: string;
}

/** Bytes of one chunk of `readable` at most. */
const CHUNK_MAX = 65536;

/**
 * A TCP connection as a pair of streams, in the shape of the WinterTC sockets proposal. Both apply back-pressure:
 * what is not read stays in the receive buffer and closes the peer's window. Closing `writable` sends FIN (half
 * close); both ends done, `closed` resolves.
 */
export class TcpSocketStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  /** Resolves when the connection stands; rejects with why it does not. */
  readonly opened: Promise<SocketInfo>;
  /** Resolves when both directions have ended, or `close()` is done; rejects when the connection broke. */
  readonly closed: Promise<void>;
  private readonly sys: Sys;
  /** -1 while a connection by name is sought. */
  private fd = -1;
  private file: File | null = null;
  private peer: SocketAddress;
  private readonly allowHalfOpen: boolean;
  private readonly opening: Deferred<SocketInfo>;
  private readonly ending: Deferred<void>;
  private sink: WritableStreamDefaultController | null = null;
  /** The write under way. */
  private writing: Promise<void> = Promise.resolve();
  private readDone = false;
  private writeDone = false;
  /** The descriptor is closed; `failure` says why when that was no ordinary end. */
  private ended = false;
  private failure: unknown = null;

  /**
   * Takes over a descriptor; `handshake` is what its connect() will return. Or takes the name of a host, and the
   * descriptor when `handshake` gives it: then it is connected.
   */
  constructor(
    sys: Sys,
    to: Connected | SocketAddress,
    handshake: Promise<number | Connected>,
    allowHalfOpen: boolean,
  ) {
    const { env } = sys.context.host;
    this.sys = sys;
    this.peer = 'fd' in to ? this.adopt(to) : to;
    this.allowHalfOpen = allowHalfOpen;
    this.opening = new Deferred(env);
    this.ending = new Deferred(env);
    this.opened = this.opening.promise;
    this.closed = this.ending.promise;
    this.readable = new ReadableStream(
      {
        type: 'bytes',
        pull: controller => this.pull(controller),
        cancel: () => this.stopReading(),
      },
      { highWaterMark: 0 },
    );
    this.writable = new WritableStream<Uint8Array>({
      start: controller => {
        this.sink = controller;
      },
      write: chunk => (this.writing = this.write(chunk)),
      close: () => this.stopWriting(),
      abort: reason => this.abort(reason),
    });
    void this.open(handshake);
  }

  /** Sends what was written, then closes. Unread data makes it a reset, as on Linux. Resolves when it is done. */
  async close(): Promise<void> {
    if (!this.opening.settled) this.abort(new SocketError('connect', -ECONNABORTED, ...this.where()));
    if (this.ended) return;
    // Whoever holds the writer may still have chunks queued; only the one under way is ours to wait for.
    if (!this.writable.locked && !this.writeDone) await this.writable.close().catch(() => {});
    else await this.writing.catch(() => {});
    this.finish();
  }

  /** Resets the connection at once (RST); everything pending rejects with `reason`. */
  abort(reason?: unknown): void {
    if (this.ended) return;
    this.sys.setsockopt(this.fd, SOL_SOCKET, SO_LINGER, { l_onoff: 1, l_linger: 0 });
    this.fail(reason ?? new SocketError('abort', -ECONNABORTED, ...this.where()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private adopt({ fd, remote }: Connected): SocketAddress {
    this.fd = fd;
    this.file = this.sys.ops.files.get(fd) ?? null;
    this.peer = { hostname: String(remote.address), port: remote.port };
    return this.peer;
  }

  private where(): [string, number] {
    return [this.peer.hostname, this.peer.port];
  }

  private async open(handshake: Promise<number | Connected>): Promise<void> {
    let result: number | Connected;
    try {
      result = await handshake;
    } catch (error) {
      this.fail(error);
      return;
    }
    if (this.ended) {
      if (typeof result !== 'number') this.sys.close(result.fd);
      return;
    }
    if (typeof result !== 'number') {
      this.adopt(result);
    } else if (result < 0) {
      this.fail(this.errorOf('connect', result));
      return;
    }
    const local = out<Sockaddr>();
    this.sys.getsockname(this.fd, local);
    this.opening.resolve({
      remoteAddress: hostPort(...this.where()),
      localAddress: hostPort(String(local.value?.address), local.value?.port),
    });
    await this.watch();
  }

  /** Notices an end that nobody reads or writes into: a reset, or FIN both ways. */
  private async watch(): Promise<void> {
    const { host } = this.sys.context;
    await this.until(0);
    host.refreshNow();
    if (this.ended) return;
    if (this.file?.closed === true) {
      this.fail(this.errorOf('read', -ECONNABORTED));
      return;
    }
    // What came before the end is the reader's; it will meet the end itself.
    if (this.unread() > 0) return;
    const error = out<OptionValue>();
    this.sys.ops.getsockopt(this.fd, SOL_SOCKET, SO_ERROR, error);
    if (error.value !== 0) this.fail(new SocketError('read', Number(error.value)));
    else this.readDone = true;
    this.finishIfDone();
  }

  private unread(): number {
    const bytes = out<number>();
    return this.sys.ops.ioctl(this.fd, FIONREAD, bytes) < 0 ? 0 : (bytes.value ?? 0);
  }

  /** Waits until one of the bits holds, or the connection has ended. */
  private async until(mask: number): Promise<void> {
    // What was there before the wait began wakes nobody.
    const file = this.file as File;
    if ((file.poll() & (mask | ALWAYS)) !== 0) return;
    await waitFor(this.sys.context.host, file, mask, Number.POSITIVE_INFINITY, undefined);
  }

  private async pull(controller: ReadableByteStreamController): Promise<void> {
    await this.opened;
    if (this.failure !== null) throw this.failure;
    const byob = controller.byobRequest;
    // The buffer is made when it is known how much there is: an idle connection holds none.
    if (byob === null && !this.ended && this.unread() === 0) {
      await this.until(POLLIN | POLLRDHUP);
    }
    // A byte stream's view is made of the reader's buffer: always bytes, whatever its type says.
    const view = (byob?.view ?? null) as Uint8Array<ArrayBuffer> | null;
    const buffer = view ?? new Uint8Array(Math.min(Math.max(this.unread(), 1), CHUNK_MAX));
    const result = this.ended || this.readDone ? 0 : await this.sys.wait.recv(this.fd, buffer);
    if (this.failure !== null) throw this.failure;
    // Bytes that recv() took before the connection ended are still the reader's.
    if (result > 0 && byob !== null) {
      byob.respond(result);
    } else if (result > 0) {
      controller.enqueue(result === buffer.length ? buffer : buffer.subarray(0, result));
    } else if (this.ended || result === 0) {
      controller.close();
      byob?.respond(0);
      this.endOfStream();
    } else {
      const error = this.errorOf('read', result);
      this.fail(error);
      throw error;
    }
  }

  private endOfStream(): void {
    this.readDone = true;
    if (this.ended) return;
    // A writer that someone holds is closed by its holder, who may have more to say.
    if (!this.allowHalfOpen && !this.writeDone && !this.writable.locked)
      this.writable.close().catch(() => {});
    this.finishIfDone();
  }

  private stopReading(): void {
    if (this.ended) return;
    this.sys.shutdown(this.fd, SHUT_RD);
    this.readDone = true;
    this.finishIfDone();
  }

  private async write(chunk: Uint8Array): Promise<void> {
    if (!(chunk instanceof Uint8Array)) throw new TypeError('a socket takes chunks of Uint8Array');
    await this.opened;
    if (this.failure !== null) throw this.failure;
    if (this.ended) throw this.errorOf('write', -ECONNABORTED);
    for (let sent = 0; sent < chunk.length; ) {
      const result = await this.sys.wait.send(this.fd, sent === 0 ? chunk : chunk.subarray(sent));
      if (this.failure !== null) throw this.failure;
      if (result < 0) {
        const error = this.errorOf('write', result);
        this.fail(error);
        throw error;
      }
      sent += result;
    }
  }

  private async stopWriting(): Promise<void> {
    await this.opened;
    if (this.ended) return;
    this.sys.shutdown(this.fd, SHUT_WR);
    this.writeDone = true;
    this.finishIfDone();
  }

  private finishIfDone(): void {
    if (this.readDone && this.writeDone) this.finish();
  }

  private finish(): void {
    if (this.ended) return;
    this.ended = true;
    this.sys.close(this.fd);
    this.sink?.error(this.errorOf('write', -ECONNABORTED));
    this.ending.resolve();
  }

  private fail(error: unknown): void {
    if (this.ended) return;
    this.ended = true;
    this.failure = error;
    if (this.file?.closed === false) this.sys.close(this.fd);
    this.sink?.error(error);
    this.opening.reject(error);
    this.ending.reject(error);
  }

  private errorOf(syscall: string, result: number): SocketError {
    // A descriptor that was closed under the call: the whole stack was closed.
    const errno = this.file?.closed === true && !this.ended ? -ECONNABORTED : result;
    return syscall === 'connect'
      ? new SocketError(syscall, errno, ...this.where())
      : new SocketError(syscall, errno);
  }
}
