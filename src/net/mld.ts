/**
 * Multicast listener discovery, the host's side (RFC 3810; RFC 2710 towards an old querier): tells the routers and the
 * switches of a link which groups are listened to.
 * @module
 */
import type { Host } from '../core/host.ts';
import type { IpSendOptions } from '../core/network.ts';
import type { Packet } from '../core/packet.ts';
import { Alarm } from '../core/timers.ts';
import { ALL_NODES, ALL_ROUTERS, ANY_V6, IpAddress, SCOPE_INTERFACE } from '../wire/address.ts';
import { finishChecksum } from '../wire/checksum.ts';
import { IPPROTO_ICMPV6, icmp6Type, MLD_QUERY, setIcmp6Checksum } from '../wire/icmp6.ts';
import { ipv6HopLimit } from '../wire/ipv6.ts';
import { emitRouterAlert, IPV6_HOP_BY_HOP, ROUTER_ALERT_LENGTH } from '../wire/ipv6-extension.ts';
import {
  emitMld1,
  emitMldReport,
  MLD_IS_EXCLUDE,
  MLD_TO_EXCLUDE,
  MLD_TO_INCLUDE,
  MLD1_REPORT_LENGTH,
  type MldRecord,
  mldReportLength,
  parseMldQuery,
} from '../wire/mld.ts';
import { pseudoHeaderSum } from '../wire/pseudo-header.ts';
import type { Icmp6, LinkMessages } from './icmp6.ts';
import type { Ipv6Output } from './ipv6-output.ts';
import type { Netif } from './netif.ts';
import type { Router6 } from './router6.ts';

/** ff02::16, where reports of version 2 go. */
const ALL_MLDV2_ROUTERS: IpAddress = /* @__PURE__ */ IpAddress.v6(0xff020000, 0, 0, 0x16);
/** A report of a change is sent once more within this time (RFC 3810 section 9.11). */
const UNSOLICITED_INTERVAL_US = 1_000_000;
/** Records in one report: what fits into 1280 bytes. */
const RECORDS_MAX = 60;
const OPTIONS: IpSendOptions = { ttl: 1, tos: 0, dontFragment: true };

/** What an interface still has to report. */
interface Pending {
  readonly alarm: Alarm;
  records: MldRecord[];
  /** The querier that asked only knows version 1. */
  version: 1 | 2;
}

/** Who tells the routers of the links of one host. */
export class Mld implements LinkMessages {
  private readonly host: Host;
  private readonly router: Router6;
  private readonly output: Ipv6Output;
  private readonly icmp: Icmp6;
  private readonly pending = new Map<Netif, Pending>();

  constructor(host: Host, router: Router6, output: Ipv6Output, icmp: Icmp6) {
    this.host = host;
    this.router = router;
    this.output = output;
    this.icmp = icmp;
  }

  /** The interface is to take what is sent to a group; as often as it is told so, it must be told `leave`. */
  join(netif: Netif, group: IpAddress): void {
    const scoped = group.withZone(netif.index);
    if (netif.ipv6?.enter(scoped) === true) this.change(netif, { type: MLD_TO_EXCLUDE, group: scoped });
  }

  /** The opposite of `join`. */
  leave(netif: Netif, group: IpAddress): void {
    const scoped = group.withZone(netif.index);
    if (netif.ipv6?.leave(scoped) === true) this.change(netif, { type: MLD_TO_INCLUDE, group: scoped });
  }

  /** Reports every group of an interface again: it has a link-local address now (RFC 3590), or the link came back. */
  reportAll(netif: Netif): void {
    const records = recordsOf(netif, MLD_TO_EXCLUDE);
    if (records.length > 0) this.report(netif, records);
  }

  /** LinkMessages: a querier asks. Reports of others mean nothing to a host. */
  receive(packet: Packet): void {
    const { view, l3, l4, end, src, netif: index } = packet;
    if (icmp6Type(view, l4) !== MLD_QUERY) return;
    const query = parseMldQuery(view, l4, end);
    // RFC 3810 section 6.2.
    if (query === null || !src.isLinkLocal || ipv6HopLimit(view, l3) !== 1) return;
    const netif = this.find(index);
    if (netif === null) return;
    const asked = query.group.isUnspecified ? null : query.group.withZone(index);
    const records = recordsOf(netif, MLD_IS_EXCLUDE).filter(
      ({ group }) => asked === null || asked.equals(group),
    );
    if (records.length > 0) this.schedule(netif, records, query.maxResponseMs * 1000, query.version);
  }

