import { IpAddress } from '../wire/address.ts';

/** What a server remembers of an address. */
export interface TableEntry {
  /** Who has it: the client's identifier, or its hardware address. */
  readonly client: string;
  /** 'aa:bb:cc:dd:ee:ff'. */
  readonly mac: string;
  readonly address: IpAddress;
  readonly hostName: string;
  /** 'declined': the client found that somebody else uses it. */
  readonly state: 'offered' | 'bound' | 'released' | 'declined';
  /** Until then it is nobody else's, in microseconds since the Unix epoch; Infinity for ever. */
  readonly untilUs: number;
}

/** A client, as a table knows it. */
export type TableClient = Pick<TableEntry, 'client' | 'mac' | 'hostName'>;

/** Which addresses there are. */
export interface Pool {
  /** The first and the last, as unsigned numbers. */
  readonly first: number;
  readonly last: number;
  /** Addresses that nobody gets: our own. */
  readonly excluded: (address: IpAddress) => boolean;
  /** Addresses that are kept for a client, by its hardware address. */
  readonly fixed: ReadonlyMap<string, IpAddress>;
  /** How many addresses may be remembered. */
  readonly limit: number;
}

/**
 * The addresses that a server has given to clients. An entry whose time is over stays, so that its client gets the same
 * address again, until another client needs the address or the place.
 */
export class LeaseTable {
  private readonly pool: Pool;
  private readonly kept: ReadonlySet<number>;
  private readonly byClient = new Map<string, TableEntry>();
  /** In the order in which they were given. */
  private readonly byAddress = new Map<number, TableEntry>();
  /** The first address that was never given to anyone. */
  private next: number;

  constructor(pool: Pool) {
    this.pool = pool;
    this.next = pool.first;
    this.kept = new Set(Array.from(pool.fixed.values(), ({ w3 }) => w3));
  }

  /** Every entry, the oldest first. */
  list(): readonly TableEntry[] {
    return [...this.byAddress.values()];
  }

  /** The entry of a client, even if its time is over. */
  of({ client }: TableClient): TableEntry | null {
    return this.byClient.get(client) ?? null;
  }

  /**
   * The address for a client (RFC 2131 section 4.3.1): what is kept for it, what it has or had, what it asks for, one
   * that nobody had, one whose time is over. Null when there is none.
   */
  choose(client: TableClient, requested: IpAddress | null, nowUs: number): IpAddress | null {
    const fixed = this.fixedFor(client);
    const candidates = fixed !== null ? [fixed] : [this.of(client)?.address, requested];
    for (const address of candidates) {
      if (address != null && this.mayHave(client, address, nowUs)) return address;
    }
    return fixed !== null ? null : (this.unused(nowUs) ?? this.oldest(nowUs)?.address ?? null);
  }

  /** Whether a client may have an address: it is its own, or nobody's. */
  mayHave(client: TableClient, address: IpAddress, nowUs: number): boolean {
    const fixed = this.fixedFor(client);
    if (fixed !== null ? !fixed.equals(address) : !this.inPool(address)) return false;
    const entry = this.byAddress.get(address.w3);
    if (entry === undefined) return this.byClient.has(client.client) || this.makePlace(nowUs);
    const isOwn = entry.client === client.client && entry.state !== 'declined';
    return isOwn || entry.untilUs <= nowUs;
  }

  /** Gives an address to a client; what it had before is free. */
  give(client: TableClient, address: IpAddress, state: 'offered' | 'bound', untilUs: number): TableEntry {
    this.forget(this.byClient.get(client.client));
    this.forget(this.byAddress.get(address.w3));
    return this.put({ ...client, address, state, untilUs });
  }

  /** The client does not want the address any more; it is remembered as having had it. */
  release(entry: TableEntry, nowUs: number): void {
    this.forget(entry);
    this.put({ ...entry, state: 'released', untilUs: nowUs });
  }

  /** Somebody else uses the address: nobody gets it for a while. */
  decline(entry: TableEntry, untilUs: number): void {
    this.forget(entry);
    this.byAddress.set(entry.address.w3, { ...entry, state: 'declined', untilUs });
  }

  private put(entry: TableEntry): TableEntry {
    this.byClient.set(entry.client, entry);
    this.byAddress.set(entry.address.w3, entry);
    return entry;
  }

  private forget(entry: TableEntry | undefined): void {
    if (entry === undefined) return;
    if (this.byAddress.get(entry.address.w3) === entry) this.byAddress.delete(entry.address.w3);
    if (this.byClient.get(entry.client) === entry) this.byClient.delete(entry.client);
  }

  private fixedFor({ mac }: TableClient): IpAddress | null {
    return this.pool.fixed.get(mac) ?? null;
  }

  /** Whether it is one that is given to just anyone. */
  private inPool(address: IpAddress): boolean {
    const { first, last, excluded } = this.pool;
    const value = address.w3 >>> 0;
    return value >= first && value <= last && !this.kept.has(address.w3) && !excluded(address);
  }

  /** Whether another address can be remembered, if need be in the place of one whose time is over. */
  private makePlace(nowUs: number): boolean {
    if (this.byAddress.size < this.pool.limit) return true;
    const old = this.oldest(nowUs);
    this.forget(old);
    return old !== undefined;
  }

  private unused(nowUs: number): IpAddress | null {
    if (!this.makePlace(nowUs)) return null;
    for (; this.next <= this.pool.last; this.next++) {
      const address = IpAddress.v4(this.next);
      if (!this.byAddress.has(address.w3) && this.inPool(address)) return address;
    }
    return null;
  }

  private oldest(nowUs: number): TableEntry | undefined {
    for (const entry of this.byAddress.values()) {
      if (entry.untilUs <= nowUs && this.inPool(entry.address)) return entry;
    }
    return undefined;
  }
}
