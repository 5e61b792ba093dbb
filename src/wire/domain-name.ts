/**
 * Domain names as DHCP and router advertisements carry them: RFC 1035 section 3.1, in lists as RFC 3397 section 2 and
 * RFC 8106 section 5.2 have it.
 * @module
 */

const LABEL_MAX = 63;
/** Bytes of a name with its length octets (RFC 1035 section 3.1). */
const NAME_MAX = 255;
/** The two highest bits of a length octet say that it is a pointer (section 4.1.4). */
const POINTER = 0xc0;
/** Names of a list; what is behind them is not read. */
const NAMES_MAX = 64;

/** A list of names, without their final dots; null when the bytes are not one. A zero behind a name is padding. */
export function parseDomainNames(bytes: Uint8Array): string[] | null {
  const names: string[] = [];
  for (let at = 0; at < bytes.length && names.length < NAMES_MAX; ) {
    const found = readName(bytes, at);
    if (found === null) return null;
    if (found.name !== '') names.push(found.name);
    at = found.end;
  }
  return names;
}

/** The name that begins at `start`, and where what follows it begins. Pointers must lead back. */
function readName(bytes: Uint8Array, start: number): { name: string; end: number } | null {
  const labels: string[] = [];
  let end = -1;
  let length = 0;
  let segment = start;
  for (let at = start; ; ) {
    const octet = bytes[at];
    if (octet === undefined) return null;
    if (octet === 0) return { name: labels.join('.'), end: end < 0 ? at + 1 : end };
    if ((octet & POINTER) === POINTER) {
      const low = bytes[at + 1];
      if (low === undefined) return null;
      if (end < 0) end = at + 2;
      const target = ((octet & ~POINTER) << 8) | low;
      // Each step back is further back than the one before: there is an end.
      if (target >= segment) return null;
      segment = at = target;
      continue;
    }
    length += 1 + octet;
    if (octet > LABEL_MAX || length >= NAME_MAX || at + 1 + octet > bytes.length) return null;
    const label = textOf(bytes, at + 1, at + 1 + octet);
    if (label === null) return null;
    labels.push(label);
    at += 1 + octet;
  }
}

/** The label in [from, to); null when it has a byte that no name of a host has. */
function textOf(bytes: Uint8Array, from: number, to: number): string | null {
  const text = String.fromCharCode(...bytes.subarray(from, to));
  return /^[\w-]+$/.test(text) ? text : null;
}

/** Names as a list, without compression. RangeError for what is not a name. */
export function emitDomainNames(names: readonly string[]): Uint8Array {
  const bytes: number[] = [];
  for (const name of names) {
    if (!isDomainName(name)) throw new RangeError(`not a domain name: '${name}'`);
    for (const label of name.replace(/\.$/, '').split('.')) {
      bytes.push(label.length, ...Array.from(label, character => character.charCodeAt(0)));
    }
    bytes.push(0);
  }
  return Uint8Array.from(bytes);
}

/** Whether a text is a domain name: labels of letters, digits, '-' and '_', with or without a final dot. */
export function isDomainName(text: string): boolean {
  const name = text.replace(/\.$/, '');
  const labels = name.split('.');
  return (
    name.length < NAME_MAX - 1 && labels.every(label => label.length <= LABEL_MAX && /^[\w-]+$/.test(label))
  );
}
