/**
 * Addresses that a host makes itself (RFC 4862): link-local ones, and those in the prefixes that routers tell of, with
 * stable identifiers (RFC 7217) and, if wanted, temporary ones (RFC 8981).
 * @module
 */
import type { Host } from '../core/host.ts';
import { Alarm } from '../core/timers.ts';
import { IpAddress } from '../wire/address.ts';
import type { PrefixInformation } from '../wire/ndp-options.ts';
import { InterfaceIds } from './interface-id.ts';
import type { Interfaces } from './interfaces.ts';
import { type AddressOrigin, Ipv6Address } from './ipv6-address.ts';
import { lifetimeEndUs } from './lifetime.ts';
import type { Netif } from './netif.ts';

/** An identifier of an interface has 64 bits (RFC 4291 section 2.5.1). */
const PREFIX_LENGTH = 64;
/** Identifiers that are tried when somebody else has the address (RFC 7217 section 6). */
const ID_RETRIES = 3;
/** A router cannot cut a lifetime below this (RFC 4862 section 5.5.3 e). */
const TWO_HOURS_US = 7200e6;
/** A new temporary address is made this long before the old one is deprecated (RFC 8981 section 3.8). */
const REGENERATE_ADVANCE_US = 5e6;
/** The most a temporary address's time is shortened by, as a share of it, so that hosts do not change together. */
const DESYNC = 0.4;

/** The addresses that one host makes itself. */
export class Slaac {
  private readonly host: Host;
  private readonly interfaces: Interfaces;
  private readonly ids: InterfaceIds;
  private readonly alarm = new Alarm(() => this.tick());

  constructor(host: Host, interfaces: Interfaces) {
    this.host = host;
    this.interfaces = interfaces;
    this.ids = new InterfaceIds(host);
  }

  /** Gives an interface its link-local address. */
  addLinkLocal(netif: Netif, counter = 0): void {
    const prefix = IpAddress.v6(0xfe800000, 0, 0, 0, netif.index);
    const entry = new Ipv6Address(this.ids.address(prefix, netif, counter), PREFIX_LENGTH, 'link-local');
    entry.dadCounter = counter;
    netif.addEntry(entry);
  }

  /** RFC 4862 section 5.5.3: a router says that hosts may make themselves addresses in a prefix. */
  prefix(netif: Netif, info: PrefixInformation): void {
    const { host } = this;
    const { prefix, prefixLength, preferredSeconds, validSeconds } = info;
    if (!host.sysctl.autoconf || prefix.isLinkLocal || prefix.isMulticast) return;
    if (prefixLength !== PREFIX_LENGTH || preferredSeconds > validSeconds) return;
    const known = (netif.ipv6?.addresses ?? []).filter(
      ({ address, origin }) =>
        (origin === 'slaac' || origin === 'temporary') && address.inPrefix(prefix, PREFIX_LENGTH),
    );
    for (const entry of known) this.refresh(entry, info);
    if (validSeconds > 0 && !known.some(({ origin }) => origin === 'slaac')) this.add(netif, info);
    this.schedule();
  }

  /** An address turned out to be somebody else's: another one takes its place, a few times. */
  replace(netif: Netif, entry: Ipv6Address): void {
    const counter = entry.dadCounter + 1;
    if (entry.origin === 'manual' || counter > ID_RETRIES) return;
    netif.removeAddress(entry.address);
    if (entry.origin === 'link-local') this.addLinkLocal(netif, counter);
    else this.make(netif, entry.address, entry.origin, counter, entry);
  }

  /** Forgets the addresses that came from routers: the link is gone. */
  forget(netif: Netif): void {
    for (const { address, origin } of netif.ipv6?.addresses ?? []) {
      if (origin !== 'manual') netif.removeAddress(address);
    }
    this.schedule();
  }

  /** Stops the timer. */
  close(): void {
    this.host.timers.delete(this.alarm);
  }

  private add(netif: Netif, { prefix, validSeconds, preferredSeconds }: PrefixInformation): void {
    const { nowUs, sysctl } = this.host;
    const times = {
      validUntilUs: lifetimeEndUs(nowUs, validSeconds),
      preferredUntilUs: lifetimeEndUs(nowUs, preferredSeconds),
    };
    this.make(netif, prefix, 'slaac', 0, times);
    if (sysctl.use_tempaddr > 0 && preferredSeconds > 0) this.makeTemporary(netif, prefix, times);
  }

