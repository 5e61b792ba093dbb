/**
 * Links whose frames travel in something else: a byte stream, datagrams, messages. What is the same for all is here;
 * a RemoteTransport is the thin part that knows a socket, a pipe or a WebSocket.
 * @module
 */
import { Ring } from '../base/ring.ts';
import type { Env, Task } from '../core/env.ts';
import { type Link, type LinkPort, type Medium, NO_OFFLOADS } from '../core/link.ts';
import type { Packet } from '../core/packet.ts';
import { completeChecksum } from '../core/partial-checksum.ts';
import { PacketPool } from '../core/pool.ts';
import type { FaultEvent } from '../trace/events.ts';
import type { TraceSink } from '../trace/sink.ts';
import { Backoff, type BackoffLimits } from './backoff.ts';
import { ETHERNET_MTU, randomMac } from './cable.ts';
import { isTooBig } from './frame.ts';
import { FRAME_LENGTH_MAX, FrameDecoder, FrameQueue } from './frame-codec.ts';
import {
  Connection,
  type ConnectionOwner,
  type Framing,
  type RemoteEvents,
  type RemoteOpener,
  type RemoteTransport,
} from './remote-transport.ts';
import { traceFault } from './trace-fault.ts';

/** What a link over something else is like. */
export interface RemoteLinkOptions {
  /** Default 'ethernet'. */
  medium?: Medium | undefined;
  /** Bytes of the largest IP packet, in both directions; larger ones are dropped. Default 1500. */
  mtu?: number | undefined;
  /** The hardware address of this end; a random one when not given. */
  mac?: Uint8Array | undefined;
  /** Where received frames are put. Default: a pool of its own; better the stack's, `stack.host.pool`. */
  pool?: PacketPool | undefined;
  /** Bytes of frames that wait while the transport takes no more. Default 256 KiB. */
  queueLimit?: number | undefined;
  /** How long to wait before connecting again. False: the link ends with its first connection. */
  reconnect?: Partial<BackoffLimits> | false | undefined;
  /** Milliseconds an attempt to connect may take. Default 20,000. */
  connectTimeoutMs?: number | undefined;
  /** Told when a connection stands. */
  onUp?: (() => void) | undefined;
  /** Told when it broke, or could not be made, and why; before another one is tried. */
  onDown?: ((reason: string) => void) | undefined;
  /** The link's name in fault events. Default 'remote'. */
  name?: string | undefined;
  trace?: TraceSink | null | undefined;
}

/** Bytes of frames that wait while the transport takes no more. */
export const REMOTE_QUEUE_LIMIT = 256 * 1024;
/** Milliseconds an attempt to connect may take. */
export const CONNECT_TIMEOUT_MS = 20_000;
/** Received bytes that wait for the stack before the transport is told to pause. */
export const RECEIVE_PAUSE = 256 * 1024;
/** Received bytes that wait at most, in a transport that does not pause. */
export const RECEIVE_LIMIT = 4 * 1024 * 1024;
/** What a received chunk counts for beside its bytes: many small ones are memory, too. */
const CHUNK_COST = 128;
/** Bytes given to a byte stream at once. */
const WRITE_SIZE = 64 * 1024;
/** Frames handed over before the stack has its turn. */
const ARRIVALS_AT_ONCE = 64;
/** A pool of a link's own holds what arrives between two turns of the stack. */
const OWN_POOL = { smallSlots: 1024, largeSlots: 8 };

/**
 * A link over a transport of your own, for what has no link here yet: each chunk is one frame ('message'), or the
 * bytes are a stream of frames behind their lengths ('stream'). It connects again when the transport says `down`.
 * @example
 * const link = createRemoteLink(env, 'message', events => {
 *   vm.onframe = frame => events.received(frame);
 *   events.up();
 *   return { write: frame => vm.input(frame), pause() {}, resume() {}, close: () => vm.stop() };
 * });
 */
export function createRemoteLink(
  env: Env,
  framing: Framing,
  open: RemoteOpener,
  options: RemoteLinkOptions = {},
): RemoteLink {
  return new RemoteLink(env, framing, open, options);
}

