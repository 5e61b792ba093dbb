/**
 * Sockets as ss(8) prints them with -tino (or -tlnio for listeners).
 * @module
 */

/** One socket, as plain values. */
export interface SocketRow {
  /** 'tcp', 'udp': shown when asked for. */
  readonly netid?: string;
  /** RFC 9293's name: 'ESTABLISHED', 'TIME_WAIT', 'LISTEN' ... */
  readonly state: string;
  /** Bytes not read yet; of a listener: connections in the accept queue. */
  readonly recvQ: number;
  /** Bytes not acknowledged yet; of a listener: its backlog. */
  readonly sendQ: number;
  /** 'address:port'. */
  readonly local: string;
  /** 'address:port', '0.0.0.0:*' of a listener. */
  readonly peer: string;
  /** The next timer to go off; null when none is set. */
  readonly timer: SocketTimer | null;
  /** The name of the congestion control; '' when there is none any more (TIME_WAIT). */
  readonly congestion: string;
  /** Linux's struct tcp_bbr_info, names without the prefix; null or absent when there is none. */
  readonly model?: { readonly [name: string]: number } | null;
  /** Linux's struct tcp_info, names without the prefix, its units (µs, bytes, segments); null when there is none. */
  readonly info: { readonly [name: string]: number | string | boolean } | null;
}

/** A timer as ss shows it. */
export interface SocketTimer {
  /** 'on' is the retransmission timer, 'persist' the zero-window probe. */
  readonly name: 'on' | 'keepalive' | 'timewait' | 'persist' | 'unknown';
  /** Until it goes off, in microseconds. */
  readonly leftUs: number;
  /** How often it went off in a row. */
  readonly retransmits: number;
}

/** What is shown of each socket. */
export interface SocketsOptions {
  /** tcp_info, indented below (ss -i); shown when not given. */
  readonly info?: boolean;
  /** The timer (ss -o); shown when not given. */
  readonly timer?: boolean;
  /** Which protocol it is, in the first column, as ss does when it lists several; not shown when not given. */
  readonly netid?: boolean;
}

/** The table: a heading, a line for each socket, and its tcp_info indented below. */
export function formatSockets(rows: readonly SocketRow[], options: SocketsOptions = {}): string[] {
  const { info: showInfo = true, timer: showTimer = true, netid = false } = options;
  const cells = rows.map(row => [
    ...(netid ? [row.netid ?? ''] : []),
    STATES[row.state] ?? row.state,
    String(row.recvQ),
    String(row.sendQ),
    row.local,
    row.peer,
  ]);
  const heading = ['State', 'Recv-Q', 'Send-Q', 'Local Address:Port', 'Peer Address:Port'];
  const table = [netid ? ['Netid', ...heading] : heading, ...cells];
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map(line => (line[column] ?? '').length)),
  );
  // The local address stands at the right, so that the colons of the ports meet.
  const rightColumn = netid ? 4 : 3;
  const format = (line: readonly string[], tail: string): string => {
    const padded = line.map((cell, column) =>
      column === rightColumn ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
    );
    return `${padded.join(' ')} ${tail}`.trimEnd();
  };
  const lines = [format(table[0] ?? [], 'Process')];
  rows.forEach((row, index) => {
    lines.push(format(cells[index] ?? [], showTimer ? formatTimer(row.timer) : ''));
    const info = showInfo ? formatTcpInfo(row) : '';
    if (info !== '') lines.push(`\t ${info}`);
  });
  return lines;
}

const STATES: { readonly [state: string]: string } = {
  CLOSED: 'UNCONN',
  ESTABLISHED: 'ESTAB',
  SYN_SENT: 'SYN-SENT',
  SYN_RECEIVED: 'SYN-RECV',
  SYN_RCVD: 'SYN-RECV',
  FIN_WAIT_1: 'FIN-WAIT-1',
  FIN_WAIT_2: 'FIN-WAIT-2',
  TIME_WAIT: 'TIME-WAIT',
  CLOSE_WAIT: 'CLOSE-WAIT',
  LAST_ACK: 'LAST-ACK',
};

function formatTimer(timer: SocketTimer | null): string {
  return timer === null ? '' : `timer:(${timer.name},${formatLeft(timer.leftUs)},${timer.retransmits})`;
}

/** '119min', '1min5sec', '59sec', '1.200ms' (1 s and 200 ms), '200ms': the less there is left, the finer. */
function formatLeft(leftUs: number): string {
  const ms = Math.max(0, Math.floor(leftUs / 1000));
  const minutes = Math.floor(ms / 60_000);
  const seconds = Math.floor(ms / 1000) % 60;
  if (minutes > 9) return `${minutes}min`;
  if (minutes > 0) return seconds > 0 ? `${minutes}min${seconds}sec` : `${minutes}min`;
  if (seconds > 9 || (seconds > 0 && ms % 1000 === 0)) return `${seconds}sec`;
  const rest = `${String(ms % 1000).padStart(3, '0')}ms`;
  return seconds > 0 ? `${seconds}.${rest}` : rest;
}

/** Bits of tcpi_options. */
const OPTION_TIMESTAMPS = 1;
const OPTION_SACK = 2;
const OPTION_WSCALE = 4;
const OPTION_ECN = 8;
const OPTION_ECN_SEEN = 16;
const OPTION_SYN_DATA = 32;

