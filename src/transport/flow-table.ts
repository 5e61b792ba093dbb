import { assert } from '../base/assert.ts';
import type { Host } from '../core/host.ts';
import type { IpAddress } from '../wire/address.ts';
import type { Flow } from './flow.ts';

const CAPACITY_INITIAL = 64;

/**
 * Finds a flow by its five-tuple: an open-addressing hash table whose hash is keyed with secrets of this stack, so that
 * a remote party cannot choose flows that collide. Grows to stay at most half full.
 */
export class FlowTable {
  private hashes = new Int32Array(CAPACITY_INITIAL);
  private flows: (Flow | undefined)[] = new Array(CAPACITY_INITIAL);
  private mask = CAPACITY_INITIAL - 1;
  private readonly keys: Int32Array;
  /** How many flows are in the table. */
  size = 0;

  constructor(host: Host) {
    const bytes = host.randomBytes(24);
    this.keys = new Int32Array(bytes.buffer);
    // Odd multipliers lose no bits.
    for (let i = 0; i < this.keys.length; i++) this.keys[i] = (this.keys[i] ?? 0) | 1;
  }

  /** The flow with exactly these addresses and ports, or undefined. */
  find(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): Flow | undefined {
    const hash = this.hash(local, localPort, remote, remotePort);
    for (let at = hash & this.mask; ; at = (at + 1) & this.mask) {
      const flow = this.flows[at];
      if (flow === undefined) return undefined;
      if (this.hashes[at] === hash && isFlow(flow, local, localPort, remote, remotePort)) return flow;
    }
  }

  /** Adds a flow; one with the same five-tuple must have been removed. */
  add(flow: Flow): void {
    if (2 * (this.size + 1) > this.flows.length) this.grow();
    flow.flowHash = this.hash(flow.localAddress, flow.localPort, flow.remoteAddress, flow.remotePort);
    this.place(flow);
    this.size++;
  }

  /** Puts `flow` where `old`, which has the same five-tuple, is. */
  replace(old: Flow, flow: Flow): void {
    flow.flowHash = old.flowHash;
    this.flows[this.indexOf(old)] = flow;
  }

  has(flow: Flow): boolean {
    return this.find(flow.localAddress, flow.localPort, flow.remoteAddress, flow.remotePort) === flow;
  }

  /** Removes a flow that is in the table, and closes the gap in its chain. */
  remove(flow: Flow): void {
    const { flows, hashes, mask } = this;
    let gap = this.indexOf(flow);
    for (let at = (gap + 1) & mask; ; at = (at + 1) & mask) {
      const next = flows[at];
      if (next === undefined) break;
      const home = (hashes[at] ?? 0) & mask;
      // `next` may move into the gap unless its home lies between the gap and where it is.
      if (((at - home) & mask) >= ((at - gap) & mask)) {
        flows[gap] = next;
        hashes[gap] = hashes[at] ?? 0;
        gap = at;
      }
    }
    flows[gap] = undefined;
    this.size--;
  }

  /** All flows. The table must not change while they are walked. */
  *[Symbol.iterator](): Iterator<Flow> {
    for (const flow of this.flows) if (flow !== undefined) yield flow;
  }

  private indexOf(flow: Flow): number {
    let at = flow.flowHash & this.mask;
    while (this.flows[at] !== flow) {
      assert(this.flows[at] !== undefined, 'a flow is removed once');
      at = (at + 1) & this.mask;
    }
    return at;
  }

  private place(flow: Flow): void {
    let at = flow.flowHash & this.mask;
    while (this.flows[at] !== undefined) at = (at + 1) & this.mask;
    this.flows[at] = flow;
    this.hashes[at] = flow.flowHash;
  }

  private grow(): void {
    const old = this.flows;
    this.flows = new Array(old.length * 2);
    this.hashes = new Int32Array(old.length * 2);
    this.mask = old.length * 2 - 1;
    for (const flow of old) if (flow !== undefined) this.place(flow);
  }

  private hash(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): number {
    const [k0, k1, k2, k3, k4, k5] = this.keys as unknown as [number, number, number, number, number, number];
    let hash = Math.imul(remote.w3 ^ k0, k1);
    // Without a secret of their own the ports could undo, whatever the secrets, what an address's top bit does above.
    const ports = Math.imul(((remotePort << 16) | localPort) ^ k4, k5);
    hash = Math.imul((hash ^ (hash >>> 15)) + ports, k2);
    hash = Math.imul(hash ^ (hash >>> 13) ^ local.w3, k3);
    if (local.family !== 2) hash = this.mixHighWords(hash, local, remote);
    return hash ^ (hash >>> 16);
  }

  private mixHighWords(start: number, local: IpAddress, remote: IpAddress): number {
    const [, k1, k2, k3] = this.keys as unknown as [number, number, number, number];
    let hash = Math.imul(start ^ (start >>> 15) ^ remote.w0, k1);
    hash = Math.imul(hash ^ (hash >>> 13) ^ remote.w1, k2);
    hash = Math.imul(hash ^ (hash >>> 15) ^ remote.w2, k3);
    hash = Math.imul(hash ^ (hash >>> 13) ^ local.w0, k1);
    hash = Math.imul(hash ^ (hash >>> 15) ^ local.w1, k2);
    return Math.imul(hash ^ (hash >>> 13) ^ local.w2, k3);
  }
}

function isFlow(
  flow: Flow,
  local: IpAddress,
  localPort: number,
  remote: IpAddress,
  remotePort: number,
): boolean {
  return (
    flow.remotePort === remotePort &&
    flow.localPort === localPort &&
    flow.remoteAddress.equals(remote) &&
    flow.localAddress.equals(local)
  );
}
