/**
 * Multicast listener discovery, the host's side (RFC 3810; RFC 2710 towards an old querier): tells the routers and the
 * switches of a link which groups are listened to.
 * @module
 */
import type { Host } from '../core/host.ts';
import type { IpSendOptions } from '../core/network.ts';
import type { Packet } from '../core/packet.ts';
import { ALL_NODES, ALL_ROUTERS, ANY_V6, IpAddress, SCOPE_INTERFACE } from '../wire/address.ts';
import { finishChecksum } from '../wire/checksum.ts';
import { CHANGE_TO_INCLUDE, type GroupRecord } from '../wire/group-record.ts';
import { IPPROTO_ICMPV6, icmp6Type, MLD_QUERY, setIcmp6Checksum } from '../wire/icmp6.ts';
import { ipv6HopLimit } from '../wire/ipv6.ts';
import { emitRouterAlert, IPV6_HOP_BY_HOP, ROUTER_ALERT_LENGTH } from '../wire/ipv6-extension.ts';
import { emitMld1, emitMldReport, MLD1_REPORT_LENGTH, mldReportLength, parseMldQuery } from '../wire/mld.ts';
import { pseudoHeaderSum } from '../wire/pseudo-header.ts';
import { GroupReports, inReports } from './group-reports.ts';
import type { Icmp6, LinkMessages } from './icmp6.ts';
import type { Ipv6Output } from './ipv6-output.ts';
import type { Netif } from './netif.ts';
import type { Router6 } from './router6.ts';

/** ff02::16, where reports of version 2 go. */
const ALL_MLDV2_ROUTERS: IpAddress = /* @__PURE__ */ IpAddress.v6(0xff020000, 0, 0, 0x16);
const OPTIONS: IpSendOptions = { ttl: 1, tos: 0, dontFragment: true };

/** Who tells the routers of the links of one host. */
export class Mld extends GroupReports implements LinkMessages {
  private readonly router: Router6;
  private readonly output: Ipv6Output;
  private readonly icmp: Icmp6;
  /** Interfaces whose last querier only knows version 1. */
  private readonly version1 = new Set<Netif>();

  constructor(host: Host, router: Router6, output: Ipv6Output, icmp: Icmp6) {
    super(host);
    this.router = router;
    this.output = output;
    this.icmp = icmp;
  }

  /** The interface is to take what is sent to a group; as often as it is told so, it must be told `leave`. */
  join(netif: Netif, group: IpAddress): void {
    const scoped = group.withZone(netif.index);
    if (netif.ipv6?.enter(scoped) === true) this.changed(netif, scoped, true);
  }

  /** The opposite of `join`. */
  leave(netif: Netif, group: IpAddress): void {
    const scoped = group.withZone(netif.index);
    if (netif.ipv6?.leave(scoped) === true) this.changed(netif, scoped, false);
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
    if (query.version === 1) this.version1.add(netif);
    else this.version1.delete(netif);
    this.answer(netif, asked, query.maxResponseMs);
  }

  /** Finds an interface by its index. Set by the IP layer. */
  find: (index: number) => Netif | null = () => null;

  override forget(netif: Netif): void {
    super.forget(netif);
    this.version1.delete(netif);
  }

  protected override groupsOf(netif: Netif): readonly IpAddress[] {
    return netif.ipv6?.groups ?? [];
  }

  /** Nobody asks who is in ff02::1, nor in groups that do not leave the host (RFC 3810 section 6). */
  protected override isReported(group: IpAddress): boolean {
    return group.scope > SCOPE_INTERFACE && !group.equals(ALL_NODES.withZone(group.zone));
  }

  protected override report(netif: Netif, records: readonly GroupRecord[]): void {
    if (this.version1.has(netif)) {
      for (const { type, group } of records) this.report1(netif, group, type === CHANGE_TO_INCLUDE);
      return;
    }
    for (const part of inReports(records)) {
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
