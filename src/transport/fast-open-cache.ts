import type { Host } from '../core/host.ts';
import type { FastOpenDestination, FastOpenMetrics } from '../tcp/fast-open/fast-open.ts';
import type { IpAddress } from '../wire/address.ts';

/**
 * What a client remembers of servers for Fast Open: a cookie and an MSS for each pair of addresses (RFC 7413
 * section 4.1.3). It is the part of Linux's tcp_metrics that is about Fast Open.
 */
export class FastOpenCache {
  private readonly host: Host;
  /** By 'local remote', the one used last at the end. */
  private readonly entries = new Map<string, FastOpenMetrics>();

  constructor(host: Host) {
    this.host = host;
  }

  /** How many destinations are known. */
  get size(): number {
    return this.entries.size;
  }

  /** Forgets everything: `ip tcp_metrics flush`. */
  clear(): void {
    this.entries.clear();
  }

  /** The place of a destination. */
  destination(local: IpAddress, remote: IpAddress, isLoopback: boolean): FastOpenDestination {
    const key = `${local} ${remote}`;
    return { isLoopback, recall: () => this.entries.get(key) ?? null, learn: () => this.learn(key) };
  }

  private learn(key: string): FastOpenMetrics {
    const entry = this.entries.get(key) ?? { mss: 0, cookie: null, tryExperimental: 0 };
    this.entries.delete(key);
    this.entries.set(key, entry);
    for (const oldest of this.entries.keys()) {
      if (this.entries.size <= this.host.sysctl.ethertype_tcp_metrics) break;
      this.entries.delete(oldest);
    }
    return entry;
  }
}
