import type { Env } from '../../src/core/env.ts';
import type { Link, LinkPort } from '../../src/core/link.ts';
import type { Packet } from '../../src/core/packet.ts';
import { PacketPool } from '../../src/core/pool.ts';
import { VirtualClock } from '../../src/sim/clock.ts';
import { ETHERTYPE_IPV4, emitEthernet } from '../../src/wire/ethernet.ts';

/** A clock, an environment and a pool for links without a stack. */
export class Bench {
  readonly clock = new VirtualClock({ startUs: 0 });
  readonly env: Env = this.clock.env(1);
  readonly pool = new PacketPool({ smallSlots: 256, largeSlots: 4 });

  /** A frame whose first payload word is `tag`, from MAC ...:`from` to MAC ...:`to`. */
  frame(tag: number, length = 64, to = 2, from = 1): Packet {
    const packet = this.pool.take(length);
    if (packet === null) throw new Error('the pool is empty');
    packet.end = packet.start + length;
    packet.bytes.fill(0, packet.start, packet.end);
    if (length >= 14) emitEthernet(packet.view, packet.start, ...mac(to), ...mac(from), ETHERTYPE_IPV4);
    if (length >= 18) packet.view.setUint32(packet.start + 14, tag);
    return packet;
  }

  /** Sends frames tagged 0 .. count-1 and waits for room when the link has none. */
  pump(link: Link, port: RecordingPort, count: number, length = 64): void {
    let next = 0;
    const pump = (): void => {
      while (next < count) {
        const packet = this.frame(next, length);
        if (!link.send(packet)) {
          packet.release();
          return;
        }
        next++;
      }
    };
    port.onWritable = pump;
    pump();
  }
}

/** The two halves of 02:00:00:00:00:`last`; ff:ff:ff:ff:ff:ff for BROADCAST. */
export function mac(last: number): [number, number] {
  return last === BROADCAST ? [0xffff, -1] : [0x0200, last];
}
export const BROADCAST = -1;

/** A port that writes down what comes, and gives it back. */
export class RecordingPort implements LinkPort {
  readonly tags: number[] = [];
  readonly arrivalsUs: number[] = [];
  readonly states: number[] = [];
  readonly hex: string[] = [];
  readonly carriers: boolean[] = [];
  bytes = 0;
  onWritable: () => void = () => {};
  writables = 0;
  private readonly env: Env;

  constructor(env: Env, link?: Link) {
    this.env = env;
    link?.attach(this);
  }

  receive(packet: Packet): void {
    this.tags.push(packet.length >= 18 ? packet.view.getUint32(packet.start + 14) : -1);
    this.arrivalsUs.push(this.env.nowUs());
    this.states.push(packet.checksumState);
    this.hex.push(Buffer.from(packet.bytes.subarray(packet.start, packet.end)).toString('hex'));
    this.bytes += packet.length;
    packet.release();
  }

  writable(): void {
    this.writables++;
    this.onWritable();
  }

  carrier(up: boolean): void {
    this.carriers.push(up);
  }
}

/** 0 .. count-1 */
export function range(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}
