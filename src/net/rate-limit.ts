import type { Host } from '../core/host.ts';

/** Tokens one target may have saved up, in messages (Linux's XRLIM_BURST_FACTOR). */
const TARGET_BURST = 6;
/** Targets that are remembered; the one that was added first goes. */
const TARGETS_MAX = 1024;

interface Bucket {
  /** Saved up, in microseconds. */
  creditUs: number;
  atUs: number;
}

/** Where what was not sent is counted. */
export interface RateLimitCounters {
  OutRateLimitGlobal: number;
  OutRateLimitHost: number;
}

/**
 * Whether one more ICMP error may be sent: a bucket of tokens for all, of both families, and one for each target (RFC
 * 1812 section 4.3.2.8, RFC 4443 section 2.4).
 */
export class IcmpRateLimit {
  private readonly host: Host;
  private readonly targets = new Map<number | string, Bucket>();
  private tokens: number;
  private filledUs: number;

  constructor(host: Host) {
    this.host = host;
    this.tokens = host.sysctl.icmp_msgs_burst;
    this.filledUs = host.nowUs;
  }

  /** Takes a token for a message to `target`, an IPv4 address or an IPv6 network; false when there is none. */
  take(target: number | string, counters: RateLimitCounters): boolean {
    if (!this.fillGlobal()) {
      counters.OutRateLimitGlobal++;
      return false;
    }
    if (!this.takeFromTarget(target)) {
      counters.OutRateLimitHost++;
      return false;
    }
    this.tokens--;
    return true;
  }

  private fillGlobal(): boolean {
    const { nowUs, sysctl } = this.host;
    const gained = Math.floor(((nowUs - this.filledUs) * sysctl.icmp_msgs_per_sec) / 1e6);
    if (gained > 0) {
      this.tokens = Math.min(sysctl.icmp_msgs_burst, this.tokens + gained);
      this.filledUs = nowUs;
    }
    return this.tokens > 0;
  }

  private takeFromTarget(target: number | string): boolean {
    const { nowUs, sysctl } = this.host;
    const priceUs = sysctl.icmp_ratelimit * 1000;
    if (priceUs === 0) return true;
    const bucket = this.bucket(target);
    bucket.creditUs = Math.min(TARGET_BURST * priceUs, bucket.creditUs + nowUs - bucket.atUs);
    bucket.atUs = nowUs;
    if (bucket.creditUs < priceUs) return false;
    bucket.creditUs -= priceUs;
    return true;
  }

  private bucket(target: number | string): Bucket {
    const found = this.targets.get(target);
    if (found !== undefined) return found;
    if (this.targets.size >= TARGETS_MAX) {
      for (const oldest of this.targets.keys()) {
        this.targets.delete(oldest);
        break;
      }
    }
    const made = { creditUs: TARGET_BURST * this.host.sysctl.icmp_ratelimit * 1000, atUs: this.host.nowUs };
    this.targets.set(target, made);
    return made;
  }
}
