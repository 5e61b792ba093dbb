import type { Host } from '../core/host.ts';
import { Alarm } from '../core/timers.ts';
import { AF_INET, type IpAddress } from '../wire/address.ts';

/** Destinations whose path MTU is remembered. */
const PMTU_MAX = 1024;

/** What was learned of a path: its MTU, until when. */
export interface PathMtu {
  readonly mtu: number;
  /** Said to be even narrower than the smallest path MTU that is believed. */
  readonly narrow: boolean;
  readonly untilUs: number;
}

/** The path MTUs that were learned by one family (RFC 1191, RFC 8201), each for mtu_expires seconds. */
export class PathMtus {
  private readonly host: Host;
  private readonly onChange: () => void;
  private readonly known = new Map<number | string, PathMtu>();
  private readonly expiry = new Alarm(() => this.expire());

  /** `onChange` is called whenever routes that were made with `find` may be wrong. */
  constructor(host: Host, onChange: () => void) {
    this.host = host;
    this.onChange = onChange;
  }

  /** What is known of the path to `destination`. */
  find(destination: IpAddress): PathMtu | undefined {
    return this.known.size === 0 ? undefined : this.known.get(keyOf(destination));
  }

  /** Remembers that packets to `destination` may be `mtu` bytes long at most, never below `least`. It only lowers. */
  learn(destination: IpAddress, mtu: number, least: number): void {
    const { host, known } = this;
    const key = keyOf(destination);
    const before = known.get(key);
    const believed = Math.max(mtu, least);
    const narrow = mtu < believed;
    if (before !== undefined && before.mtu <= believed && (before.narrow || !narrow)) return;
    if (before === undefined && known.size >= PMTU_MAX) known.clear();
    const untilUs = host.nowUs + host.sysctl.mtu_expires * 1e6;
    known.set(key, { mtu: believed, narrow, untilUs });
    if (!this.expiry.armed) host.timers.set(this.expiry, untilUs);
    this.onChange();
  }

  /** Forgets everything and stops the timer. */
  close(): void {
    this.host.timers.delete(this.expiry);
    this.known.clear();
  }

  private expire(): void {
    const { host, known } = this;
    let nextUs = Number.POSITIVE_INFINITY;
    for (const [key, { untilUs }] of known) {
      if (untilUs <= host.nowUs) known.delete(key);
      else nextUs = Math.min(nextUs, untilUs);
    }
    if (nextUs !== Number.POSITIVE_INFINITY) host.timers.set(this.expiry, nextUs);
    this.onChange();
  }
}

function keyOf(address: IpAddress): number | string {
  return address.family === AF_INET ? address.w3 : address.toString();
}
