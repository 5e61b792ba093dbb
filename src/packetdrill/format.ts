import { ACK, formatTcpFlags } from '../wire/tcp.ts';
import { AE } from './parse-packet.ts';
import type { IpSpec, OptionSpec } from './syntax.ts';

/** What a line about a segment is made of. */
export interface Described {
  readonly flags: number;
  readonly seq: number;
  readonly length: number;
  readonly ack: number | null;
  readonly window: number | null;
  readonly urgent?: number;
  readonly options: readonly OptionSpec[] | null;
  readonly ip?: IpSpec;
}

const ECN_NAMES = ['noecn', 'ect1', 'ect0', 'ce'];

/** A segment as a script writes it. */
export function formatSegment(segment: Described): string {
  const { flags, seq, length, ack, window, urgent = 0, options, ip } = segment;
  const parts = ip === undefined || ip.check === 'none' ? [] : [formatIp(ip)];
  parts.push(formatFlags(flags), `${seq}:${(seq + length) % 2 ** 32}(${length})`);
  if (ack !== null && (flags & ACK) !== 0) parts.push(`ack ${ack}`);
  if (window !== null) parts.push(`win ${window}`);
  if (urgent !== 0) parts.push(`urg ${urgent}`);
  if (options === null) parts.push('<...>');
  else if (options.length > 0) parts.push(`<${formatOptions(options)}>`);
  return parts.join(' ');
}

function formatIp({ check, tos }: IpSpec): string {
  if (check === 'ecn') return `[${ECN_NAMES[tos & 3]}]`;
  return check === 'tos' ? `[tos 0x${tos.toString(16)}]` : '[ect01]';
}

/** `S.`, `SEW`, `-`; reserved bits, which should be zero, as a number behind. */
export function formatFlags(flags: number): string {
  const reserved = flags >> 9;
  const letters = `${formatTcpFlags(flags & 0xff)}${(flags & AE) !== 0 ? 'A' : ''}` || '-';
  return reserved === 0 ? letters : `${letters}(reserved ${reserved})`;
}

/** Options as they stand between `<` and `>`. */
export function formatOptions(options: readonly OptionSpec[]): string {
  return options.map(formatOption).join(',');
}

/** One option as a script writes it. */
export function formatOption(option: OptionSpec): string {
  switch (option.kind) {
    case 'mss':
    case 'wscale':
      return `${option.kind} ${option.value}`;
    case 'timestamps':
      return `TS val ${option.val} ecr ${option.ecr}`;
    case 'sack':
      return `sack ${option.blocks.map(([left, right]) => `${left}:${right}`).join(' ')}`;
    case 'fastopen':
      return `${option.experimental ? 'FOEXP' : 'FO'} ${hex(option.cookie)}`.trimEnd();
    case 'md5':
    case 'raw':
      return `${option.kind} ${hex(option.bytes)}`;
    default:
      return option.kind;
  }
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map(byte => byte.toString(16).padStart(2, '0')).join('');
}

/** Microseconds as seconds with six digits. */
export function seconds(us: number): string {
  return (us / 1e6).toFixed(6);
}
