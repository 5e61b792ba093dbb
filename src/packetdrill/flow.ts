import { ACK, SYN } from '../wire/tcp.ts';
import { pattern } from './pattern.ts';
import type { Segment } from './segment.ts';
import type { OptionSpec, TcpSpec } from './syntax.ts';

/** Where one direction's sequence numbers begin: what the SYN has in the script, and on the wire. */
interface Origin {
  script: number;
  live: number;
}

/**
 * One connection as a script sees it: keeps what turns a script's numbers into those on the wire, and back. A SYN has
 * its number as it stands in the script; all others count from the SYN's.
 */
export class Flow {
  readonly remotePort: number;
  localPort: number;
  readonly remote: Origin;
  readonly local: Origin = { script: 0, live: 0 };
  /** Whether our first sequence number has been seen. */
  localKnown = false;
  /** Our timestamps, the script's to those on the wire; and the first of them. */
  private readonly timestamps = new Map<number, number>();
  private firstTimestamp: { script: number; live: number } | null = null;

  constructor(remotePort: number, localPort: number, remote: Origin = { script: 0, live: 0 }) {
    this.remotePort = remotePort;
    this.localPort = localPort;
    this.remote = remote;
  }

  /** A new connection begins on the same ports. */
  restart(isn: number): void {
    this.remote.script = 0;
    this.remote.live = isn >>> 0;
    this.localKnown = false;
    this.timestamps.clear();
    this.firstTimestamp = null;
  }

  /**
   * What the peer sends; a string says why that cannot be told. With `scaled` a timestamp that was not sent may be
   * echoed, too.
   */
  toWire(spec: TcpSpec, scaled: boolean): Segment | string {
    const { remote, local } = this;
    const syn = (spec.flags & SYN) !== 0;
    const acks = (spec.flags & ACK) !== 0;
    const ackOffset = syn ? local.live - local.script : local.live;
    const options: OptionSpec[] = [];
    for (const option of spec.options ?? []) {
      const live = this.optionToWire(option, ackOffset, acks, scaled);
      if (typeof live === 'string') return live;
      options.push(live);
    }
    return {
      source: spec.ports?.source || this.remotePort,
      destination: spec.ports?.destination || this.localPort,
      seq: (spec.seq + remote.live - (syn ? remote.script : 0)) >>> 0,
      ack: acks ? ((spec.ack ?? 0) + ackOffset) >>> 0 : (spec.ack ?? 0),
      flags: spec.flags,
      window: spec.window ?? 0,
      urgent: spec.urgent,
      options,
      payload: pattern(this.offsetOf(spec, remote), spec.length),
      tos: spec.ip.tos,
      ttl: spec.ip.ttl,
    };
  }

  private optionToWire(
    option: OptionSpec,
    ackOffset: number,
    acks: boolean,
    scaled: boolean,
  ): OptionSpec | string {
    if (option.kind === 'sack') return shifted(option.blocks, ackOffset);
    if (option.kind !== 'timestamps' || !acks) return option;
    const known = this.timestamps.get(option.ecr);
    if (known !== undefined) return { ...option, ecr: known };
    if (!scaled) return `unable to infer live TS ecr for script TS ecr ${option.ecr}`;
    const { script, live } = this.firstTimestamp ?? { script: 0, live: 0 };
    return { ...option, ecr: (option.ecr - script + live) >>> 0 };
  }

  /** Where the payload lies in its stream. */
  offsetOf(spec: TcpSpec, { script }: Origin): number {
    return (spec.flags & SYN) !== 0 ? spec.seq - script : spec.seq - 1;
  }

  /** Where the payload of a segment we are to send lies in its stream. */
  offsetOfOurs(spec: TcpSpec): number {
    return this.offsetOf(spec, this.local);
  }

  /** Takes note of our first segment: the script says which number it has there. */
  learn(live: Segment, spec: TcpSpec): void {
    const syn = (spec.flags & SYN) !== 0;
    this.local.script = syn ? spec.seq : 0;
    this.local.live = (syn ? live.seq : live.seq - spec.seq) >>> 0;
    this.localKnown = true;
  }

  /** Takes note of a timestamp of ours that the script names. */
  learnTimestamp(live: number, script: number): void {
    this.timestamps.set(script, live);
    this.firstTimestamp ??= { script, live };
  }

  /** A segment of ours in the script's numbers; ports, flags, window and payload are left as they are. */
  fromWire(live: Segment): Segment {
    const { remote, local, firstTimestamp } = this;
    const syn = (live.flags & SYN) !== 0;
    const back = syn ? remote.live - remote.script : remote.live;
    return {
      ...live,
      seq: (live.seq - local.live + (syn ? local.script : 0)) >>> 0,
      ack: (live.flags & ACK) !== 0 ? (live.ack - back) >>> 0 : live.ack,
      options: live.options.map(option => {
        if (option.kind === 'sack') return shifted(option.blocks, -back);
        if (option.kind !== 'timestamps' || firstTimestamp === null) return option;
        return { ...option, val: (option.val - firstTimestamp.live + firstTimestamp.script) >>> 0 };
      }),
    };
  }
}

function shifted(blocks: readonly (readonly [number, number])[], by: number): OptionSpec {
  return {
    kind: 'sack',
    blocks: blocks.map(([left, right]) => [(left + by) >>> 0, (right + by) >>> 0]),
  };
}
