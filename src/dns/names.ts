/**
 * Domain names: on the wire (RFC 1035 section 4.1.4) and as text.
 *
 * A name as text has no dot at its end; the root is '.'. A dot or a backslash inside a label has a backslash in front, a
 * byte that is no printable character of UTF-8 is written as a backslash and three decimal digits (RFC 1035 section
 * 5.1). So two names are the same on the wire just when their texts are, but for the case of ASCII letters (RFC 4343).
 * @module
 */
import { AF_INET, type IpAddress } from '../wire/address.ts';

/** Bytes of a label, and of a name with its lengths (RFC 1035 section 2.3.4). */
export const LABEL_MAX = 63;
export const NAME_MAX = 255;

const POINTER = 0xc0;
/** A pointer has 14 bits. */
const POINTER_MAX = 0x3fff;
const DOT = 0x2e;
const BACKSLASH = 0x5c;

const encoder = /* @__PURE__ */ new TextEncoder();
const decoder = /* @__PURE__ */ new TextDecoder('utf-8', { fatal: true });
/** The first byte of U+FEFF. */
const BYTE_ORDER_MARK = 0xef;
/** Control characters that are not ASCII's. */
const CONTROLS = /[\u0080-\u009f]/;
/** A dot that is the last character and not part of a label. */
const FINAL_DOT = /(?:^|[^\\])(?:\\\\)*\.$/;

/** A name and where what follows it begins. */
export interface ReadName {
  readonly name: string;
  readonly end: number;
}

/**
 * The name at `start`; null when it leaves the message, is too long, or a pointer does not point back. Pointers to
 * earlier bytes only, so that no chain of them has a circle.
 */
export function readName(bytes: Uint8Array, start: number): ReadName | null {
  const labels: string[] = [];
  let at = start;
  let lowest = start;
  let end = -1;
  let length = 1;
  for (;;) {
    const size = bytes[at];
    if (size === undefined) return null;
    if (size === 0) break;
    if ((size & POINTER) === POINTER) {
      const low = bytes[at + 1];
      if (low === undefined) return null;
      if (end < 0) end = at + 2;
      at = ((size & ~POINTER) << 8) | low;
      if (at >= lowest) return null;
      lowest = at;
      continue;
    }
    const next = at + 1 + size;
    length += 1 + size;
    if (size > LABEL_MAX || next > bytes.length || length > NAME_MAX) return null;
    labels.push(labelText(bytes.subarray(at + 1, next)));
    at = next;
  }
  return { name: labels.length === 0 ? '.' : labels.join('.'), end: end < 0 ? at + 1 : end };
}

function labelText(label: Uint8Array): string {
  // What nearly all names are made of.
  if (label.every(isPlain)) return String.fromCharCode(...label);
  const characters = utf8Text(label) ?? label;
  return Array.from<string | number, string>(characters, one => {
    const code = typeof one === 'number' ? one : one.charCodeAt(0);
    if (code < 0x20 || code === 0x7f || (typeof one === 'number' && code >= 0x80)) return decimal(code);
    return code < 0x80 ? escaped(code) : String(one);
  }).join('');
}

/** The text of a label that is UTF-8; null for one that is not, or that begins with a mark that decoders swallow. */
function utf8Text(label: Uint8Array): string | null {
  if (label[0] === BYTE_ORDER_MARK) return null;
  try {
    const text = decoder.decode(label);
    return CONTROLS.test(text) ? null : text;
  } catch {
    return null;
  }
}

/** Whether a byte is a letter or a digit of ASCII, or one of - and _. */
function isPlain(byte: number): boolean {
  const letter = byte | 0x20;
  return (
    (letter >= 0x61 && letter <= 0x7a) || (byte >= 0x30 && byte <= 0x39) || byte === 0x2d || byte === 0x5f
  );
}

function escaped(code: number): string {
  const character = String.fromCharCode(code);
  return code === DOT || code === BACKSLASH ? `\\${character}` : character;
}

function decimal(byte: number): string {
  return `\\${String(byte).padStart(3, '0')}`;
}

/**
 * The labels of a name as bytes; null when the text is no name: an empty label, a label or a name that is too long, a
 * backslash with nothing sensible behind it. A dot at the end is allowed.
 */
export function labelBytes(name: string): Uint8Array[] | null {
  if (name === '.') return [];
  if (name === '..') return null;
  const labels: Uint8Array[] = [];
  let length = 1;
  for (const text of splitLabels(isComplete(name) ? name.slice(0, -1) : name)) {
    const label = unescapedBytes(text);
    if (label === null || label.length === 0 || label.length > LABEL_MAX) return null;
    length += 1 + label.length;
    labels.push(label);
  }
  return length > NAME_MAX ? null : labels;
}

/** Whether text has a dot at its end: then it is all of a name, and nothing is put behind it. */
export function isComplete(text: string): boolean {
  return FINAL_DOT.test(text);
}

