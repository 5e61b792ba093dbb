/**
 * The host's side of multicast group management, as IGMP (RFC 3376) and MLD (RFC 3810) have it: a change is reported at
 * once and once more, a querier is answered within the time that it gives.
 * @module
 */
import type { Host } from '../core/host.ts';
import { Alarm } from '../core/timers.ts';
import {
  CHANGE_TO_EXCLUDE,
  CHANGE_TO_INCLUDE,
  type GroupRecord,
  MODE_IS_EXCLUDE,
} from '../wire/group-record.ts';
import type { Netif } from './netif.ts';

/** A report of a change is sent once more within this time (RFC 3376 section 8.11, RFC 3810 section 9.11). */
const UNSOLICITED_INTERVAL_US = 1_000_000;
/** Records in one report: what fits into the packet that every host takes, 576 bytes over IPv4, 1280 over IPv6. */
const RECORDS_MAX = 60;

/** What an interface still has to report. */
interface Pending {
  readonly alarm: Alarm;
  records: readonly GroupRecord[];
}

/** Who tells the routers and switches of the links of one host which groups are listened to. */
export abstract class GroupReports {
  protected readonly host: Host;
  private readonly pending = new Map<Netif, Pending>();

  constructor(host: Host) {
    this.host = host;
  }

  /** The groups of an interface that are to be reported. */
  protected abstract groupsOf(netif: Netif): readonly GroupRecord['group'][];
  /** Whether a group is one that others are told of. */
  protected abstract isReported(group: GroupRecord['group']): boolean;
  /** Sends a report. */
  protected abstract report(netif: Netif, records: readonly GroupRecord[]): void;

  /** Reports every group of an interface again: the link came back, or there is an address to report from. */
  reportAll(netif: Netif): void {
    if (netif.isLoopback) return;
    const records = this.recordsOf(netif, CHANGE_TO_EXCLUDE);
    if (records.length > 0) this.report(netif, records);
  }

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

  /** A group was joined, or left, on an interface. */
  protected changed(netif: Netif, group: GroupRecord['group'], joined: boolean): void {
    if (netif.isLoopback || !netif.up || !this.isReported(group)) return;
    const record = { type: joined ? CHANGE_TO_EXCLUDE : CHANGE_TO_INCLUDE, group };
    this.report(netif, [record]);
    this.schedule(netif, [record], UNSOLICITED_INTERVAL_US);
  }

  /** A querier asked for one group, or for all (null), and wants to hear of them within `withinMs`. */
  protected answer(netif: Netif, asked: GroupRecord['group'] | null, withinMs: number): void {
    const records = this.recordsOf(netif, MODE_IS_EXCLUDE);
    const wanted = asked === null ? records : records.filter(({ group }) => asked.equals(group));
    if (wanted.length > 0) this.schedule(netif, wanted, withinMs * 1000);
  }

  /** Records of this type about the groups of an interface. */
  private recordsOf(netif: Netif, type: number): GroupRecord[] {
    const reported = this.groupsOf(netif).filter(group => this.isReported(group));
    return reported.map(group => ({ type, group }));
  }

  /** Reports at a random time within `withinUs`, together with what is still to be reported. */
  private schedule(netif: Netif, records: readonly GroupRecord[], withinUs: number): void {
    const { host } = this;
    let pending = this.pending.get(netif);
    if (pending === undefined) {
      pending = { alarm: new Alarm(() => this.fire(netif)), records: [] };
      this.pending.set(netif, pending);
    }
    const isNews = (old: GroupRecord): boolean => !records.some(({ group }) => group.equals(old.group));
    pending.records = [...pending.records.filter(isNews), ...records];
    const dueUs = host.nowUs + Math.floor(host.randomShare() * withinUs);
    if (dueUs < host.timers.dueOf(pending.alarm)) host.timers.set(pending.alarm, dueUs);
  }

  private fire(netif: Netif): void {
    const pending = this.pending.get(netif);
    if (pending === undefined) return;
    this.pending.delete(netif);
    this.report(netif, pending.records);
  }
}

/** Divides records among as many reports as it takes. */
export function* inReports(records: readonly GroupRecord[]): Generator<readonly GroupRecord[]> {
  for (let at = 0; at < records.length; at += RECORDS_MAX) yield records.slice(at, at + RECORDS_MAX);
}
