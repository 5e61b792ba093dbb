import { BLANK_MESSAGE, encodeMessage } from './message.ts';
import { LABEL_MAX, labelBytes, nameKey, normalName, splitLabels } from './names.ts';
import { mapNames, type ResourceRecord } from './records.ts';

/** Header, the root's name, type, class, TTL and RDLENGTH: what stands before the data of a lone record. */
const BEFORE_DATA = 23;

/** The data of a record as bytes, nothing compressed with its name, letters of names in lower case. */
export function dataBytes(record: ResourceRecord): Uint8Array {
  const lone = { ...mapNames(record, nameKey), name: '.' };
  return encodeMessage({ ...BLANK_MESSAGE, answers: [lone] }).subarray(BEFORE_DATA);
}

/** The same for two records just when they differ in their times at most (RFC 6762 section 7.1). */
export function recordKey(record: ResourceRecord): string {
  return `${setKey(record.name, record.type)} ${record.class} ${dataBytes(record).join()}`;
}

/** Of the records of a name and a type. */
export function setKey(name: string, type: string): string {
  return `${type} ${nameKey(name)}`;
}

/** Which of two lists of bytes comes later: above 0 the first, 0 when they are the same (RFC 6762 section 8.2). */
export function compareBytes(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** 'printer.local' to 'printer-2.local', that to 'printer-3.local' (RFC 6762 section 9). */
export function nextName(name: string): string {
  const [first = '', ...rest] = splitLabels(name);
  const [, stem = first, digits = '1'] = /^(.*)-(\d{1,6})$/.exec(first) ?? [];
  const number = `-${Number(digits) + 1}`;
  for (let kept = stem; kept !== ''; kept = kept.slice(0, -1)) {
    const label = `${kept}${number}`;
    const bytes = labelBytes(label);
    if (bytes?.length !== 1 || (bytes[0] as Uint8Array).length > LABEL_MAX) continue;
    const whole = normalName([label, ...rest].join('.'));
    if (whole !== null) return whole;
  }
  return [`host${number}`, ...rest].join('.');
}
