/** What a caller may give as headers: an object, or pairs when order or repetition matters. */
export type HeadersInit =
  | { readonly [name: string]: string | number }
  | Iterable<readonly [string, string | number]>;

/**
 * The header fields of a message, in the order and spelling of the wire (RFC 9110 section 5).
 * Look-ups ignore case and scan the list: real messages have a handful of fields.
 */
export class HeaderList {
  /** name, value, name, value ... */
  readonly raw: string[];

  constructor(raw: string[] = []) {
    this.raw = raw;
  }

  /** The value of a field, repeated fields joined by ', '; undefined when absent. */
  get(name: string): string | undefined {
    const wanted = name.toLowerCase();
    let value: string | undefined;
    for (let i = 0; i < this.raw.length; i += 2) {
      if (!sameName(this.raw[i] as string, wanted)) continue;
      value = value === undefined ? this.raw[i + 1] : `${value}, ${this.raw[i + 1]}`;
    }
    return value;
  }

  /** Every value of a field, for those that must not be joined (Set-Cookie). */
  getAll(name: string): string[] {
    const wanted = name.toLowerCase();
    const values: string[] = [];
    for (let i = 0; i < this.raw.length; i += 2) {
      if (sameName(this.raw[i] as string, wanted)) values.push(this.raw[i + 1] as string);
    }
    return values;
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  /** Adds a field behind the others. Throws TypeError when name or value cannot stand in a header. */
  append(name: string, value: string | number): this {
    const text = String(value);
    if (!isFieldName(name)) throw new TypeError(`not a header name: ${JSON.stringify(name)}`);
    if (!isFieldValue(text)) throw new TypeError(`not a value for ${name}: ${JSON.stringify(text)}`);
    this.raw.push(name, text);
    return this;
  }

  *[Symbol.iterator](): IterableIterator<[string, string]> {
    for (let i = 0; i < this.raw.length; i += 2) yield [this.raw[i] as string, this.raw[i + 1] as string];
  }
}

/** A checked HeaderList of what a caller gave. Throws TypeError, see `append`. */
export function toHeaderList(init: HeadersInit | undefined): HeaderList {
  const list = new HeaderList();
  if (init === undefined) return list;
  const entries =
    Symbol.iterator in init ? (init as Iterable<readonly [string, string | number]>) : Object.entries(init);
  for (const [name, value] of entries) list.append(name, value);
  return list;
}

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Control characters but for the tab, and what one byte cannot hold: a line break would split the response. */
const FORBIDDEN = /[^\t\x20-\x7e\x80-\xff]/;

/** Whether this can be the name of a field. */
export function isFieldName(text: string): boolean {
  return TOKEN.test(text);
}

/** Whether this can be the value of a field. */
export function isFieldValue(text: string): boolean {
  return !FORBIDDEN.test(text);
}

function sameName(name: string, lowerCase: string): boolean {
  return name.length === lowerCase.length && (name === lowerCase || name.toLowerCase() === lowerCase);
}

/** Whether a comma-separated list (Connection, Transfer-Encoding) has this element; ignores case. */
export function listHas(value: string | undefined, element: string): boolean {
  if (value === undefined) return false;
  const lower = value.toLowerCase();
  return lower === element || lower.split(',').some(item => item.trim() === element);
}
