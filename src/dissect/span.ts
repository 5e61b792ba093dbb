/**
 * Part of a captured packet: what was kept of it may be less than what it had on the wire.
 * Reading past what was kept gives 0, so that no byte sequence can do harm; ask `has` first to know.
 */
export class Span {
  private readonly view: DataView;
  /** Where it begins in the capture. */
  readonly start: number;
  /** Bytes that were kept. */
  readonly captured: number;
  /** Bytes it had on the wire. */
  readonly length: number;

  private constructor(view: DataView, start: number, captured: number, length: number) {
    this.view = view;
    this.start = start;
    this.captured = captured;
    this.length = length;
  }

  /** A whole packet: `bytes` were kept of it, `originalLength` it had. */
  static of(bytes: Uint8Array, originalLength: number): Span {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return new Span(view, 0, bytes.length, Math.max(bytes.length, originalLength));
  }

  /** Whether the first `count` bytes were kept. */
  has(count: number): boolean {
    return this.captured >= count;
  }

  u8(at: number): number {
    return this.has(at + 1) ? this.view.getUint8(this.start + at) : 0;
  }

  u16(at: number): number {
    return this.has(at + 2) ? this.view.getUint16(this.start + at) : 0;
  }

  u32(at: number): number {
    return this.has(at + 4) ? this.view.getUint32(this.start + at) : 0;
  }

  /** What follows the first `count` bytes. */
  after(count: number): Span {
    const skipped = Math.min(count, this.captured);
    return new Span(
      this.view,
      this.start + skipped,
      this.captured - skipped,
      Math.max(0, this.length - count),
    );
  }

  /** The first `length` bytes on the wire: what a length field says, without padding. */
  first(length: number): Span {
    return new Span(this.view, this.start, Math.min(this.captured, length), length);
  }

  /** The kept bytes in [from, to) in hexadecimal. */
  hex(from: number, to: number): string {
    let text = '';
    for (let at = from; at < to; at++) text += this.u8(at).toString(16).padStart(2, '0');
    return text;
  }

  /** Kept bytes from `at` on as 'aa:bb:...'. */
  mac(at: number): string {
    return Array.from({ length: 6 }, (_, i) => this.hex(at + i, at + i + 1)).join(':');
  }

  /** The kept bytes as tcpdump dumps a message it cannot decode: as `dump`, without the ASCII. */
  dumpHex(): string {
    let text = '';
    for (let at = 0; at < this.captured; at += 2) {
      if (at % 16 === 0) text += `\n\t0x${at.toString(16).padStart(4, '0')}: `;
      text += ` ${this.hex(at, Math.min(at + 2, this.captured))}`;
    }
    return text;
  }

  /** The kept bytes as tcpdump dumps a packet it cannot decode: lines of a newline, a tab, hexadecimal and ASCII. */
  dump(): string {
    let text = '';
    for (let line = 0; line < this.captured; line += 16) {
      let digits = '';
      let ascii = '';
      for (let at = line; at < Math.min(line + 16, this.captured); at++) {
        const byte = this.u8(at);
        digits += `${at % 2 === 0 ? ' ' : ''}${this.hex(at, at + 1)}`;
        ascii += byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.';
      }
      text += `\n\t0x${line.toString(16).padStart(4, '0')}: ${digits.padEnd(41)} ${ascii}`;
    }
    return text;
  }
}

/** How tcpdump says that less than a whole header was kept. */
export function formatCutHeader(captured: number, headerLength: number): string {
  return ` [remaining caplen(${captured}) < header length(${headerLength})]`;
}
