import { takes } from '../core/bound-address.ts';
import { pickEphemeralPort } from '../core/ports.ts';
import type { IpAddress } from '../wire/address.ts';
import type { PingEndpoint } from './ping-endpoint.ts';

/** Identifiers that may be picked: 0 means none. */
const ID_RANGE = [1, 0xffff] as const;

/** Which ping sockets hold which identifier. */
export class PingIds {
  /** By identifier; the endpoint bound last comes first, so that it wins a tie. */
  private readonly byId = new Map<number, PingEndpoint[]>();

  add(endpoint: PingEndpoint, id: number): void {
    const list = this.byId.get(id);
    if (list === undefined) this.byId.set(id, [endpoint]);
    else list.unshift(endpoint);
  }

  remove(endpoint: PingEndpoint, id: number): void {
    const rest = (this.byId.get(id) ?? []).filter(other => other !== endpoint);
    if (rest.length === 0) this.byId.delete(id);
    else this.byId.set(id, rest);
  }

  /** Whether `endpoint` may not have this identifier: SO_REUSEADDR, their default, on both sides allows it. */
  conflicts(endpoint: PingEndpoint, id: number): boolean {
    const { reuseAddress } = endpoint.settings;
    return (this.byId.get(id) ?? []).some(other => !reuseAddress || !other.settings.reuseAddress);
  }

  /** A free identifier; 0 when there is none. `start` is random. */
  pick(start: number): number {
    return pickEphemeralPort(ID_RANGE, start, id => !this.byId.has(id));
  }

  /** Whose echo request had this identifier and came from `local`, or null. */
  lookup(id: number, local: IpAddress): PingEndpoint | null {
    for (const endpoint of this.byId.get(id) ?? []) {
      if (takes(endpoint, local)) return endpoint;
    }
    return null;
  }

  /** Every endpoint with an identifier. */
  *all(): IterableIterator<PingEndpoint> {
    for (const list of this.byId.values()) yield* list;
  }
}
