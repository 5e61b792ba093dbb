/**
 * Putting fragments together again (RFC 791 section 3.2, RFC 815, RFC 8200 section 4.5), with the policy of RFC 5722
 * for overlaps: they have no honest cause, so they cost the whole datagram. What came twice is ignored.
 * @module
 */
import type { Host } from '../core/host.ts';
import { HEADROOM, type Packet } from '../core/packet.ts';
import type { Timer } from '../core/timers.ts';
import type { DropReason } from '../trace/events.ts';
import { CE, ECN_MASK, NOT_ECT } from '../wire/ecn.ts';
import type { FragmentFormat } from './fragment-format.ts';

/** Told when a datagram's time is over. */
export interface ReassemblyListener {
  /** `first` is the fragment with offset 0, lent; null when it never came. */
  timedOut(first: Packet | null): void;
}

/** The fragments from one sender to us, counted so that one that is far too late is not mixed in (ipfrag_max_dist). */
interface Sender {
  fragments: number;
  datagrams: number;
}

/** An incomplete datagram. */
class Datagram implements Timer {
  heapIndex = -1;
  readonly key: string;
  readonly senderKey: string;
  readonly sender: Sender;
  /** In the order of their offsets, without overlap. */
  readonly parts: Packet[] = [];
  /** Bytes of payload that are here. */
  have = 0;
  /** Bytes of payload in all; -1 until the last fragment came. */
  total = -1;
  /** The farthest byte seen. */
  farthest = 0;
  /** Memory the parts hold, in bytes. */
  memory = 0;
  /** The sender's count when the newest part came. */
  atCount = 0;
  private readonly onTime: (datagram: Datagram) => void;

  constructor(key: string, senderKey: string, sender: Sender, onTime: (datagram: Datagram) => void) {
    this.key = key;
    this.senderKey = senderKey;
    this.sender = sender;
    this.onTime = onTime;
  }

  fire(): void {
    this.onTime(this);
  }
}

/** What became of a fragment that was put to its datagram. */
type Placement = 'kept' | 'duplicate' | 'bad';

/** The incomplete datagrams of one host and one family. */
export class Reassembly {
  private readonly host: Host;
  private readonly format: FragmentFormat;
  private readonly listener: ReassemblyListener;
  private readonly datagrams = new Map<string, Datagram>();
  private readonly senders = new Map<string, Sender>();
  /** Bytes that all fragments hold. */
  memory = 0;

  constructor(host: Host, format: FragmentFormat, listener: ReassemblyListener) {
    this.host = host;
    this.format = format;
    this.listener = listener;
  }

  /** How many datagrams are incomplete. */
  get size(): number {
    return this.datagrams.size;
  }

  /** Takes a fragment (l3, l4, src, dst, protocol and end are set). Returns the whole datagram once it is complete. */
  add(fragment: Packet): Packet | null {
    const { host } = this;
    this.format.counters(host).ReasmReqds++;
    this.makeRoom();
    const datagram = this.find(fragment);
    if (this.tooFar(datagram)) {
      host.dropped('ip', 'FRAG_TOO_FAR');
      this.fail(datagram);
      return this.add(fragment);
    }
    const placement = this.place(datagram, fragment);
    if (placement === 'kept') return datagram.have === datagram.total ? this.complete(datagram) : null;
    if (placement === 'bad') this.fail(datagram);
    fragment.release();
    return null;
  }

  /** Gives back everything and stops every timer. */
  close(): void {
    for (const datagram of [...this.datagrams.values()]) this.drop(datagram);
  }

  private find(fragment: Packet): Datagram {
    const senderKey = `${fragment.src} ${fragment.dst}`;
    const key = `${senderKey} ${this.format.key(fragment)}`;
    const found = this.datagrams.get(key);
    if (found !== undefined) return found;
    const { host } = this;
    const sender = this.senders.get(senderKey) ?? { fragments: 0, datagrams: 0 };
    sender.datagrams++;
    this.senders.set(senderKey, sender);
    const made = new Datagram(key, senderKey, sender, late => this.timeOut(late));
    this.datagrams.set(key, made);
    host.timers.set(made, host.nowUs + this.format.timeUs(host));
    return made;
  }

  /** Whether so many fragments of other datagrams came since the last one of this that its id may be used anew. */
  private tooFar(datagram: Datagram): boolean {
    const count = ++datagram.sender.fragments;
    const distance = count - datagram.atCount;
    datagram.atCount = count;
    const limit = this.format.distanceMax(this.host);
    return limit > 0 && datagram.parts.length > 0 && distance > limit;
  }

  private place(datagram: Datagram, fragment: Packet): Placement {
    const { format } = this;
    const { l4 } = fragment;
    const isLast = !format.more(fragment);
    const offset = format.offset(fragment);
    // All but the last are a multiple of 8 long; what is over could not be continued.
    if (!isLast) fragment.end -= (fragment.end - l4) & 7;
    const end = offset + fragment.end - l4;
    if (end === offset || end + format.headerLength(fragment) > format.lengthMax) return this.bad('IP_INHDR');
    if (isLast) {
      if (end < datagram.farthest || (datagram.total >= 0 && datagram.total !== end))
        return this.bad('IP_INHDR');
      datagram.total = end;
    } else if (datagram.total >= 0 && end > datagram.total) {
      return this.bad('IP_INHDR');
    }
    return this.insert(datagram, fragment, offset, end);
  }

