/**
 * Bulk receiving: reads whatever comes, and checks it when asked to.
 * @module
 */
import { EINTR } from '../../base/errno.ts';
import { Pattern, PIECE_MAX } from '../../sim/pattern.ts';
import type { Sys } from '../../socket/calls.ts';
import { out, type Sockaddr } from '../../socket/sockaddr.ts';
import { check } from '../check.ts';
import { Failure } from '../failure.ts';
import { Meter, type Metered } from '../flood/meter.ts';
import type { CommandHost } from '../host/with-host.ts';
import { say } from '../output.ts';
import { listenOn, peerText } from '../sockets.ts';

/** What to receive. */
export interface SinkSettings {
  readonly port: number;
  /** Whether every byte must be that of the pattern. */
  readonly check: boolean;
  /** Whether it ends when no connection is left. */
  readonly once: boolean;
  /** Seconds between reports. */
  readonly interval: number;
  readonly json: boolean;
  /** Takes the reports. */
  readonly print: (text: string) => void;
}

const BACKLOG = 128;
const RECEIVE_BYTES: number = PIECE_MAX / 4;

/** Receives until the host's signal aborts, or with `once` until the connections have ended. Throws a Failure. */
export async function runSink(
  host: Pick<CommandHost, 'stack' | 'signal' | 'announce'>,
  settings: SinkSettings,
): Promise<void> {
  const sys = host.stack.sys.as('sink');
  const { port } = settings;
  const listener = listenOn(sys, port, BACKLOG);
  host.announce();
  await new Sink(sys, settings, host.signal).run(listener);
}

/** The connections that come, one after the other or at once: reports are made for those of a time together. */
class Sink {
  private readonly sys: Sys;
  private readonly settings: SinkSettings;
  private readonly ended: AbortController;
  private readonly pattern: Pattern | null;
  private readonly open = new Set<Receiver>();
  /** Those of this round: from a first connection to the last's end. */
  private round: Receiver[] = [];
  private meter: Meter | null = null;
  private timer: NodeJS.Timeout | null = null;
  private failure: Failure | null = null;

  constructor(sys: Sys, settings: SinkSettings, signal: AbortSignal) {
    this.sys = sys;
    this.settings = settings;
    this.pattern = settings.check ? new Pattern() : null;
    this.ended = new AbortController();
    signal.addEventListener('abort', () => this.ended.abort(), { once: true });
  }

  async run(listener: number): Promise<void> {
    const { sys } = this;
    const { signal } = this.ended;
    const peer = out<Sockaddr>();
    while (!signal.aborted) {
      const fd = await sys.wait.accept(listener, peer, { signal });
      if (fd === -EINTR) break;
      check('accept', fd);
      this.receive(new Receiver(fd, this.round.length + 1, peerText(sys, peer.value)));
    }
    this.endRound();
    if (this.failure !== null) throw this.failure;
  }

  private receive(receiver: Receiver): void {
    this.open.add(receiver);
    this.round.push(receiver);
    if (this.meter === null) this.beginRound();
    this.readAll(receiver)
      .catch(error => this.failed(error))
      .finally(() => {
        this.sys.close(receiver.fd);
        this.open.delete(receiver);
        if (this.open.size > 0) return;
        this.endRound();
        if (this.settings.once) this.ended.abort();
      });
  }

  /** A wrong byte ends it all; a connection that broke only when it was the one that was waited for. */
  private failed(error: unknown): void {
    if (!(error instanceof Failure)) throw error;
    if (!this.settings.once && !this.settings.check) {
      say(`ethertype: ${error.message}`);
      return;
    }
    this.failure ??= error;
    this.ended.abort();
  }

  private beginRound(): void {
    const { json, interval, print } = this.settings;
    this.meter = new Meter(this.round, { verb: 'received', json, print });
    this.timer = setInterval(() => this.meter?.interval(), interval * 1000);
  }

  private endRound(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    this.meter?.end();
    this.meter = null;
    this.round = [];
  }

  private async readAll(receiver: Receiver): Promise<void> {
    const { sys, pattern } = this;
    // Each connection has a buffer: two of them may be filled before either is looked at.
    const buffer = new Uint8Array(RECEIVE_BYTES);
    for (;;) {
      const got = await sys.wait.recv(receiver.fd, buffer);
      if (got === 0) return;
      check(`from ${receiver.from} after ${receiver.bytes} bytes: recv`, got);
      if (pattern !== null) verify(pattern, receiver, buffer.subarray(0, got));
      receiver.bytes += got;
    }
  }
}

/** A connection that is read. */
class Receiver implements Metered {
  readonly fd: number;
  readonly id: number;
  readonly from: string;
  bytes = 0;

  constructor(fd: number, id: number, from: string) {
    this.fd = fd;
    this.id = id;
    this.from = from;
  }

  info(): null {
    return null;
  }
}

function verify(pattern: Pattern, receiver: Receiver, bytes: Uint8Array): void {
  const wanted = pattern.piece(0, receiver.bytes, bytes.length);
  if (Buffer.compare(wanted, bytes) === 0) return;
  const at = receiver.bytes + pattern.match(0, receiver.bytes, bytes, 0, bytes.length);
  throw new Failure(`from ${receiver.from}: byte ${at} is not the one that was sent`);
}