/** Values that ss shows as 'name:value' when they are not zero, in its order; [tcp_info's name, ss's name]. */
const BEFORE_SEND = [
  ['ato', 'ato'],
  ['snd_mss', 'mss'],
  ['pmtu', 'pmtu'],
  ['rcv_mss', 'rcvmss'],
  ['advmss', 'advmss'],
  ['snd_cwnd', 'cwnd'],
  ['snd_ssthresh', 'ssthresh'],
  ['bytes_sent', 'bytes_sent'],
  ['bytes_retrans', 'bytes_retrans'],
  ['bytes_acked', 'bytes_acked'],
  ['bytes_received', 'bytes_received'],
  ['segs_out', 'segs_out'],
  ['segs_in', 'segs_in'],
  ['data_segs_out', 'data_segs_out'],
  ['data_segs_in', 'data_segs_in'],
] as const;
const LAST = [
  ['last_data_sent', 'lastsnd'],
  ['last_data_recv', 'lastrcv'],
  ['last_ack_recv', 'lastack'],
] as const;
const DELIVERED = [
  ['delivered', 'delivered'],
  ['delivered_ce', 'delivered_ce'],
] as const;
const AFTER_SEND = [
  ['unacked', 'unacked'],
  ['retrans', 'retrans'],
  ['lost', 'lost'],
  ['sacked', 'sacked'],
  ['dsack_dups', 'dsack_dups'],
  ['reord_seen', 'reord_seen'],
  ['rcv_rtt', 'rcv_rtt'],
  ['rcv_space', 'rcv_space'],
  ['rcv_ssthresh', 'rcv_ssthresh'],
  ['notsent_bytes', 'notsent'],
  ['min_rtt', 'minrtt'],
  ['rcv_ooopack', 'rcv_ooopack'],
  ['snd_wnd', 'snd_wnd'],
] as const;
/** Microseconds that ss shows as milliseconds. */
const IN_MS: ReadonlySet<string> = new Set(['ato', 'rcv_rtt', 'min_rtt']);
/** Linux's TCP_INFINITE_SSTHRESH, which is not worth showing. */
const INFINITE_SSTHRESH = 0x7fffffff;
/** A rate from which on there is no limit. */
const UNLIMITED = 2 ** 64;

function formatTcpInfo(row: SocketRow): string {
  const info = row.info;
  if (info === null) return row.congestion;
  const number = (name: string): number => Number(info[name] ?? 0);
  const options = number('options');
  const parts: string[] = [];
  if ((options & OPTION_TIMESTAMPS) !== 0) parts.push('ts');
  if ((options & OPTION_SACK) !== 0) parts.push('sack');
  if ((options & OPTION_ECN) !== 0) parts.push('ecn');
  if ((options & OPTION_ECN_SEEN) !== 0) parts.push('ecnseen');
  if ((options & OPTION_SYN_DATA) !== 0) parts.push('fastopen');
  if (row.congestion !== '') parts.push(row.congestion);
  if ((options & OPTION_WSCALE) !== 0) parts.push(`wscale:${number('snd_wscale')},${number('rcv_wscale')}`);
  if (number('rto') > 0) parts.push(`rto:${inMs(number('rto'))}`);
  if (number('backoff') > 0) parts.push(`backoff:${number('backoff')}`);
  if (number('rtt') > 0) parts.push(`rtt:${inMs(number('rtt'))}/${inMs(number('rttvar'))}`);
  parts.push(...list(BEFORE_SEND, info));
  if (row.model) parts.push(formatModel(row.congestion, row.model));
  const rate = sendRate(number('snd_cwnd'), number('snd_mss'), number('rtt'));
  if (rate > 0) parts.push(`send ${Math.round(rate)}bps`);
  parts.push(...list(LAST, info));
  for (const name of ['pacing_rate', 'delivery_rate']) {
    const max =
      name === 'pacing_rate' && number('max_pacing_rate') < UNLIMITED ? number('max_pacing_rate') : 0;
    const limit = max > 0 ? `/${max * 8}bps` : '';
    if (number(name) > 0 && number(name) < UNLIMITED) parts.push(`${name} ${number(name) * 8}bps${limit}`);
  }
  parts.push(...list(DELIVERED, info));
  if (number('delivery_rate_app_limited') > 0) parts.push('app_limited');
  parts.push(...list(AFTER_SEND, info));
  return parts.join(' ');
}

function list(
  fields: readonly (readonly [string, string])[],
  info: NonNullable<SocketRow['info']>,
): string[] {
  const parts: string[] = [];
  for (const [name, shown] of fields) {
    const value = Number(info[name] ?? 0);
    if (!(value > 0) || (name === 'snd_ssthresh' && value >= INFINITE_SSTHRESH)) continue;
    if (name === 'retrans') parts.push(`retrans:${value}/${Number(info['total_retrans'] ?? value)}`);
    else parts.push(`${shown}:${IN_MS.has(name) ? inMs(value) : value}`);
  }
  if (
    fields === AFTER_SEND &&
    !(Number(info['retrans'] ?? 0) > 0) &&
    Number(info['total_retrans'] ?? 0) > 0
  ) {
    parts.push(`retrans:0/${info['total_retrans']}`);
  }
  return parts;
}

/** 'bbr:(bw:95000000bps,mrtt:40.1,pacing_gain:1.25,cwnd_gain:2)' */
function formatModel(name: string, model: { readonly [name: string]: number }): string {
  const gain = (value = 0): string => String(Math.round((value / 256) * 1e5) / 1e5);
  const { bw = 0, min_rtt = 0, pacing_gain, cwnd_gain } = model;
  const gains = `pacing_gain:${gain(pacing_gain)},cwnd_gain:${gain(cwnd_gain)}`;
  return `${name}:(bw:${bw * 8}bps,mrtt:${inMs(min_rtt)},${gains})`;
}

/** Bits a second that a window in every round trip makes. */
function sendRate(cwnd: number, mss: number, rttUs: number): number {
  return rttUs > 0 ? (cwnd * mss * 8e6) / rttUs : 0;
}

/** Microseconds as milliseconds with at most three places. */
function inMs(us: number): string {
  return String(Math.round(us) / 1000);
}
