import type { OutSegment, Segment } from '../../tcp/segment.ts';
import { ACK, FIN, PSH, RST, SYN } from '../../wire/tcp.ts';

/** A segment on its way, as plain values: it can arrive several times, or never. */
export interface WireSegment {
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly window: number;
  readonly mss: number;
  readonly windowScale: number;
  readonly sackPermitted: boolean;
  readonly sack: readonly number[];
  readonly data: Uint8Array;
  /** All of the above in one string: two segments with the same key cannot be told apart. */
  readonly key: string;
}

/** Copies what is being sent. */
export function toWire(out: OutSegment): WireSegment {
  const { seq, ack, flags, window, options } = out;
  const { mss, windowScale, sackPermitted } = options;
  const data = new Uint8Array(out.dataLength);
  out.data?.copyTo(out.dataOffset, data, 0, out.dataLength);
  const sack = Array.from(options.sack.subarray(0, 2 * options.sackCount));
  const head = `${seq},${ack},${flags},${window},${mss},${windowScale},${sackPermitted ? 1 : 0}`;
  const key = `${head},${sack.join('/')},${String.fromCharCode(...data)}`;
  return { seq, ack, flags, window, mss, windowScale, sackPermitted, sack, data, key };
}

/** Fills `into` as if the segment had just been parsed. */
export function fromWire(wire: WireSegment, into: Segment): Segment {
  into.seq = wire.seq;
  into.ack = wire.ack;
  into.flags = wire.flags;
  into.window = wire.window;
  into.bytes = wire.data;
  into.start = 0;
  into.end = wire.data.length;
  const { options } = into;
  options.clear();
  options.mss = wire.mss;
  options.windowScale = wire.windowScale;
  options.sackPermitted = wire.sackPermitted;
  for (let i = 0; i < wire.sack.length; i += 2) options.addSack(wire.sack[i] ?? 0, wire.sack[i + 1] ?? 0);
  return into;
}

const LETTERS = [
  ['S', SYN],
  ['F', FIN],
  ['R', RST],
  ['P', PSH],
  ['.', ACK],
] as const;

/** For people: flags as tcpdump writes them, numbers relative to `iss` of the sender and `irs` of the receiver. */
export function formatWire(wire: WireSegment, iss: number, irs: number): string {
  const letters = LETTERS.filter(([, flag]) => (wire.flags & flag) !== 0).map(([letter]) => letter);
  const start = (wire.seq - iss) | 0;
  const parts = [`[${letters.join('')}] seq ${start}:${start + wire.data.length}`];
  if ((wire.flags & ACK) !== 0) parts.push(`ack ${(wire.ack - irs) | 0}`);
  parts.push(`win ${wire.window}`);
  if (wire.sack.length > 0) parts.push(`sack ${wire.sack.map(edge => (edge - irs) | 0).join(':')}`);
  if (wire.data.length > 0) parts.push(`'${String.fromCharCode(...wire.data)}'`);
  return parts.join(' ');
}
