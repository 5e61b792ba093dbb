import { Ring } from '../base/ring.ts';
import type { HttpLimits } from './limits.ts';
import { type MessageHead, MessageParser, type MessageSink } from './parser.ts';
import { HttpError } from './status.ts';
import type { ByteStream } from './stream.ts';

/** Marks the end of a message in the queue. */
const END = null;
type Part = MessageHead | Uint8Array | typeof END;

/**
 * Pulls messages out of a byte stream. It reads from the stream only when what was read before is used up, so that
 * it holds at most the messages of one chunk and a slow consumer slows the sender down.
 */
export class MessageReader implements MessageSink {
  private readonly stream: ByteStream;
  private readonly parser: MessageParser;
  private readonly parts = new Ring<Part>();
  private failure: HttpError | null = null;
  private eof = false;
  /** Between a head and the end of its message. */
  private inMessage = false;

  constructor(stream: ByteStream, type: 'REQUEST' | 'RESPONSE', limits: HttpLimits) {
    this.stream = stream;
    this.parser = new MessageParser(type, limits, this);
  }

  /** For responses: whether the next message answers HEAD. */
  set answersHead(yes: boolean) {
    this.parser.answersHead = yes;
  }

  /** Whether the whole of the present message was read. */
  get messageDone(): boolean {
    return !this.inMessage;
  }

  /** Whether the head of a message is here already, so that `nextHead` need not wait. */
  get hasHead(): boolean {
    return !this.inMessage && this.parts.length > 0;
  }

  /** Whether the peer has sent its last byte. */
  get ended(): boolean {
    return this.eof;
  }

  /** The next head; null when the stream ended between messages. Throws HttpError, or what the stream throws. */
  async nextHead(): Promise<MessageHead | null> {
    for (;;) {
      const part = this.parts.shift();
      if (part !== undefined) {
        // Only a head can follow the end of a message.
        this.inMessage = true;
        this.settleEmpty();
        return part as MessageHead;
      }
      if (!this.mayRead() || !this.take(await this.stream.read())) return null;
    }
  }

  /** More of the body; null at its end. Throws HttpError, or what the stream throws. */
  async nextBody(): Promise<Uint8Array | null> {
    for (;;) {
      const part = this.bodyHere();
      if (part !== undefined) return part;
      if (!this.mayRead() || !this.take(await this.stream.read())) {
        throw new HttpError(400, 'message cut short');
      }
    }
  }

  /** As `nextBody`, of what was read already: undefined when the next piece is not here yet. */
  bodyHere(): Uint8Array | null | undefined {
    if (!this.inMessage) return null;
    const part = this.parts.shift();
    if (part === END) this.inMessage = false;
    return part as Uint8Array | null | undefined;
  }

  head(head: MessageHead): void {
    this.parts.push(head);
  }

  body(bytes: Uint8Array): void {
    this.parts.push(bytes);
  }

  end(): void {
    this.parts.push(END);
  }

  /** A message without a body is over with its head. */
  private settleEmpty(): void {
    if (this.parts.length > 0 && this.parts.at(0) === END) {
      this.parts.shift();
      this.inMessage = false;
    }
  }

  /** False at the end of the stream. What stands before an error is handed out before it is thrown. */
  private mayRead(): boolean {
    if (this.failure !== null) throw this.failure;
    return !this.eof;
  }

  /** Takes what was read, null for the end of the stream; false when that leaves nothing to hand out. */
  private take(bytes: Uint8Array | null): boolean {
    this.eof = bytes === null;
    this.failure = bytes === null ? this.parser.finish() : this.parser.feed(bytes);
    if (this.failure !== null && this.parts.length === 0) throw this.failure;
    return !this.eof || this.parts.length > 0;
  }
}
