/**
 * Conditional requests (RFC 9110 section 13.2.2), decided from the validators of the present representation.
 * @module
 */
import { parseHttpDate } from './date.ts';
import type { HeaderList } from './headers.ts';

/** What identifies a version of a representation. */
export interface Validators {
  /** With its quotes. */
  readonly etag: string;
  /** Whole seconds, in milliseconds since the Unix epoch. */
  readonly lastModifiedMs: number;
}

/** 412, 304, or 200: go on. For GET and HEAD. */
export function evaluateConditions(headers: HeaderList, present: Validators): 200 | 304 | 412 {
  const ifMatch = headers.get('if-match');
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, present.etag, false)) return 412;
  } else {
    const since = dateOf(headers, 'if-unmodified-since');
    if (since !== null && present.lastModifiedMs > since) return 412;
  }
  const ifNoneMatch = headers.get('if-none-match');
  if (ifNoneMatch !== undefined) return matches(ifNoneMatch, present.etag, true) ? 304 : 200;
  const since = dateOf(headers, 'if-modified-since');
  return since !== null && present.lastModifiedMs <= since ? 304 : 200;
}

/** Whether If-Range (if any) lets the Range field count: the client's part is of this very version. */
export function ifRangeHolds(headers: HeaderList, present: Validators): boolean {
  const field = headers.get('if-range');
  if (field === undefined) return true;
  if (field.startsWith('"')) return field === present.etag;
  return parseHttpDate(field) === present.lastModifiedMs;
}

function dateOf(headers: HeaderList, name: string): number | null {
  const field = headers.get(name);
  return field === undefined ? null : parseHttpDate(field);
}

/** `weak`: W/"x" counts as "x" (RFC 9110 section 8.8.3.2). Our own tags are strong. */
function matches(field: string, etag: string, weak: boolean): boolean {
  if (field.trim() === '*') return true;
  const tags = field.match(/(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g) ?? [];
  return tags.some(tag => tag === etag || (weak && tag === `W/${etag}`));
}