/** The labels of a name as they are in its text. The root has none. */
export function splitLabels(name: string): string[] {
  if (name === '.') return [];
  if (!name.includes('\\')) return name.split('.');
  const labels: string[] = [];
  let from = 0;
  for (let at = 0; at < name.length; at++) {
    if (name[at] === '\\') at++;
    else if (name[at] === '.') {
      labels.push(name.slice(from, at));
      from = at + 1;
    }
  }
  labels.push(name.slice(from));
  return labels;
}

function unescapedBytes(label: string): Uint8Array | null {
  if (!label.includes('\\')) return encoder.encode(label);
  const bytes: number[] = [];
  for (const piece of label.match(/\\\d{3}|\\[^\d]|[^\\]+|\\/gu) ?? []) {
    if (piece === '\\') return null;
    const code = /^\\\d/.test(piece) ? Number(piece.slice(1)) : -1;
    if (code > 255) return null;
    if (code >= 0) bytes.push(code);
    else bytes.push(...encoder.encode(piece.startsWith('\\') ? piece.slice(1) : piece));
  }
  return Uint8Array.from(bytes);
}

/** The text that `readName` gives for the name of this text; null when it is no name. */
export function normalName(text: string): string | null {
  const labels = labelBytes(text);
  if (labels === null) return null;
  return labels.length === 0 ? '.' : labels.map(labelText).join('.');
}

/** What names are compared by and kept under: ASCII letters in lower case (RFC 4343). */
export function nameKey(name: string): string {
  return name.replace(/[A-Z]+/g, letters => letters.toLowerCase());
}

/** Whether two names differ in the case of ASCII letters at most. */
export function sameName(a: string, b: string): boolean {
  return a === b || nameKey(a) === nameKey(b);
}

/** Whether `name` is `ancestor` or below it. */
export function isWithin(name: string, ancestor: string): boolean {
  if (ancestor === '.') return true;
  const below = splitLabels(nameKey(name));
  const above = splitLabels(nameKey(ancestor));
  const skipped = below.length - above.length;
  return skipped >= 0 && above.every((label, i) => label === below[skipped + i]);
}

/** The name one label up; the root is its own parent. */
export function parentName(name: string): string {
  const labels = splitLabels(name);
  return labels.length < 2 ? '.' : labels.slice(1).join('.');
}

/** `name` below `domain`; both may be the root. */
export function joinNames(name: string, domain: string): string {
  if (domain === '.') return name;
  return name === '.' ? domain : `${name}.${domain}`;
}

/**
 * `name` with the letters of `wanted` wherever it has those of `sent`, the same name in other letters: where a message
 * points to its question, it has the question's letters.
 */
export function restoreCase(name: string, sent: string, wanted: string): string {
  const labels = splitLabels(name);
  const sentLabels = splitLabels(sent);
  const wantedLabels = splitLabels(wanted);
  for (let i = 1; i <= Math.min(labels.length, sentLabels.length); i++) {
    if (labels[labels.length - i] !== sentLabels[sentLabels.length - i]) break;
    labels[labels.length - i] = wantedLabels[wantedLabels.length - i] as string;
  }
  return labels.length === 0 ? name : labels.join('.');
}

/** The name under which an address is looked up in reverse: in-addr.arpa, ip6.arpa (RFC 1035 3.5, RFC 3596 2.5). */
export function reverseName(address: IpAddress): string {
  const bytes = new DataView(new ArrayBuffer(16));
  const length = address.write(bytes, 0);
  const parts: string[] = [];
  for (let i = length - 1; i >= 0; i--) {
    const byte = bytes.getUint8(i);
    if (address.family === AF_INET) parts.push(String(byte));
    else parts.push((byte & 15).toString(16), (byte >> 4).toString(16));
  }
  return `${parts.join('.')}.${address.family === AF_INET ? 'in-addr' : 'ip6'}.arpa`;
}

/** Writes names into a message, each tail of labels only once (RFC 1035 section 4.1.4). */
export class NameWriter {
  private readonly bytes: Uint8Array;
  private readonly places = new Map<string, number>();

  /** `bytes` begins with the message's header, and has room for all that is written. */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /**
   * Writes `labels` at `start`, and returns where what follows begins. Not compressed, a name can still be pointed to.
   * A tail in other letters is another one: names arrive as they were given.
   */
  write(labels: readonly Uint8Array[], start: number, compress: boolean): number {
    const { bytes, places } = this;
    let at = start;
    for (let i = 0; i < labels.length; i++) {
      const key = tailKey(labels, i);
      const place = places.get(key);
      if (place !== undefined && compress) {
        bytes[at] = (place >> 8) | POINTER;
        bytes[at + 1] = place & 0xff;
        return at + 2;
      }
      if (place === undefined && at <= POINTER_MAX) places.set(key, at);
      const label = labels[i] as Uint8Array;
      bytes[at] = label.length;
      bytes.set(label, at + 1);
      at += 1 + label.length;
    }
    bytes[at] = 0;
    return at + 1;
  }
}

/** The labels from the `first` on, each with its length, so that no two tails have the same key. */
function tailKey(labels: readonly Uint8Array[], first: number): string {
  let key = '';
  for (let i = first; i < labels.length; i++) {
    const label = labels[i] as Uint8Array;
    key += String.fromCharCode(label.length, ...label);
  }
  return key;
}