  private makeTemporary(
    netif: Netif,
    prefix: IpAddress,
    most: { validUntilUs: number; preferredUntilUs: number },
  ): void {
    const { nowUs, sysctl } = this.host;
    const desync = this.host.randomShare() * DESYNC;
    const preferredUs = Math.floor(sysctl.temp_prefered_lft * 1e6 * (1 - desync));
    this.make(netif, prefix, 'temporary', 0, {
      validUntilUs: Math.min(most.validUntilUs, nowUs + sysctl.temp_valid_lft * 1e6),
      preferredUntilUs: Math.min(most.preferredUntilUs, nowUs + preferredUs),
    });
  }

  private make(
    netif: Netif,
    prefix: IpAddress,
    origin: AddressOrigin,
    counter: number,
    times: { validUntilUs: number; preferredUntilUs: number },
  ): void {
    if ((netif.ipv6?.addresses.length ?? 0) >= this.host.sysctl.max_addresses) return;
    const address =
      origin === 'temporary' ? this.ids.temporary(prefix) : this.ids.address(prefix, netif, counter);
    const entry = new Ipv6Address(address, PREFIX_LENGTH, origin);
    entry.dadCounter = counter;
    entry.validUntilUs = times.validUntilUs;
    entry.preferredUntilUs = times.preferredUntilUs;
    netif.addEntry(entry);
    this.schedule();
  }

  /** RFC 4862 section 5.5.3 (e): a lifetime is not cut to less than two hours by who may not be a router. */
  private refresh(entry: Ipv6Address, { validSeconds, preferredSeconds }: PrefixInformation): void {
    const { nowUs } = this.host;
    const offeredUs = lifetimeEndUs(nowUs, validSeconds);
    const preferredUs = lifetimeEndUs(nowUs, preferredSeconds);
    if (entry.origin === 'temporary') {
      // RFC 8981 section 3.4: these only ever get shorter.
      entry.validUntilUs = Math.min(entry.validUntilUs, offeredUs);
      entry.preferredUntilUs = Math.min(entry.preferredUntilUs, preferredUs);
      return;
    }
    const leftUs = entry.validUntilUs - nowUs;
    if (offeredUs - nowUs > TWO_HOURS_US || offeredUs > entry.validUntilUs) entry.validUntilUs = offeredUs;
    else if (leftUs > TWO_HOURS_US) entry.validUntilUs = nowUs + TWO_HOURS_US;
    if (entry.preferredUntilUs !== preferredUs) this.interfaces.changed();
    entry.preferredUntilUs = preferredUs;
  }

  /** Takes away what has ended, renews temporary addresses, and lets routes notice what is deprecated. */
  private tick(): void {
    const { nowUs } = this.host;
    for (const netif of this.interfaces.list) {
      for (const entry of netif.ipv6?.addresses ?? []) {
        if (entry.validUntilUs <= nowUs) netif.removeAddress(entry.address);
        else if (entry.origin === 'temporary') this.renew(netif, entry);
      }
    }
    this.interfaces.changed();
    this.schedule();
  }

  private renew(netif: Netif, entry: Ipv6Address): void {
    const { nowUs } = this.host;
    if (entry.renewed || nowUs < entry.preferredUntilUs - REGENERATE_ADVANCE_US) return;
    entry.renewed = true;
    const stable = netif.ipv6?.addresses.find(
      other => other.origin === 'slaac' && other.address.inPrefix(entry.address, PREFIX_LENGTH),
    );
    // Only a prefix that is still preferred gets another one.
    if (stable !== undefined && stable.preferredUntilUs > nowUs + REGENERATE_ADVANCE_US) {
      this.makeTemporary(netif, entry.address, stable);
    }
  }

  private schedule(): void {
    const { host } = this;
    let nextUs = Number.POSITIVE_INFINITY;
    for (const netif of this.interfaces.list) {
      for (const entry of netif.ipv6?.addresses ?? []) {
        const { preferredUntilUs, validUntilUs, origin, renewed } = entry;
        nextUs = Math.min(nextUs, validUntilUs);
        if (preferredUntilUs > host.nowUs) nextUs = Math.min(nextUs, preferredUntilUs);
        if (origin === 'temporary' && !renewed) {
          nextUs = Math.min(nextUs, preferredUntilUs - REGENERATE_ADVANCE_US);
        }
      }
    }
    if (nextUs === Number.POSITIVE_INFINITY) host.timers.delete(this.alarm);
    else host.timers.set(this.alarm, nextUs);
  }
}
