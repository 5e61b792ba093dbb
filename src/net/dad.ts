/**
 * Duplicate address detection (RFC 4862 section 5.4, RFC 4429, RFC 7527): nobody else on the link may have an address
 * that we take.
 * @module
 */
import type { Host } from '../core/host.ts';
import { Alarm } from '../core/timers.ts';
import { ANY_V6, formatMac, solicitedNode } from '../wire/address.ts';
import { ND_NEIGHBOR_SOLICIT } from '../wire/icmp6.ts';
import type { Ipv6Address } from './ipv6-address.ts';
import type { Ndp } from './ndp.ts';
import { traceNeighbor } from './neighbor.ts';
import type { Netif } from './netif.ts';

/** Bytes of the number that tells our own questions from others'. */
const NONCE_LENGTH = 6;

/** Told how checks ended. */
export interface DadListener {
  /** Nobody else has the address. */
  unique(netif: Netif, entry: Ipv6Address): void;
  /** Somebody has it. */
  duplicate(netif: Netif, entry: Ipv6Address): void;
}

/** One check under way. */
interface Check {
  readonly netif: Netif;
  readonly entry: Ipv6Address;
  readonly alarm: Alarm;
  readonly nonce: Uint8Array;
  /** Solicitations still to be sent. */
  left: number;
}

/** The checks of one host. */
export class Dad {
  private readonly host: Host;
  private readonly ndp: Ndp;
  private readonly listener: DadListener;
  private readonly checks = new Map<Ipv6Address, Check>();

  constructor(host: Host, ndp: Ndp, listener: DadListener) {
    this.host = host;
    this.ndp = ndp;
    this.listener = listener;
  }

  /** Checks an address, from the beginning. */
  start(netif: Netif, entry: Ipv6Address): void {
    const { host } = this;
    const { dad_transmits, optimistic_dad, router_solicitation_delay } = host.sysctl;
    this.stop(entry);
    if (netif.isLoopback || !netif.needsNeighbor || dad_transmits === 0) {
      entry.check = 'done';
      this.listener.unique(netif, entry);
      return;
    }
    entry.check = optimistic_dad ? 'optimistic' : 'tentative';
    const alarm = new Alarm(() => this.next(check));
    const check = { netif, entry, alarm, nonce: host.randomBytes(NONCE_LENGTH), left: dad_transmits };
    this.checks.set(entry, check);
    // Not all hosts of a link at once, when the power comes back (RFC 4862 section 5.4.2).
    const delayUs = Math.floor(host.randomShare() * router_solicitation_delay * 1e6);
    host.timers.set(alarm, host.nowUs + delayUs);
  }

  /** Gives up a check without a result. */
  stop(entry: Ipv6Address): void {
    const check = this.checks.get(entry);
    if (check === undefined) return;
    this.host.timers.delete(check.alarm);
    this.checks.delete(entry);
  }

  /** Somebody else checks the same address, unless the question is our own and has come back. */
  sameCheck(netif: Netif, entry: Ipv6Address, nonce: Uint8Array | undefined): void {
    const own = this.checks.get(entry)?.nonce;
    if (own !== undefined && nonce !== undefined && sameBytes(own, nonce)) return;
    this.conflict(netif, entry, undefined);
  }

  /** Somebody else has the address. `mac` is theirs, if they said it. */
  conflict(netif: Netif, entry: Ipv6Address, mac: Uint8Array | undefined): void {
    if (entry.check === 'duplicate') return;
    this.stop(entry);
    entry.check = 'duplicate';
    traceNeighbor(netif, entry.address, mac === undefined ? '' : formatMac(mac), 'LOCAL', 'CONFLICT');
    this.listener.duplicate(netif, entry);
  }

  /** Stops every timer. */
  close(): void {
    for (const entry of [...this.checks.keys()]) this.stop(entry);
  }

  private next(check: Check): void {
    const { host } = this;
    const { netif, entry, nonce } = check;
    if (check.left === 0) {
      this.checks.delete(entry);
      entry.check = 'done';
      this.listener.unique(netif, entry);
      return;
    }
    check.left--;
    const { address } = entry;
    const message = { type: ND_NEIGHBOR_SOLICIT, target: address, options: { nonce } } as const;
    this.ndp.send(netif, ANY_V6, solicitedNode(address, netif.index), message);
    host.timers.set(check.alarm, host.nowUs + this.ndp.retransUs(netif));
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
