import type { SipHash } from '../base/siphash.ts';
import { overlaps, takes } from '../core/bound-address.ts';
import { pickEphemeralPort } from '../core/ports.ts';
import type { IpAddress } from '../wire/address.ts';
import type { UdpEndpoint } from './udp-endpoint.ts';

/** Which endpoints hold which local port. */
export class UdpPorts {
  /** By local port; the endpoint bound last comes first, as in Linux, so that it wins a tie. */
  private readonly byPort = new Map<number, UdpEndpoint[]>();
  private readonly flowHash: SipHash;

  /** `flowHash` spreads flows over SO_REUSEPORT groups. */
  constructor(flowHash: SipHash) {
    this.flowHash = flowHash;
  }

  /** Adds an endpoint under its local port. */
  add(endpoint: UdpEndpoint): void {
    const list = this.byPort.get(endpoint.localPort);
    if (list === undefined) this.byPort.set(endpoint.localPort, [endpoint]);
    else list.unshift(endpoint);
  }

  remove(endpoint: UdpEndpoint): void {
    const list = this.byPort.get(endpoint.localPort);
    const index = list?.indexOf(endpoint) ?? -1;
    if (list === undefined || index < 0) return;
    list.splice(index, 1);
    if (list.length === 0) this.byPort.delete(endpoint.localPort);
  }

  /** Whether `endpoint` may not bind this address and port: SO_REUSEADDR or SO_REUSEPORT on both sides allows it. */
  conflicts(endpoint: UdpEndpoint, address: IpAddress, port: number): boolean {
    const { reuseAddress, reusePort } = endpoint.settings;
    const wanted = { address, dualStack: endpoint.dualStack };
    for (const other of this.byPort.get(port) ?? []) {
      if (other === endpoint || !overlaps(other, wanted) || onOtherDevice(other, endpoint)) continue;
      if (reuseAddress && other.settings.reuseAddress) continue;
      if (reusePort && other.settings.reusePort) continue;
      return true;
    }
    return false;
  }

  /** A free ephemeral port for `endpoint` at `address`; 0 when there is none. */
  pick(endpoint: UdpEndpoint, address: IpAddress, range: readonly [number, number], start: number): number {
    return pickEphemeralPort(range, start, port => !this.conflicts(endpoint, address, port));
  }

  /**
   * Who receives a datagram from src:sport to dst:dport that came in by the interface `netif`, or null: connected beats
   * bound to the address or the interface beats wildcard; of equals under SO_REUSEPORT the one that a hash of the flow
   * chooses.
   */
  lookup(src: IpAddress, sport: number, dst: IpAddress, dport: number, netif: number): UdpEndpoint | null {
    const list = this.byPort.get(dport);
    if (list === undefined) return null;
    let best: UdpEndpoint | null = null;
    let bestScore = 0;
    let equals = 0;
    for (const endpoint of list) {
      const score = scoreOf(endpoint, src, sport, dst, netif);
      if (score > bestScore) {
        best = endpoint;
        bestScore = score;
        equals = 1;
      } else if (score === bestScore && score > 0) {
        equals++;
      }
    }
    if (best === null || equals === 1 || !best.settings.reusePort) return best;
    const hash = this.flowHash
      .begin()
      .add(src.w1)
      .add(src.w3)
      .add(dst.w3)
      .add((sport << 16) | dport)
      .end();
    const wanted = (hash >>> 0) % equals;
    for (let i = 0, seen = 0; i < list.length; i++) {
      const endpoint = list[i] as UdpEndpoint;
      if (scoreOf(endpoint, src, sport, dst, netif) === bestScore && seen++ === wanted) return endpoint;
    }
    return null;
  }

  /** Everyone who receives a broadcast or multicast datagram. */
  *matching(
    src: IpAddress,
    sport: number,
    dst: IpAddress,
    dport: number,
    netif: number,
  ): IterableIterator<UdpEndpoint> {
    for (const endpoint of this.byPort.get(dport) ?? []) {
      if (scoreOf(endpoint, src, sport, dst, netif) > 0) yield endpoint;
    }
  }

  /** Every endpoint with a port, for closing and for the socket list. */
  *all(): IterableIterator<UdpEndpoint> {
    for (const list of this.byPort.values()) yield* list;
  }
}

/** 0 when the datagram is not for this endpoint; else higher for a closer match. */
function scoreOf(
  endpoint: UdpEndpoint,
  src: IpAddress,
  sport: number,
  dst: IpAddress,
  netif: number,
): number {
  let score = 1;
  if (!takes(endpoint, dst)) return 0;
  const { device } = endpoint.settings;
  if (device !== 0) {
    if (device !== netif) return 0;
    score += 4;
  }
  if (!endpoint.localAddress.isUnspecified) score += 4;
  const remote = endpoint.remoteAddress;
  if (remote !== null) {
    if (endpoint.remotePort !== sport || !remote.equals(src)) return 0;
    score += 8;
  }
  return score;
}

/** SO_BINDTODEVICE keeps the two apart. */
function onOtherDevice(a: UdpEndpoint, b: UdpEndpoint): boolean {
  return a.settings.device !== 0 && b.settings.device !== 0 && a.settings.device !== b.settings.device;
}
