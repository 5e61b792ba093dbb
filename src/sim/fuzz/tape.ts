import type { Rng } from '../../base/rng.ts';
import type { Packet } from '../../core/packet.ts';
import { isDhcp } from './dhcp-lies.ts';
import { isIpv6, locateIpv4, locateTransport, PROTOCOL_TCP, PROTOCOL_UDP } from './repair.ts';

/** Bytes of a frame that are kept. */
const FRAME_MAX = 1600;
/** Frames of the present, whose sequence numbers are still good; and of the past, for what comes back late. */
const RECENT = 64;
const ARCHIVE = 512;
/** One frame in so many goes into the archive. */
const ARCHIVE_EVERY = 7;

/** A recorded frame: bytes[0, length). */
export interface RecordedFrame {
  readonly bytes: Uint8Array;
  length: number;
}

/** How often a TCP segment is picked, of either family; what is left is for the others in equal parts. */
const TCP_SHARE = 0.7;
const STREAMS = ['tcp', 'tcp6'] as const;
const OTHERS = ['arp', 'icmp', 'udp', 'fragment', 'icmp6', 'udp6', 'fragment6', 'dhcp'] as const;

type Kind = (typeof STREAMS)[number] | (typeof OTHERS)[number];

/** Frames of one kind: a ring of the newest, and an archive of older ones. */
class Track {
  readonly recent: RecordedFrame[] = [];
  readonly archive: RecordedFrame[] = [];
  private recorded = 0;

  record(packet: Packet): void {
    put(this.recent, RECENT, this.recorded, packet);
    if (this.recorded % ARCHIVE_EVERY === 0)
      put(this.archive, ARCHIVE, Math.floor(this.recorded / ARCHIVE_EVERY), packet);
    this.recorded++;
  }
}

/** The frames that a fuzzer mutates, by kinds, so that rare ones have their turn. */
export class Tape {
  private readonly tracks = new Map<Kind, Track>();

  /** Copies the packet's frame. */
  record(packet: Packet): void {
    if (packet.length > FRAME_MAX) return;
    const kind = kindOf(packet);
    const track = this.tracks.get(kind) ?? new Track();
    this.tracks.set(kind, track);
    track.record(packet);
  }

  /** A recorded frame, most often a new one; null while there is none. It is lent until the next `record`. */
  pick(rng: Rng): RecordedFrame | null {
    const wanted = rng.pick(rng.chance(TCP_SHARE) ? STREAMS : OTHERS);
    const track = this.tracks.get(wanted) ?? this.tracks.get('arp');
    if (track === undefined) return null;
    return rng.pick(rng.chance(0.6) ? track.recent : track.archive);
  }
}

function kindOf(packet: Packet): Kind {
  if (isDhcp(packet)) return 'dhcp';
  const protocol = locateTransport(packet);
  if (isIpv6(packet)) {
    if (protocol < 0) return 'fragment6';
    if (protocol === PROTOCOL_TCP) return 'tcp6';
    return protocol === PROTOCOL_UDP ? 'udp6' : 'icmp6';
  }
  if (!locateIpv4(packet)) return 'arp';
  if (protocol < 0) return 'fragment';
  if (protocol === PROTOCOL_TCP) return 'tcp';
  return protocol === PROTOCOL_UDP ? 'udp' : 'icmp';
}

function put(frames: RecordedFrame[], limit: number, count: number, packet: Packet): void {
  const at = count % limit;
  let frame = frames[at];
  if (frame === undefined) {
    frame = { bytes: new Uint8Array(FRAME_MAX), length: 0 };
    frames[at] = frame;
  }
  frame.length = packet.length;
  frame.bytes.set(packet.bytes.subarray(packet.start, packet.end));
}
