import { TRACE_ALL, type TraceEvent } from '../trace/events.ts';
import type { TraceSink } from '../trace/sink.ts';

/**
 * A sink that keeps nothing but a running 64-bit hash (FNV-1a over the events' JSON): two runs that were the same,
 * byte for byte, have the same `digest`. Not for security.
 */
export class TraceHash implements TraceSink {
  readonly wants: number;
  /** Events hashed so far. */
  count = 0;
  /** Two 32-bit hashes with different offsets and primes. */
  private high = 0x811c9dc5 | 0;
  private low = 0x050c5d1f;

  constructor(wants: number = TRACE_ALL) {
    this.wants = wants;
  }

  /** 16 hexadecimal digits. */
  get digest(): string {
    return hex32(this.high) + hex32(this.low);
  }

  emit(event: TraceEvent): void {
    this.count++;
    this.add(JSON.stringify(event));
    this.add('\n');
  }

  private add(text: string): void {
    let { high, low } = this;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      high = Math.imul(high ^ unit, 0x01000193);
      low = Math.imul(low ^ unit, 0x5bd1e995);
    }
    this.high = high;
    this.low = low;
  }
}

function hex32(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}