  private insert(datagram: Datagram, fragment: Packet, offset: number, end: number): Placement {
    const { parts } = datagram;
    let at = parts.length;
    while (at > 0 && this.endOf(parts[at - 1] as Packet) > offset) at--;
    const next = parts[at];
    if (next !== undefined && this.format.offset(next) < end) {
      if (this.isDuplicate(parts, at, offset, end)) {
        this.host.dropped('ip', 'DUP_FRAG');
        return 'duplicate';
      }
      this.host.mib.IpExt.ReasmOverlaps++;
      return this.bad('DUP_FRAG');
    }
    parts.splice(at, 0, fragment);
    datagram.have += end - offset;
    datagram.farthest = Math.max(datagram.farthest, end);
    datagram.memory += fragment.bytes.length;
    this.memory += fragment.bytes.length;
    return 'kept';
  }

  private bad(reason: DropReason): Placement {
    this.host.dropped('ip', reason, 'fragment');
    return 'bad';
  }

  /** Copies the parts into one packet, with the first part's header. */
  private complete(datagram: Datagram): Packet | null {
    const { host, format } = this;
    const { parts, total } = datagram;
    const first = parts[0] as Packet;
    const headerLength = format.headerLength(first);
    const tos = tosOfWhole(parts, format);
    if (tos < 0) {
      host.dropped('ip', 'IP_INHDR', 'fragment');
      this.fail(datagram);
      return null;
    }
    const whole = host.pool.take(headerLength + total);
    if (whole === null) {
      host.dropped('ip', 'NOMEM');
      this.fail(datagram);
      return null;
    }
    const l4 = HEADROOM + headerLength;
    whole.bytes.set(first.bytes.subarray(first.l3, first.l3 + headerLength), HEADROOM);
    for (const part of parts)
      whole.bytes.set(part.bytes.subarray(part.l4, part.end), l4 + format.offset(part));
    whole.l3 = HEADROOM;
    whole.l4 = l4;
    whole.end = l4 + total;
    whole.src = first.src;
    whole.dst = first.dst;
    whole.protocol = first.protocol;
    whole.atUs = host.nowUs;
    whole.netif = first.netif;
    whole.mark = first.mark;
    format.finish(whole, first, tos);
    format.counters(host).ReasmOKs++;
    this.drop(datagram);
    return whole;
  }

  private timeOut(datagram: Datagram): void {
    const { host } = this;
    this.format.counters(host).ReasmTimeout++;
    host.dropped('ip', 'FRAG_REASM_TIMEOUT');
    const first = datagram.parts[0];
    this.listener.timedOut(first !== undefined && this.format.offset(first) === 0 ? first : null);
    this.fail(datagram);
  }

  /**
   * Above ipfrag_high_thresh the datagram that has waited longest goes. Linux refuses new fragments instead, so that a
   * few thousand that are never finished stop all others for ipfrag_time.
   */
  private makeRoom(): void {
    const { host } = this;
    for (const oldest of this.datagrams.values()) {
      if (this.memory <= this.format.memoryMax(host)) return;
      host.dropped('ip', 'NOMEM', 'fragment');
      this.fail(oldest);
    }
  }

  private fail(datagram: Datagram): void {
    this.format.counters(this.host).ReasmFails++;
    this.drop(datagram);
  }

  private drop(datagram: Datagram): void {
    this.host.timers.delete(datagram);
    this.datagrams.delete(datagram.key);
    this.memory -= datagram.memory;
    if (--datagram.sender.datagrams === 0) this.senders.delete(datagram.senderKey);
    for (const part of datagram.parts) part.release();
    datagram.parts.length = 0;
  }

  private endOf(part: Packet): number {
    return this.format.offset(part) + part.end - part.l4;
  }

  /** Whether [offset, end) came before: in one piece as it is now, or (IPv4) in any. */
  private isDuplicate(parts: readonly Packet[], at: number, offset: number, end: number): boolean {
    if (this.format.strict) {
      const known = parts[at] as Packet;
      return this.format.offset(known) === offset && this.endOf(known) === end;
    }
    let reached = offset;
    for (let i = at; i < parts.length && reached < end; i++) {
      const part = parts[i] as Packet;
      if (this.format.offset(part) > reached) return false;
      reached = this.endOf(part);
    }
    return reached >= end;
  }
}

/**
 * RFC 3168 section 5.3: congestion that any part met was met by the whole. -1 when some parts are ECN-capable and
 * others are not: no honest sender makes such a datagram, and to take it for either would hide a mark.
 */
function tosOfWhole(parts: readonly Packet[], format: FragmentFormat): number {
  let seen = 0;
  for (const part of parts) seen |= 1 << (format.tos(part) & ECN_MASK);
  const tos = format.tos(parts[0] as Packet);
  if (seen === 1 << NOT_ECT) return tos;
  if ((seen & (1 << NOT_ECT)) !== 0) return -1;
  return (seen & (1 << CE)) !== 0 ? tos | CE : tos;
}
