import type { Env, Task } from '../core/env.ts';
import { createLinkOver, type RemoteLink, type RemoteLinkOptions } from './remote.ts';
import type { RemoteEvents, RemoteTransport } from './remote-transport.ts';

/** What a link needs of a WebSocket: the browsers', Node's and Deno's own, and those of the package `ws` have it. */
export interface WebSocketLike {
  binaryType: string;
  /** 0 connecting, 1 open, 2 closing, 3 closed. */
  readonly readyState: number;
  /** Bytes that were sent and are not in the network yet. */
  readonly bufferedAmount: number;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: 'open' | 'error', listener: (event: object) => void): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(
    type: 'close',
    listener: (event: { readonly code: number; readonly reason: string }) => void,
  ): void;
  /** Stops reading; `ws` has it, browsers have not. */
  pause?(): void;
  resume?(): void;
  /** Ends it without a closing handshake; `ws` has it. */
  terminate?(): void;
}

/** What a link over a WebSocket is like. */
export interface WebSocketLinkOptions extends RemoteLinkOptions {
  /** Bytes in the WebSocket's own queue (`bufferedAmount`) above which the link waits. Default 256 KiB. */
  bufferLimit?: number | undefined;
}

/** Bytes in a WebSocket's own queue above which its link waits. */
export const WEB_SOCKET_BUFFER_LIMIT = 256 * 1024;
/** No event tells that a WebSocket's queue got shorter: it is looked at after so many microseconds, doubled up to. */
const POLL_MIN_US = 1000;
const POLL_MAX_US = 32_000;
/** Microseconds the other side has for its part of the closing handshake. */
const CLOSE_TIMEOUT_US = 1_000_000;

const CONNECTING = 0;
const OPEN = 1;
/** Status codes (RFC 6455 section 7.4.1). */
const NORMAL_CLOSURE = 1000;

/**
 * A link over a WebSocket, one binary message a frame: for browsers, and for servers to take them in. Given a
 * function, it calls it for a new socket whenever there is no connection; given a socket, it ends with it.
 * @example
 * stack.attach(createWebSocketLink(env, () => new WebSocket('wss://lab.example/lan')), { address: '10.0.0.2/24' });
 * server.on('connection', socket => lan.attach(createWebSocketLink(env, socket))); // `ws`, a LearningSwitch
 */
export function createWebSocketLink(
  env: Env,
  source: WebSocketLike | (() => WebSocketLike | Promise<WebSocketLike>),
  options: WebSocketLinkOptions = {},
): RemoteLink {
  const limit = options.bufferLimit ?? WEB_SOCKET_BUFFER_LIMIT;
  const make = (socket: WebSocketLike, events: RemoteEvents) =>
    new WebSocketTransport(env, socket, events, limit);
  return createLinkOver(env, 'message', source, make, options);
}

class WebSocketTransport implements RemoteTransport {
  private readonly env: Env;
  private readonly socket: WebSocketLike;
  private readonly events: RemoteEvents;
  private readonly limit: number;
  /** Looks at the queue; after `close`, ends what did not end by itself. */
  private readonly task: Task;
  private pollUs = 0;
  private problem = '';
  private closed = false;

  constructor(env: Env, socket: WebSocketLike, events: RemoteEvents, limit: number) {
    this.env = env;
    this.socket = socket;
    this.events = events;
    this.limit = limit;
    this.task = env.task(() => this.onTask());
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('open', () => events.up());
    socket.addEventListener('message', event => this.onMessage(event.data));
    socket.addEventListener('error', event => this.onError(event));
    socket.addEventListener('close', event => this.onClose(event.code, event.reason));
    if (socket.readyState === OPEN) events.up();
    else if (socket.readyState !== CONNECTING) events.down('the WebSocket is closed');
  }

  write(frame: Uint8Array<ArrayBuffer>): boolean {
    const { socket } = this;
    socket.send(frame);
    if (socket.bufferedAmount <= this.limit) return true;
    this.pollUs = POLL_MIN_US;
    this.task.wakeAt(this.env.nowUs() + this.pollUs);
    return false;
  }

  pause(): void {
    this.socket.pause?.();
  }

  resume(): void {
    this.socket.resume?.();
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    const { socket } = this;
    this.task.cancel();
    // A paused socket would never see the answer.
    socket.resume?.();
    if (socket.readyState <= OPEN) socket.close(NORMAL_CLOSURE);
    if (socket.readyState < 3 && socket.terminate !== undefined) {
      this.task.wakeAt(this.env.nowUs() + CLOSE_TIMEOUT_US);
    }
  }

  private onTask(): void {
    const { socket } = this;
    if (this.closed) {
      socket.terminate?.();
    } else if (socket.bufferedAmount > this.limit / 2) {
      this.pollUs = Math.min(this.pollUs * 2, POLL_MAX_US);
      this.task.wakeAt(this.env.nowUs() + this.pollUs);
    } else {
      this.events.room();
    }
  }

  private onMessage(data: unknown): void {
    if (data instanceof ArrayBuffer) this.events.received(new Uint8Array(data));
    else if (data instanceof Uint8Array) this.events.received(data);
    // Text is no frame: an empty one is dropped and counted.
    else this.events.received(new Uint8Array(0));
  }

  /** `close` follows in every implementation; only this event knows the reason, and only in some. */
  private onError(event: { readonly message?: unknown }): void {
    if (typeof event.message === 'string') this.problem = event.message;
  }

  private onClose(code: number, reason: string): void {
    this.task.cancel();
    const why = this.problem || reason;
    this.events.down(`the WebSocket was closed (${code}${why === '' ? '' : `: ${why}`})`);
  }
}
