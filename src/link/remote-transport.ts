/**
 * What carries the frames of a RemoteLink, and one connection of it from the attempt to its end.
 * @module
 */

/** How frames lie in a transport: behind their lengths in a byte stream, or one in each chunk. */
export type Framing = 'stream' | 'message';

/** What a transport tells its link. It may call these at any time, also from inside `write`. */
export interface RemoteEvents {
  /** It is connected. */
  up(): void;
  /** Bytes came in, which are the link's from now on. */
  received(chunk: Uint8Array): void;
  /** Room again after `write` returned false. */
  room(): void;
  /** It is over, for this reason. What came in before still counts; what is told after it does not. */
  down(reason: string): void;
}

/** One connection that carries frames. What it throws ends it. */
export interface RemoteTransport {
  /** Sends bytes, which are the transport's from now on. False: they are sent, but no more now; `room` follows. */
  write(chunk: Uint8Array<ArrayBuffer>): boolean;
  /** Stops reading, where it can; what was on its way may still come. */
  pause(): void;
  /** Reads on. */
  resume(): void;
  /** Ends it. What was written still goes out if the other side takes it; nothing is left soon after. */
  close(): void;
}

/** Makes a connection; called again after each that broke. What it throws, or rejects with, says why there is none. */
export type RemoteOpener = (events: RemoteEvents) => RemoteTransport | Promise<RemoteTransport>;

/** Who a connection belongs to. */
export interface ConnectionOwner {
  /** As RemoteEvents.received, of a connection that is not over. */
  received(chunk: Uint8Array): void;
  /** As RemoteEvents.room, of a connection that is not over. */
  room(): void;
  /** It stands now, or it is over. */
  changed(connection: Connection): void;
}

/** One connection of a link. What a transport tells after its end, or after it was given up, goes nowhere. */
export class Connection implements RemoteEvents {
  /** When it was made, in microseconds; -1 as long as it was not. Written by its owner. */
  upAtUs = -1;
  /** Whether its owner has spread the news. Written by its owner. */
  announced = false;
  private readonly owner: ConnectionOwner;
  private transport: RemoteTransport | null = null;
  private opened = false;
  private paused = false;
  private ended = false;
  private why = '';

  constructor(owner: ConnectionOwner) {
    this.owner = owner;
  }

  /** Whether bytes can be sent. */
  get stands(): boolean {
    return this.opened && this.transport !== null && !this.ended;
  }

  /** Whether it has ended. */
  get over(): boolean {
    return this.ended;
  }

  /** Why it has ended. */
  get reason(): string {
    return this.why;
  }

  /** Begins. A transport that comes too late is closed. */
  open(opener: RemoteOpener): void {
    try {
      const made = opener(this);
      if ('then' in made) made.then(transport => this.have(transport)).catch(error => this.fail(error));
      else this.have(made);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Sends bytes; false when there is no room for more, or no connection. */
  write(chunk: Uint8Array<ArrayBuffer>): boolean {
    if (!this.stands) return false;
    try {
      return (this.transport as RemoteTransport).write(chunk);
    } catch (error) {
      this.fail(error);
      return false;
    }
  }

  /** Asks the transport to read no more. */
  pause(): void {
    this.paused = true;
    this.transport?.pause();
  }

  /** Asks the transport to read on. */
  resume(): void {
    this.paused = false;
    if (!this.ended) this.transport?.resume();
  }

  /** Ends it without a word to the owner. */
  end(): void {
    this.ended = true;
    const { transport } = this;
    this.transport = null;
    try {
      transport?.close();
    } catch {
      // It is given up: how its end went is of no interest.
    }
  }

  // --- RemoteEvents ---

  up(): void {
    if (this.opened) return;
    this.opened = true;
    if (this.stands) this.owner.changed(this);
  }

  received(chunk: Uint8Array): void {
    if (!this.ended) this.owner.received(chunk);
  }

  room(): void {
    if (!this.ended) this.owner.room();
  }

  down(reason: string): void {
    if (this.ended) return;
    this.why = reason;
    this.end();
    this.owner.changed(this);
  }

  private have(transport: RemoteTransport): void {
    this.transport = transport;
    if (this.ended) this.end();
    else if (this.opened) this.owner.changed(this);
    if (this.paused) this.transport?.pause();
  }

  private fail(error: unknown): void {
    this.down(error instanceof Error ? error.message : String(error));
  }
}