/**
 * A link over `source`: a function is called for a new connection whenever there is none; anything else is the one
 * connection, and the link ends with it.
 */
export function createLinkOver<T extends object>(
  env: Env,
  framing: Framing,
  source: T | (() => T | Promise<T>),
  make: (connection: T, events: RemoteEvents) => RemoteTransport,
  options: RemoteLinkOptions,
): RemoteLink {
  if (typeof source !== 'function') {
    return new RemoteLink(env, framing, events => make(source, events), { ...options, reconnect: false });
  }
  const open: RemoteOpener = events => {
    const made = source();
    return 'then' in made ? made.then(connection => make(connection, events)) : make(made, events);
  };
  return new RemoteLink(env, framing, open, options);
}

/** What the create...Link functions return. */
export class RemoteLink implements Link {
  readonly medium: Medium;
  readonly mtu: number;
  readonly mac: Uint8Array | null;
  readonly offloads = NO_OFFLOADS;
  readonly name: string;
  /** Frames sent and received, frames dropped in either direction, and connections made. */
  readonly counters = { sent: 0, received: 0, dropped: 0, connections: 0 };
  private readonly env: Env;
  private readonly options: RemoteLinkOptions;
  private readonly framing: Framing;
  private readonly open: RemoteOpener;
  private readonly pool: PacketPool;
  private readonly decoder: FrameDecoder;
  private readonly backoff: Backoff;
  /** Frames on their way out. */
  private readonly waiting = new FrameQueue();
  /** Chunks on their way in, and what they count for. */
  private readonly chunks = new Ring<Uint8Array>();
  private chunkCost = 0;
  private readonly work: Task;
  /** The end of the time to connect, or of the wait before it. */
  private readonly timer: Task;
  private port: LinkPort | null = null;
  private connection: Connection | null = null;
  private why = 'not connected yet';
  private isClosed = false;
  /** The transport takes no more. */
  private blocked = false;
  /** The transport was told to read no more. */
  private paused = false;
  /** The port was refused a packet. */
  private portWaits = false;
  /** What the port knows. */
  private carrierSaid = true;
  /** Who waits in `whenUp`. */
  private waiters: { resolve: () => void; reject: (error: Error) => void }[] = [];

  constructor(env: Env, framing: Framing, open: RemoteOpener, options: RemoteLinkOptions) {
    this.env = env;
    this.options = options;
    this.framing = framing;
    this.open = open;
    this.name = options.name ?? 'remote';
    this.medium = options.medium ?? 'ethernet';
    this.mtu = options.mtu ?? ETHERNET_MTU;
    this.mac = this.medium === 'ip' ? null : (options.mac ?? randomMac(env));
    this.pool = options.pool ?? new PacketPool(OWN_POOL);
    this.decoder = new FrameDecoder(this.pool);
    this.backoff = new Backoff(env, options.reconnect === false ? {} : options.reconnect);
    this.work = env.task(() => this.run());
    this.timer = env.task(() => this.timeOut());
    this.connect();
  }

  /** Whether a connection stands. */
  get up(): boolean {
    return this.connection?.stands === true;
  }

  /** Why it is down, in one line; '' while it is up. */
  get reason(): string {
    return this.up ? '' : this.why;
  }

