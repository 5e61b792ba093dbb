/**
 * IPv4 link-local addresses (RFC 3927): a host without a server picks one itself.
 * @module
 */
import { assert } from '../base/assert.ts';
import { Rng } from '../base/rng.ts';
import type { Host } from '../core/host.ts';
import { Alarm } from '../core/timers.ts';
import type { IpLayer } from '../net/ip-layer.ts';
import type { Netif } from '../net/netif.ts';
import { TRACE_CONFIG } from '../trace/events.ts';
import { IpAddress } from '../wire/address.ts';

/** 169.254.1.0, and how many addresses from there on may be picked (section 2.1). */
const FIRST = 0xa9fe0100;
const COUNT = 254 * 256;
const PREFIX_LENGTH = 16;
/** Section 9: after so many conflicts there is this time between two attempts. */
const MAX_CONFLICTS = 10;
const RATE_LIMIT_INTERVAL_US = 60e6;

/** What an interface does about its link-local address. */
export type LinkLocalState = 'STOPPED' | 'PROBING' | 'WAITING' | 'CLAIMED';

/** What can happen to it. */
export type LinkLocalCause =
  | 'start'
  | 'address is free'
  | 'conflict'
  | 'too many conflicts'
  | 'try again'
  | 'link up'
  | 'stop';

/** From each state, where each cause leads. What is not here cannot happen. */
export const LINK_LOCAL_TRANSITIONS: {
  readonly [from in LinkLocalState]: { readonly [cause in LinkLocalCause]?: LinkLocalState };
} = {
  STOPPED: { start: 'PROBING' },
  PROBING: {
    'address is free': 'CLAIMED',
    conflict: 'PROBING',
    'too many conflicts': 'WAITING',
    'link up': 'PROBING',
    stop: 'STOPPED',
  },
  WAITING: { 'try again': 'PROBING', 'link up': 'PROBING', stop: 'STOPPED' },
  CLAIMED: { conflict: 'PROBING', 'too many conflicts': 'WAITING', 'link up': 'PROBING', stop: 'STOPPED' },
};

/** The link-local address of one interface. */
export class LinkLocal {
  state: LinkLocalState = 'STOPPED';
  private readonly host: Host;
  private readonly ip: IpLayer;
  private readonly netif: Netif;
  private readonly onChange: () => void;
  /** Seeded with the hardware address, so that a host picks the same addresses each time (section 2.1). */
  private readonly rng: Rng;
  private readonly alarm = new Alarm(() => this.take('try again'));
  private candidate: IpAddress;
  private conflicts = 0;
  private cancelProbe: (() => void) | null = null;

  /** `onChange` is told of each change of state. */
  constructor(host: Host, ip: IpLayer, netif: Netif, onChange: () => void) {
    this.host = host;
    this.ip = ip;
    this.netif = netif;
    this.onChange = onChange;
    this.rng = new Rng(netif.macLow ^ Math.imul(netif.macHigh, 0x9e3779b1));
    this.candidate = this.pick();
  }

  /** The address that is in use; null while there is none. */
  get address(): IpAddress | null {
    return this.state === 'CLAIMED' ? this.candidate : null;
  }

  start(): void {
    if (this.state === 'STOPPED') this.take('start');
  }

  /** Gives the address up: there is a better one. */
  stop(): void {
    if (this.state !== 'STOPPED') this.take('stop');
  }

  /** The cable is back: perhaps others have the address there. */
  linkUp(): void {
    if (this.state !== 'STOPPED') this.take('link up');
  }

  /** Somebody else uses our address and does not give way (section 2.5). */
  conflict(address: IpAddress): void {
    if (this.address?.equals(address) === true) this.lose();
  }

  private lose(): void {
    const { candidate } = this;
    this.conflicts++;
    this.take(this.conflicts >= MAX_CONFLICTS ? 'too many conflicts' : 'conflict', candidate);
  }

  private pick(): IpAddress {
    return IpAddress.v4(FIRST + this.rng.below(COUNT));
  }

  /** Takes an arrow of the diagram; `lost` is an address that somebody else has. */
  private take(cause: LinkLocalCause, lost: IpAddress | null = null): void {
    const { state: from, netif, host } = this;
    const to = LINK_LOCAL_TRANSITIONS[from][cause];
    assert(to !== undefined, `${from} has no arrow '${cause}'`);
    this.cancelProbe?.();
    this.cancelProbe = null;
    host.timers.delete(this.alarm);
    if (from === 'CLAIMED') netif.removeAddress(this.candidate);
    this.state = to;
    this.trace(from, to, cause);
    if (lost !== null) this.candidate = this.pick();
    if (to === 'PROBING') this.probe();
    else if (to === 'WAITING') host.timers.set(this.alarm, host.nowUs + RATE_LIMIT_INTERVAL_US);
    else if (to === 'CLAIMED') this.claim();
    this.onChange();
  }

  private probe(): void {
    let waits = true;
    const cancel = this.ip.probeAddress(this.netif, this.candidate, free => {
      if (!waits) return;
      if (free) this.take('address is free');
      else this.lose();
    });
    this.cancelProbe = () => {
      waits = false;
      cancel();
    };
  }

  private claim(): void {
    const { netif, ip, candidate } = this;
    netif.addAddress(candidate, PREFIX_LENGTH);
    ip.ipv4.arp.announceAgain(netif, candidate);
  }

  private trace(from: LinkLocalState, to: LinkLocalState, cause: LinkLocalCause): void {
    const { trace, nowUs: atUs, name: host } = this.host;
    if (trace === null || (trace.wants & TRACE_CONFIG) === 0) return;
    const address = String(this.candidate);
    const event = { type: 'config', atUs, host, netif: this.netif.name, protocol: 'link-local' } as const;
    trace.emit({ ...event, from, to, cause, address });
  }
}
