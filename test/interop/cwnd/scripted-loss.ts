import { seqDiff } from '../../../src/base/seq.ts';
import type { Packet } from '../../../src/core/packet.ts';

const ETHERNET = 14;
const IPV4_MIN = 20;
const PROTOCOL_TCP = 6;
const SYN = 0x02;

/**
 * Loses chosen bytes of a stream, once each: the frame that carries such a byte for the first time vanishes, whoever
 * sends it and whenever. So two senders lose the same. For one TCP connection over IPv4 and Ethernet.
 */
export class ScriptedLoss {
  /** Milliseconds by `nowMs` at which frames were lost. */
  readonly lostAtMs: number[] = [];
  /** Where in the stream, ascending, counted from 0. */
  private readonly positions: readonly number[];
  private readonly nowMs: () => number;
  private next = 0;
  private firstSeq = 0;
  /** The end of all that was sent so far. */
  private sent = 0;

  constructor(positions: readonly number[], nowMs: () => number) {
    this.positions = positions;
    this.nowMs = nowMs;
  }

  /** As `Faults.drop`. */
  readonly drop = (packet: Packet): boolean => {
    const { view, start } = packet;
    const ip = start + ETHERNET;
    if (packet.end < ip + IPV4_MIN || view.getUint8(ip) >> 4 !== 4) return false;
    if (view.getUint8(ip + 9) !== PROTOCOL_TCP) return false;
    const tcp = ip + (view.getUint8(ip) & 15) * 4;
    const seq = view.getInt32(tcp + 4);
    if ((view.getUint8(tcp + 13) & SYN) !== 0) {
      this.firstSeq = (seq + 1) | 0;
      return false;
    }
    const from = seqDiff(seq, this.firstSeq);
    const to = from + view.getUint16(ip + 2) - (tcp - ip) - (view.getUint8(tcp + 12) >> 4) * 4;
    if (from < this.sent) return false;
    this.sent = to;
    return this.isLost(to);
  };

  private isLost(to: number): boolean {
    let lost = false;
    for (; (this.positions[this.next] ?? Number.POSITIVE_INFINITY) < to; this.next++) lost = true;
    if (lost) this.lostAtMs.push(this.nowMs());
    return lost;
  }
}
