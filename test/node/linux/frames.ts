/**
 * Frames for tests of drivers, made byte by byte.
 */
import type { LinkPort } from '../../../src/core/link.ts';
import type { Packet } from '../../../src/core/packet.ts';
import type { PacketPool } from '../../../src/core/pool.ts';
import type { ClassicFilter } from '../../../src/node/linux/classic-filter.ts';
import { turn } from '../../../src/node/turn.ts';
import { ETHERTYPE_ARP } from '../../../src/wire/ethernet.ts';

/** A UDP datagram with this number as its payload, from 10.65.0.1 to 10.65.0.2, without a checksum. */
export function udpFrame(
  destination: Uint8Array,
  port: number,
  number: number,
  tag: number[] = [],
): Uint8Array {
  const frame = new Uint8Array(14 + tag.length + 20 + 8 + 18);
  const view = new DataView(frame.buffer);
  frame.set(destination);
  frame.set([2, 0, 0, 0, 0, 9], 6);
  frame.set(tag, 12);
  const l3 = 14 + tag.length;
  view.setUint16(l3 - 2, 0x0800);
  frame.set([0x45, 0, 0, 46, 0, 1, 0, 0, 64, 17, 0, 0, 10, 65, 0, 1, 10, 65, 0, 2], l3);
  view.setUint16(l3 + 20, 1234);
  view.setUint16(l3 + 22, port);
  view.setUint16(l3 + 24, 26);
  view.setUint32(l3 + 28, number);
  return frame;
}

/** `udp dst port PORT`, as tcpdump compiles it, but for fragments. */
export function udpPortFilter(port: number): ClassicFilter {
  return [
    { code: 0x28, jt: 0, jf: 0, k: 12 },
    { code: 0x15, jt: 0, jf: 6, k: 0x0800 },
    { code: 0x30, jt: 0, jf: 0, k: 23 },
    { code: 0x15, jt: 0, jf: 4, k: 17 },
    { code: 0xb1, jt: 0, jf: 0, k: 14 },
    { code: 0x48, jt: 0, jf: 0, k: 16 },
    { code: 0x15, jt: 0, jf: 1, k: port },
    { code: 0x06, jt: 0, jf: 0, k: 262144 },
    { code: 0x06, jt: 0, jf: 0, k: 0 },
  ];
}

/** A packet that holds this frame. */
export function packetOf(pool: PacketPool, frame: Uint8Array): Packet {
  const packet = pool.take(frame.length) as Packet;
  packet.bytes.set(frame, packet.start);
  packet.end = packet.start + frame.length;
  return packet;
}

const ETHERTYPE = 12;

/** A port that keeps what comes, but for ARP: the kernel may still ask for the peer of an earlier test. */
export class Inbox implements LinkPort {
  readonly frames: number[][] = [];
  readonly carriers: boolean[] = [];
  writables = 0;

  receive(packet: Packet): void {
    if (packet.view.getUint16(packet.start + ETHERTYPE) !== ETHERTYPE_ARP) {
      this.frames.push([...packet.bytes.subarray(packet.start, packet.end)]);
    }
    packet.release();
  }

  writable(): void {
    this.writables++;
  }

  carrier(up: boolean): void {
    this.carriers.push(up);
  }
}

/** Lets the event loop turn until `done` says so; the test's own time limit ends what never comes. */
export async function until(done: () => boolean): Promise<void> {
  while (!done()) await turn();
}
