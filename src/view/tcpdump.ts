import { fromHex } from '../base/hex.ts';
import { TcpdumpFormatter, type TcpdumpOptions } from '../dissect/tcpdump.ts';
import type { TraceEvent } from '../trace/events.ts';

/** Which packets are shown, and how. */
export interface TcpdumpViewOptions extends TcpdumpOptions {
  /** Only what this host saw; all hosts when not given. */
  host?: string;
  /** Only this interface, 'eth0'; all interfaces when not given. */
  netif?: string;
  /** Interface and direction in each line, as `tcpdump -i any` prints them: 'eth0  Out IP 10.0.0.1 > ...'. */
  interfaces?: boolean;
}

/**
 * Turns trace events into what tcpdump prints: one line for a packet that is shown (more for one that is dumped), none
 * for any other event. Give it the events in their order; it keeps connections of different hosts apart.
 */
export function tcpdumpView(options: TcpdumpViewOptions = {}): (event: TraceEvent) => string[] {
  const formatters = new Map<string, TcpdumpFormatter>();
  return event => {
    if (event.type !== 'packet') return [];
    if (options.host !== undefined && event.host !== options.host) return [];
    if (options.netif !== undefined && event.netif !== options.netif) return [];
    let formatter = formatters.get(event.host);
    if (formatter === undefined) {
      formatter = new TcpdumpFormatter(options);
      formatters.set(event.host, formatter);
    }
    const lines = formatter.line(event.atUs, event.medium, fromHex(event.data), event.length);
    if (options.interfaces === true) {
      const direction = event.direction === 'in' ? 'In ' : 'Out';
      lines[0] = (lines[0] ?? '').replace(' ', ` ${event.netif.padEnd(5)} ${direction} `);
    }
    return lines;
  };
}
