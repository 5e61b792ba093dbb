import {
  FAST_OPEN_COOKIE_MAX,
  FAST_OPEN_COOKIE_MIN,
  FAST_OPEN_EXPERIMENT,
  OPTION_END,
  OPTION_EXPERIMENTAL,
  OPTION_FAST_OPEN,
  OPTION_MSS,
  OPTION_NOP,
  OPTION_SACK,
  OPTION_SACK_PERMITTED,
  OPTION_TIMESTAMPS,
  OPTION_WINDOW_SCALE,
} from '../wire/tcp-options.ts';
import type { Span } from './span.ts';

/** ', options [mss 1460,sackOK,...]'. */
export interface OptionsText {
  text: string;
  /** Whether they are well-formed and were kept whole; nothing is printed behind them otherwise. */
  complete: boolean;
}

/** The options of a header; `sackBase` is subtracted from the edges of SACK blocks. */
export function formatTcpOptions(options: Span, sackBase: number): OptionsText {
  let text = ', options [';
  let at = 0;
  while (at < options.length) {
    if (at > 0) text += ',';
    const kind = options.u8(at);
    const isSingle = kind === OPTION_END || kind === OPTION_NOP;
    const needed = at + (isSingle || at + 1 === options.length ? 1 : 2);
    if (!options.has(needed)) return { text: `${text} [|tcp]`, complete: false };
    const length = isSingle ? 1 : options.u8(at + 1);
    if (length < (isSingle ? 1 : 2) || at + length > options.length) {
      return { text: `${text}[bad opt]${at > 0 ? ']' : ''}`, complete: false };
    }
    const option = options.after(at).first(length);
    if (length < lengthOf(kind)) return { text: `${text}${optionName(kind)}[bad opt]`, complete: false };
    text += formatOption(kind, option, sackBase);
    if (option.captured < length) {
      return { text: `${text} [|tcp]${at > 0 ? '>' : ''}`, complete: false };
    }
    if (kind === OPTION_END) break;
    at += length;
  }
  return { text: `${text}]`, complete: true };
}

function optionName(kind: number): string {
  switch (kind) {
    case OPTION_END:
      return 'eol';
    case OPTION_NOP:
      return 'nop';
    case OPTION_MSS:
      return 'mss';
    case OPTION_WINDOW_SCALE:
      return 'wscale';
    case OPTION_SACK_PERMITTED:
      return 'sackOK';
    case OPTION_SACK:
      return 'sack';
    case OPTION_TIMESTAMPS:
      return 'TS';
    case OPTION_FAST_OPEN:
      return 'tfo';
    case OPTION_EXPERIMENTAL:
      return 'exp';
    default:
      return `unknown-${kind}`;
  }
}

/** How long an option of this kind has to be; 0 when it may have any length. */
function lengthOf(kind: number): number {
  switch (kind) {
    case OPTION_MSS:
    case OPTION_EXPERIMENTAL:
      return 4;
    case OPTION_WINDOW_SCALE:
      return 3;
    case OPTION_TIMESTAMPS:
      return 10;
    default:
      return 0;
  }
}

/** What was kept of one option. */
function formatOption(kind: number, option: Span, sackBase: number): string {
  const name = optionName(kind);
  const { length } = option;
  switch (kind) {
    case OPTION_MSS:
      return option.has(4) ? `${name} ${option.u16(2)}` : name;
    case OPTION_WINDOW_SCALE:
      return option.has(3) ? `${name} ${option.u8(2)}` : name;
    case OPTION_TIMESTAMPS:
      return option.has(10) ? `${name} val ${option.u32(2)} ecr ${option.u32(6)}` : name;
    case OPTION_SACK:
      return `${name} ${formatSack(option, sackBase)}`;
    case OPTION_FAST_OPEN:
      return option.has(length) ? `${name} ${formatFastOpen(option, 2)}` : name;
    case OPTION_EXPERIMENTAL:
      return option.has(length) ? formatExperiment(option) : name;
    case OPTION_END:
    case OPTION_NOP:
    case OPTION_SACK_PERMITTED:
      return name;
    default:
      return length > 2 ? `${name} 0x${option.hex(2, option.captured)}` : name;
  }
}

/** A cookie, or the request for one, behind the first `start` bytes of its option. */
function formatFastOpen(option: Span, start: number): string {
  const length = option.length - start;
  if (length === 0) return ' cookiereq';
  if (length % 2 !== 0 || length < FAST_OPEN_COOKIE_MIN || length > FAST_OPEN_COOKIE_MAX) return ' (invalid)';
  return ` cookie ${option.hex(start, option.length)}`;
}

/** The experiments that share an option kind are told apart by 16 bits (RFC 6994). */
function formatExperiment(option: Span): string {
  const number = option.u16(2);
  if (number === FAST_OPEN_EXPERIMENT) return `exp-tfo${formatFastOpen(option, 4)}`;
  return `exp-${option.hex(2, 4)}`;
}

function formatSack(option: Span, sackBase: number): string {
  const bytes = option.length - 2;
  if (bytes % 8 !== 0) return 'invalid sack';
  let text = `${bytes / 8} `;
  for (let at = 2; option.has(at + 8); at += 8) {
    text += `{${(option.u32(at) - sackBase) >>> 0}:${(option.u32(at + 4) - sackBase) >>> 0}}`;
  }
  return text;
}
