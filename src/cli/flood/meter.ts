/**
 * Reports of bulk transfers: one line an interval and connection, a sum, and the whole at the end.
 * @module
 */
import { formatBytes, formatRate } from '../units.ts';
import type { ConnectionInfo } from './tcp-info.ts';

/** A connection that is measured. */
export interface Metered {
  /** Its number in the reports. */
  readonly id: number;
  /** So far. */
  readonly bytes: number;
  /** What is known of it as a sender; null for a receiver, or when it is gone. */
  info(): ConnectionInfo | null;
}

/** How reports look. */
export interface MeterOptions {
  /** 'sent', 'received'. */
  readonly verb: string;
  readonly json: boolean;
  readonly print: (text: string) => void;
  /** The clock, in milliseconds; the process's when not given. */
  readonly nowMs?: () => number;
}

/** One connection in a report, or the sum of them. */
interface Row {
  readonly id: number | 'sum';
  readonly bytes: number;
  readonly info: ConnectionInfo | null;
}

/** Measures connections from its making on. Connections may be added while it measures. */
export class Meter {
  private readonly connections: readonly Metered[];
  private readonly options: MeterOptions;
  private readonly nowMs: () => number;
  private readonly beganMs: number;
  private lastMs: number;
  /** Bytes at the last report, by connection. */
  private readonly before = new Map<number, number>();
  /** How each connection was when it was last seen open. */
  private readonly infos = new Map<number, ConnectionInfo>();

  constructor(connections: readonly Metered[], options: MeterOptions) {
    this.connections = connections;
    this.options = options;
    this.nowMs = options.nowMs ?? (() => performance.now());
    this.beganMs = this.nowMs();
    this.lastMs = this.beganMs;
  }

  /** Reports what was moved since the last report. */
  interval(): void {
    const nowMs = this.nowMs();
    const rows = this.connections.map(each => {
      const bytes = each.bytes - (this.before.get(each.id) ?? 0);
      this.before.set(each.id, each.bytes);
      return { id: each.id, bytes, info: this.infoOf(each) };
    });
    this.report('interval', this.lastMs, nowMs, rows);
    this.lastMs = nowMs;
  }

  /** Reports the whole. */
  end(): void {
    const rows = this.connections.map(each => ({ id: each.id, bytes: each.bytes, info: this.infoOf(each) }));
    this.report('end', this.beganMs, this.nowMs(), rows);
  }

  private infoOf(connection: Metered): ConnectionInfo | null {
    const info = connection.info();
    if (info !== null) this.infos.set(connection.id, info);
    return info ?? this.infos.get(connection.id) ?? null;
  }

  private report(type: 'interval' | 'end', fromMs: number, toMs: number, rows: readonly Row[]): void {
    const from = (fromMs - this.beganMs) / 1000;
    const to = (toMs - this.beganMs) / 1000;
    const bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
    if (this.options.json) {
      const bytesPerSecond = Math.round(bytes / Math.max(to - from, 1e-3));
      const connections = rows.map(({ id, bytes: moved, info }) => ({ id, bytes: moved, ...info }));
      this.options.print(`${JSON.stringify({ type, from, to, bytes, bytesPerSecond, connections })}\n`);
      return;
    }
    const all: Row[] = rows.length === 1 ? [...rows] : [...rows, { id: 'sum', bytes, info: null }];
    const shown = type === 'interval' || rows.length === 1 ? all : all.slice(-1);
    const lines = shown.map(row => this.line(type, from, to, row, rows.length > 1));
    this.options.print(lines.map(line => `${line}\n`).join(''));
  }

  private line(type: 'interval' | 'end', from: number, to: number, row: Row, numbered: boolean): string {
    const times = `${from.toFixed(1)}-${to.toFixed(1)} s`.padEnd(13);
    const who = numbered ? `[${row.id}]`.padEnd(6) : '';
    const moved = `${formatBytes(row.bytes).padStart(8)}  ${formatRate(row.bytes, (to - from) * 1000).padStart(10)}`;
    const info = row.info === null ? '' : `  ${infoText(row.info)}`;
    const end = type === 'end' ? `  ${this.options.verb} in all` : '';
    return `${times}${who}${moved}${info}${end}`;
  }
}

/** 'retrans 0  cwnd 10 (14.5 kB)  rtt 0.123 ms' */
function infoText({ retransmits, cwnd, mss, rttUs }: ConnectionInfo): string {
  return `retrans ${retransmits}  cwnd ${cwnd} (${formatBytes(cwnd * mss)})  rtt ${(rttUs / 1000).toFixed(3)} ms`;
}
