import type { Segment } from './segment.ts';
import type { OptionSpec, TcpSpec } from './syntax.ts';

/** The byte at `offset` of a stream: what scripts send, and what they expect to be sent. */
export function patternByte(offset: number): number {
  return (Math.imul(offset + 1, 0x9e3779b1) >>> 24) & 0xff;
}

/** `length` bytes of the pattern from `offset` on. */
export function pattern(offset: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => patternByte(offset + i));
}

/**
 * One remote end of a connection: keeps what turns a script's numbers (counted from the initial sequence numbers, with
 * timestamps of its own) into those on the wire, and back.
 */
export class Peer {
  readonly port: number;
  localPort: number;
  /** What the script's 0 is on the wire, for the peer's direction. */
  isn: number;
  /** The same for ours; null until our first segment is seen. */
  iss: number | null = null;
  /** Timestamps we sent: script's to wire's. */
  private readonly timestamps = new Map<number, number>();
  private timestampOffset: number | null = null;

  constructor(port: number, localPort: number, isn: number) {
    this.port = port;
    this.localPort = localPort;
    this.isn = isn >>> 0;
  }

  /** A new connection begins on the same ports. */
  restart(isn: number): void {
    this.isn = isn >>> 0;
    this.iss = null;
    this.timestamps.clear();
    this.timestampOffset = null;
  }

  /** What the peer sends. */
  toWire(spec: TcpSpec): Segment {
    const iss = this.iss ?? 0;
    return {
      source: this.port,
      destination: this.localPort,
      seq: (this.isn + spec.seq) >>> 0,
      ack: spec.ack === null ? 0 : (iss + spec.ack) >>> 0,
      flags: spec.flags,
      window: spec.window ?? 0,
      urgent: spec.urgent ?? 0,
      options: (spec.options ?? []).map(option => this.optionToWire(option, iss)),
      payload: pattern(spec.seq - 1, spec.length),
      ecn: spec.tags.ecn ?? 0,
    };
  }

  private optionToWire(option: OptionSpec, iss: number): OptionSpec {
    if (option.kind === 'sack') {
      return {
        kind: 'sack',
        blocks: option.blocks.map(([left, right]) => [(iss + left) >>> 0, (iss + right) >>> 0]),
      };
    }
    if (option.kind !== 'timestamps') return option;
    const known = this.timestamps.get(option.ecr) ?? option.ecr + (this.timestampOffset ?? 0);
    return { ...option, ecr: known >>> 0 };
  }

  /** Takes note of the first segment of ours: the script says which number it has there. */
  learn(live: Segment, spec: TcpSpec): void {
    this.localPort = live.source;
    this.iss ??= (live.seq - spec.seq) >>> 0;
  }

  /** Takes note of a timestamp of ours that the script names. */
  learnTimestamp(live: number, script: number): void {
    this.timestamps.set(script, live);
    this.timestampOffset ??= live - script;
  }

  /** A segment of ours in the script's numbers; the flags, the window and the payload are left as they are. */
  fromWire(live: Segment): Segment {
    const iss = this.iss ?? 0;
    return {
      ...live,
      seq: relative(live.seq, iss),
      ack: relative(live.ack, this.isn),
      options: live.options.map(option =>
        option.kind === 'sack'
          ? {
              kind: 'sack',
              blocks: option.blocks.map(([left, right]) => [
                relative(left, this.isn),
                relative(right, this.isn),
              ]),
            }
          : option,
      ),
    };
  }
}

/** The distance from `base`, unsigned; a little before it counts as negative. */
function relative(seq: number, base: number): number {
  const distance = (seq - base) >>> 0;
  return distance > 0xf0000000 ? distance - 0x100000000 : distance;
}
