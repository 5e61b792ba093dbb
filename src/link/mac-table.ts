/** Where a switch last saw a hardware address. */
export interface MacEntry<Port> {
  readonly high: number;
  readonly low: number;
  port: Port;
  seenUs: number;
}

/** Bounds of a switch's table of addresses. */
export interface MacTableLimits {
  /** Microseconds an address is remembered without a frame from it. Default 300 s (IEEE 802.1D). */
  ageingUs: number;
  /** Addresses remembered; while the table is full frames to new ones are flooded. Default 8192. */
  entries: number;
}

/** IEEE 802.1D's ageing time, and as many addresses as a small switch has. */
export const DEFAULT_MAC_TABLE_LIMITS: MacTableLimits = { ageingUs: 300_000_000, entries: 8192 };

/** A full table is searched for aged entries this often at most, in microseconds. */
const SWEEP_US = 1_000_000;

/** A switch's memory: which address is behind which port (IEEE 802.1D section 7.9). */
export class MacTable<Port> {
  readonly limits: MacTableLimits;
  private readonly entries = new Map<number, MacEntry<Port>>();
  private sweptUs = 0;

  constructor(limits: Partial<MacTableLimits> = {}) {
    this.limits = { ...DEFAULT_MAC_TABLE_LIMITS, ...limits };
  }

  /** How many addresses are remembered, aged ones included until they are found out. */
  get size(): number {
    return this.entries.size;
  }

  /** Remembers that a frame from the address came in by `port`; null when the table is full. */
  learn(high: number, low: number, port: Port, nowUs: number): MacEntry<Port> | null {
    const known = this.entries.get(key(high, low));
    if (known !== undefined) {
      known.port = port;
      known.seenUs = nowUs;
      return known;
    }
    if (this.entries.size >= this.limits.entries) this.sweep(nowUs);
    if (this.entries.size >= this.limits.entries) return null;
    const entry = { high, low, port, seenUs: nowUs };
    this.entries.set(key(high, low), entry);
    return entry;
  }

  /** The port behind which the address is, or null when that is not known (any more). */
  find(high: number, low: number, nowUs: number): Port | null {
    const entry = this.entries.get(key(high, low));
    if (entry === undefined) return null;
    if (nowUs - entry.seenUs <= this.limits.ageingUs) return entry.port;
    this.entries.delete(key(high, low));
    return null;
  }

  /** Forgets every address behind a port. */
  forget(port: Port): void {
    for (const [mac, entry] of this.entries) if (entry.port === port) this.entries.delete(mac);
  }

  private sweep(nowUs: number): void {
    if (nowUs - this.sweptUs < SWEEP_US) return;
    this.sweptUs = nowUs;
    for (const [mac, entry] of this.entries) {
      if (nowUs - entry.seenUs > this.limits.ageingUs) this.entries.delete(mac);
    }
  }
}

/** The 48 bits as one number. */
function key(high: number, low: number): number {
  return high * 0x100000000 + (low >>> 0);
}
