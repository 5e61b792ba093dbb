const STEPS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Bytes for people: '612 B', '1.50 kB', '123 MB' (powers of 1000, three digits). */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let step = 0;
  while (value >= 999.5 && step < STEPS.length - 1) {
    value /= 1000;
    step++;
  }
  return `${step === 0 ? Math.round(value) : threeDigits(value)} ${STEPS[step]}`;
}

/** Bytes in a time as '123 MB/s'. */
export function formatRate(bytes: number, ms: number): string {
  return `${formatBytes(ms > 0 ? (bytes * 1000) / ms : 0)}/s`;
}

/** Seconds as '5 s', '1 min 5 s', '2 h 3 min'. */
export function formatSeconds(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor(whole / 60) % 60} min`;
}

/** A number of bytes as people write it: '512', '64k', '10M', '1G' (powers of 1000), '64Ki' (of 1024); else null. */
export function parseBytes(text: string): number | null {
  const match = /^(\d{1,12}(?:\.\d{1,3})?)([kMGT]?)(i?)B?$/i.exec(text);
  if (match === null) return null;
  const [, digits = '', letter = '', binary = ''] = match;
  if (letter === '' && binary !== '') return null;
  const power = ['', 'k', 'm', 'g', 't'].indexOf(letter.toLowerCase());
  const bytes = Number(digits) * (binary === '' ? 1000 : 1024) ** power;
  return Number.isSafeInteger(bytes) ? bytes : null;
}

function threeDigits(value: number): string {
  if (value >= 99.95) return value.toFixed(0);
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

/** Seconds with up to six decimals as microseconds; null for what is no such number, or more than a day. */
export function parseMicroseconds(text: string): number | null {
  if (!/^(\d{1,5}(\.\d{0,6})?|\.\d{1,6})$/.test(text)) return null;
  const us = Math.round(Number(text) * 1e6);
  return us <= 86_400e6 ? us : null;
}