  /** Finds an interface by its index. Set by the IP layer. */
  find: (index: number) => Netif | null = () => null;

  /** Forgets what is still to be reported on an interface. */
  forget(netif: Netif): void {
    const pending = this.pending.get(netif);
    if (pending !== undefined) this.host.timers.delete(pending.alarm);
    this.pending.delete(netif);
  }

  /** Stops every timer. */
  close(): void {
    for (const netif of [...this.pending.keys()]) this.forget(netif);
  }

  private change(netif: Netif, record: MldRecord): void {
    if (netif.isLoopback || !netif.up || !isReported(record.group)) return;
    this.report(netif, [record]);
    this.schedule(netif, [record], UNSOLICITED_INTERVAL_US, 2);
  }

  private schedule(netif: Netif, records: readonly MldRecord[], withinUs: number, version: 1 | 2): void {
    const { host } = this;
    const delayUs = Math.floor(host.randomShare() * withinUs);
    let pending = this.pending.get(netif);
    if (pending === undefined) {
      pending = { alarm: new Alarm(() => this.fire(netif)), records: [], version };
      this.pending.set(netif, pending);
    }
    const isNews = (old: MldRecord): boolean => !records.some(({ group }) => group.equals(old.group));
    pending.records = [...pending.records.filter(isNews), ...records];
    pending.version = version;
    const dueUs = host.nowUs + delayUs;
    if (!pending.alarm.armed || dueUs < pending.alarm.dueUs) host.timers.set(pending.alarm, dueUs);
  }

  private fire(netif: Netif): void {
    const pending = this.pending.get(netif);
    if (pending === undefined) return;
    this.pending.delete(netif);
    if (pending.version === 2) this.report(netif, pending.records);
    else for (const { type, group } of pending.records) this.report1(netif, group, type === MLD_TO_INCLUDE);
  }

  private report(netif: Netif, records: readonly MldRecord[]): void {
    for (let at = 0; at < records.length; at += RECORDS_MAX) {
      const part = records.slice(at, at + RECORDS_MAX);
      this.send(netif, ALL_MLDV2_ROUTERS, mldReportLength(part.length), (view, offset) =>
        emitMldReport(view, offset, part),
      );
    }
  }

  private report1(netif: Netif, group: IpAddress, done: boolean): void {
    this.send(netif, done ? ALL_ROUTERS : group, MLD1_REPORT_LENGTH, (view, offset) =>
      emitMld1(view, offset, group, done),
    );
  }

  /** Sends a message behind a router alert (RFC 3810 section 5). */
  private send(
    netif: Netif,
    destination: IpAddress,
    length: number,
    emit: (view: DataView, offset: number) => void,
  ): void {
    const packet = this.host.pool.take(ROUTER_ALERT_LENGTH + length);
    if (packet === null) return;
    const { view, start } = packet;
    const icmp = start + ROUTER_ALERT_LENGTH;
    const route = this.router.direct(destination, netif.ipv6?.linkLocal ?? ANY_V6, netif);
    packet.l4 = start;
    packet.end = icmp + length;
    emitRouterAlert(view, start, IPPROTO_ICMPV6);
    emit(view, icmp);
    const initial = pseudoHeaderSum(route.source, route.destination, IPPROTO_ICMPV6, length);
    setIcmp6Checksum(view, icmp, finishChecksum(packet.sum(icmp, packet.end, initial)));
    this.icmp.countOut(icmp6Type(view, icmp));
    this.output.send(packet, route, IPV6_HOP_BY_HOP, OPTIONS);
  }
}

/** Nobody asks who is in ff02::1, nor in groups that do not leave the host (RFC 3810 section 6). */
function isReported(group: IpAddress): boolean {
  return group.scope > SCOPE_INTERFACE && !group.equals(ALL_NODES.withZone(group.zone));
}

function recordsOf(netif: Netif, type: number): MldRecord[] {
  const groups = netif.ipv6?.groups ?? [];
  return groups.filter(isReported).map(group => ({ type, group }));
}
