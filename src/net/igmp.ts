/**
 * IGMP, the host's side (RFC 3376; RFC 2236 and RFC 1112 towards an old querier): tells the routers and the switches of
 * a link which IPv4 groups are listened to.
 * @module
 */
import type { Host } from '../core/host.ts';
import type { TransportProtocol } from '../core/network.ts';
import type { Packet } from '../core/packet.ts';
import { ANY_V4, IpAddress } from '../wire/address.ts';
import { finishChecksum } from '../wire/checksum.ts';
import { ETHERTYPE_IPV4 } from '../wire/ethernet.ts';
import { CHANGE_TO_INCLUDE, type GroupRecord } from '../wire/group-record.ts';
import {
  emitIgmp,
  emitIgmpReport,
  IGMP_CHECKSUM,
  IGMP_LENGTH,
  IGMP1_REPORT,
  IGMP2_LEAVE,
  IGMP2_REPORT,
  igmpReportLength,
  parseIgmpQuery,
} from '../wire/igmp.ts';
import { emitIpv4RouterAlert, IPV4_ROUTER_ALERT_HEADER_LENGTH } from '../wire/ipv4.ts';
import { GroupReports, inReports } from './group-reports.ts';
import type { Interfaces } from './interfaces.ts';
import { MULTICAST_MAC_HIGH, multicastMacLow } from './multicast-mac.ts';
import type { Netif } from './netif.ts';

/** The protocol number of IGMP. */
export const IPPROTO_IGMP = 2;
/** 224.0.0.1, which everybody is in; 224.0.0.2; 224.0.0.22, where reports of version 3 go. */
const ALL_HOSTS: IpAddress = /* @__PURE__ */ IpAddress.v4(0xe0000001 | 0);
const ALL_ROUTERS: IpAddress = /* @__PURE__ */ IpAddress.v4(0xe0000002 | 0);
const ALL_IGMPV3_ROUTERS: IpAddress = /* @__PURE__ */ IpAddress.v4(0xe0000016 | 0);
/** How long an old querier is remembered (RFC 3376 section 8.12), in microseconds. */
const OLDER_QUERIER_US = 260e6;
/** Internetwork control (RFC 3376 section 4). */
const TOS = 0xc0;

/** An interface on which a querier of an older version was heard. */
interface Older {
  readonly version: 1 | 2;
  readonly untilUs: number;
}

/** Who tells the routers of the links of one host of its IPv4 groups. */
export class Igmp extends GroupReports implements TransportProtocol {
  readonly protocol: number = IPPROTO_IGMP;
  private readonly interfaces: Interfaces;
  private readonly older = new Map<Netif, Older>();

  constructor(host: Host, interfaces: Interfaces) {
    super(host);
    this.interfaces = interfaces;
  }

  /** The interface is to take what is sent to a group; as often as it is told so, it must be told `leave`. */
  join(netif: Netif, group: IpAddress): void {
    const uses = netif.groups.get(group.w3) ?? 0;
    netif.groups.set(group.w3, uses + 1);
    if (uses === 0) this.changed(netif, group, true);
  }

  /** The opposite of `join`. */
  leave(netif: Netif, group: IpAddress): void {
    const uses = netif.groups.get(group.w3) ?? 0;
    if (uses > 1) netif.groups.set(group.w3, uses - 1);
    else if (netif.groups.delete(group.w3)) this.changed(netif, group, false);
  }

  /** TransportProtocol: a querier asks. Reports of others mean nothing to a host of version 3. */
  receive(packet: Packet): void {
    const { view, l4, end, netif: index } = packet;
    const sum = packet.sum(l4, end, 0);
    const query = finishChecksum(sum) === 0 ? parseIgmpQuery(view, l4, end) : null;
    const netif = this.interfaces.byIndex(index);
    packet.release();
    if (query === null || netif === null) return;
    const { version, group } = query;
    if (version !== 3) this.older.set(netif, { version, untilUs: this.host.nowUs + OLDER_QUERIER_US });
    const asked = group.isUnspecified ? null : group;
    this.answer(netif, asked, query.maxResponseMs);
  }

  /** TransportProtocol: nobody waits for an answer. */
  error(): void {}

  override forget(netif: Netif): void {
    super.forget(netif);
    this.older.delete(netif);
  }

  protected override groupsOf(netif: Netif): readonly IpAddress[] {
    return [...netif.groups.keys()].map(word => IpAddress.v4(word));
  }

  protected override isReported(group: IpAddress): boolean {
    return !group.equals(ALL_HOSTS);
  }

  protected override report(netif: Netif, records: readonly GroupRecord[]): void {
    const older = this.older.get(netif);
    if (older !== undefined && this.host.nowUs < older.untilUs) {
      for (const record of records) this.reportOld(netif, record, older.version);
      return;
    }
    for (const part of inReports(records)) {
      this.send(netif, ALL_IGMPV3_ROUTERS, igmpReportLength(part.length), (view, offset) =>
        emitIgmpReport(view, offset, part),
      );
    }
  }

  /** RFC 2236 section 3: a report goes to the group itself, that it was left to the routers; version 1 has no leave. */
  private reportOld(netif: Netif, { type, group }: GroupRecord, version: 1 | 2): void {
    const left = type === CHANGE_TO_INCLUDE;
    if (left && version === 1) return;
    const message = left ? IGMP2_LEAVE : version === 2 ? IGMP2_REPORT : IGMP1_REPORT;
    this.send(netif, left ? ALL_ROUTERS : group, IGMP_LENGTH, (view, offset) =>
      emitIgmp(view, offset, message, group),
    );
  }

  /** Sends a message with a router alert in its IP header (RFC 3376 section 4). */
  private send(
    netif: Netif,
    destination: IpAddress,
    length: number,
    emit: (view: DataView, offset: number) => void,
  ): void {
    const packet = this.host.pool.take(IPV4_ROUTER_ALERT_HEADER_LENGTH + length);
    if (packet === null) return;
    const { view, start } = packet;
    const message = start + IPV4_ROUTER_ALERT_HEADER_LENGTH;
    const source = netif.addresses.find(({ address }) => address.family === destination.family)?.address;
    packet.l3 = start;
    packet.l4 = message;
    packet.end = message + length;
    emitIpv4RouterAlert(
      view,
      start,
      TOS,
      packet.end - start,
      1,
      IPPROTO_IGMP,
      (source ?? ANY_V4).w3,
      destination.w3,
    );
    emit(view, message);
    view.setUint16(message + IGMP_CHECKSUM, 0);
    view.setUint16(message + IGMP_CHECKSUM, finishChecksum(packet.sum(message, packet.end, 0)));
    this.host.mib.Ip.OutRequests++;
    this.host.mib.IpExt.OutMcastPkts++;
    netif.transmit(packet, MULTICAST_MAC_HIGH, multicastMacLow(destination.w3), ETHERTYPE_IPV4);
  }
}