  /** Resolves when a connection stands; rejects when there is none and there will be none. */
  whenUp(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.up) resolve();
      else if (this.peerClosed) reject(new Error(this.why));
      else this.waiters.push({ resolve, reject });
    });
  }

  /** Whether this end was closed. */
  get closed(): boolean {
    return this.isClosed;
  }

  /** Whether the connection is over and there will be no other: nothing comes from there again. */
  get peerClosed(): boolean {
    return this.isClosed || (this.connection === null && this.options.reconnect === false);
  }

  attach(port: LinkPort): void {
    this.port = port;
    this.work.wakeAt(0);
  }

  send(packet: Packet): boolean {
    if (!this.up) return this.drop(packet, 'drop');
    if (isTooBig(packet, this.medium, this.mtu, 0)) return this.drop(packet, 'too-big');
    if (this.full) {
      this.portWaits = true;
      return false;
    }
    completeChecksum(packet);
    this.waiting.push(packet);
    // A message gains nothing from waiting; frames of a stream share a write.
    if (this.framing === 'message' || this.waiting.bytes >= WRITE_SIZE) this.flush();
    else this.work.wakeAt(0);
    return true;
  }

  /** What was sent still goes out, if the transport takes it; what came in and waits is dropped. */
  close(): void {
    if (this.isClosed) return;
    if (this.up) {
      this.blocked = false;
      this.flush();
    }
    this.isClosed = true;
    this.why = 'closed';
    this.waiting.clear();
    this.forgetReceived();
    this.connection?.end();
    this.connection = null;
    this.work.cancel();
    this.timer.cancel();
    this.tellWaiters();
  }

  // --- what a connection tells ------------------------------------------------------------------------------------

  private owner(): ConnectionOwner {
    return {
      received: chunk => this.received(chunk),
      room: () => {
        this.blocked = false;
        this.work.wakeAt(0);
      },
      changed: connection => {
        if (connection !== this.connection) return;
        if (connection.over) {
          this.blocked = false;
          this.counters.dropped += this.waiting.clear();
        } else {
          connection.upAtUs = this.env.nowUs();
          this.timer.cancel();
        }
        this.work.wakeAt(0);
      },
    };
  }

  private received(chunk: Uint8Array): void {
    if (this.chunkCost >= RECEIVE_LIMIT || (this.framing === 'message' && !isFrame(chunk))) {
      if (this.framing === 'message') this.counters.dropped++;
      else this.connection?.down('more came in than was asked for');
      return;
    }
    this.chunks.push(chunk);
    this.chunkCost += chunk.length + CHUNK_COST;
    if (!this.paused && this.chunkCost >= RECEIVE_PAUSE) {
      this.paused = true;
      this.connection?.pause();
    }
    this.work.wakeAt(0);
  }

  // --- work -------------------------------------------------------------------------------------------------------

  private get full(): boolean {
    return this.waiting.bytes >= (this.options.queueLimit ?? REMOTE_QUEUE_LIMIT);
  }

  private connect(): void {
    const connection = new Connection(this.owner());
    this.connection = connection;
    this.blocked = false;
    this.wait((this.options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS) * 1000);
    connection.open(this.open);
  }

  private timeOut(): void {
    if (this.connection === null) this.connect();
    else this.connection.down('no connection within the time allowed');
  }

  private wait(us: number): void {
    this.timer.cancel();
    this.timer.wakeAt(this.env.nowUs() + us);
  }

  private run(): void {
    const { connection } = this;
    if (connection !== null && connection.upAtUs >= 0 && !connection.announced) this.announce(connection);
    const more = this.deliver();
    this.counters.dropped += this.decoder.takeDropped();
    this.flush();
    if (this.portWaits && !this.full) {
      this.portWaits = false;
      this.port?.writable();
      this.flush();
    }
    if (this.isClosed) return;
    if (more) this.work.wakeAt(0);
    else if (this.connection?.over === true) this.disconnect(this.connection);
    this.sayCarrier();
  }

  private announce(connection: Connection): void {
    connection.announced = true;
    this.counters.connections++;
    this.emit('cable-in', 0, '');
    this.sayCarrier();
    this.tellWaiters();
    this.options.onUp?.();
  }

  /** Hands frames to the port; returns whether there may be more. */
  private deliver(): boolean {
    for (let n = 0; n < ARRIVALS_AT_ONCE; n++) {
      const packet = this.framing === 'stream' ? this.nextOfStream() : this.nextMessage();
      if (packet === null) return false;
      if (isTooBig(packet, this.medium, this.mtu, 0)) {
        this.drop(packet, 'too-big');
      } else if (this.port === null) {
        this.drop(packet, 'drop');
      } else {
        this.counters.received++;
        this.port.receive(packet);
      }
    }
    return true;
  }

  private nextOfStream(): Packet | null {
    const { decoder } = this;
    for (;;) {
      const packet = decoder.next();
      if (packet !== null) return packet;
      if (decoder.error !== '') {
        this.connection?.down(decoder.error);
        this.forgetReceived();
        return null;
      }
      const chunk = this.nextChunk();
      if (chunk === undefined) return null;
      decoder.feed(chunk);
    }
  }

  private nextMessage(): Packet | null {
    for (let chunk = this.nextChunk(); chunk !== undefined; chunk = this.nextChunk()) {
      const packet = this.pool.take(chunk.length);
      if (packet !== null) {
        packet.bytes.set(chunk, packet.start);
        packet.end = packet.start + chunk.length;
        return packet;
      }
      this.counters.dropped++;
    }
    return null;
  }

  private nextChunk(): Uint8Array | undefined {
    const chunk = this.chunks.shift();
    if (chunk === undefined) return undefined;
    this.chunkCost -= chunk.length + CHUNK_COST;
    if (this.paused && this.chunkCost <= RECEIVE_PAUSE / 2) {
      this.paused = false;
      this.connection?.resume();
    }
    return chunk;
  }

  private flush(): void {
    const { waiting } = this;
    while (waiting.length > 0 && !this.blocked && this.up) {
      if (this.framing === 'stream') {
        const frames = waiting.length;
        this.write(waiting.encode(WRITE_SIZE));
        this.counters.sent += frames - waiting.length;
      } else {
        const packet = waiting.shift() as Packet;
        // The transport may keep the bytes for as long as it likes, the packet's slot not.
        const frame = packet.bytes.slice(packet.start, packet.end);
        packet.release();
        this.write(frame);
        this.counters.sent++;
      }
    }
  }

  private write(chunk: Uint8Array<ArrayBuffer>): void {
    // Before the call: the transport may say `room` from inside it.
    this.blocked = true;
    if (this.connection?.write(chunk) === true) this.blocked = false;
  }

  /** Everything of a connection that is over was read. */
  private disconnect(connection: Connection): void {
    const half = this.framing === 'stream' && this.decoder.partial && this.decoder.error === '';
    this.why = half ? `${connection.reason}, inside a frame` : connection.reason;
    this.forgetReceived();
    this.connection = null;
    this.timer.cancel();
    if (this.options.reconnect !== false) {
      const upUs = connection.upAtUs < 0 ? 0 : this.env.nowUs() - connection.upAtUs;
      this.wait(this.backoff.nextUs(upUs));
    }
    if (connection.upAtUs >= 0) this.emit('cable-pulled', 0, this.why);
    this.sayCarrier();
    if (this.peerClosed) this.tellWaiters();
    this.options.onDown?.(this.why);
  }

  private forgetReceived(): void {
    this.chunks.clear();
    this.chunkCost = 0;
    this.paused = false;
    this.decoder.reset();
  }

  private tellWaiters(): void {
    for (const { resolve, reject } of this.waiters.splice(0)) {
      if (this.connection === null) reject(new Error(this.why));
      else resolve();
    }
    this.env.settled();
  }

  private sayCarrier(): void {
    // What came in before the end is delivered with the carrier on.
    const carrier = this.connection !== null && this.connection.upAtUs >= 0;
    if (this.port === null || carrier === this.carrierSaid) return;
    this.carrierSaid = carrier;
    this.port.carrier(carrier);
  }

  private drop(packet: Packet, fault: 'drop' | 'too-big'): true {
    this.counters.dropped++;
    this.emit(fault, packet.length, this.reason);
    packet.release();
    return true;
  }

  private emit(fault: FaultEvent['fault'], length: number, detail: string): void {
    traceFault(this.options.trace, this.env, this.name, fault, length, detail);
  }
}

function isFrame(chunk: Uint8Array): boolean {
  return chunk.length > 0 && chunk.length <= FRAME_LENGTH_MAX;
}
