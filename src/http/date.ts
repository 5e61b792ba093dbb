/**
 * HTTP dates (RFC 9110 section 5.6.7) from and to numbers, by hand: the core has no clock and no calendar of its own.
 * @module
 */

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const DAY_MS = 86_400_000;

/** A time as 'Sun, 06 Nov 1994 08:49:37 GMT' (IMF-fixdate). `ms`: milliseconds since the Unix epoch. */
export function formatHttpDate(ms: number): string {
  const days = Math.floor(ms / DAY_MS);
  const seconds = Math.floor((ms - days * DAY_MS) / 1000);
  const { year, month, day } = civilFromDays(days);
  const weekday = DAYS[(((days + 4) % 7) + 7) % 7];
  const clock = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return `${weekday}, ${two(day)} ${MONTHS[month - 1]} ${String(year).padStart(4, '0')} ${clock} GMT`;
}

const IMF = /^(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat), (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/;
const RFC850 =
  /^(?:Sun|Mon|Tues|Wednes|Thurs|Fri|Satur)day, (\d\d)-([A-Z][a-z]{2})-(\d\d) (\d\d):(\d\d):(\d\d) GMT$/;
const ASCTIME = /^(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat) ([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d) (\d{4})$/;

/** Milliseconds since the Unix epoch of a date in any of the three forms; null when it is none. */
export function parseHttpDate(text: string): number | null {
  let match = IMF.exec(text);
  if (match !== null) return toMs(match[3], match[2], match[1], match[4], match[5], match[6]);
  match = RFC850.exec(text);
  if (match !== null) {
    const year = Number(match[3]);
    return toMs(
      String(year < 70 ? 2000 + year : 1900 + year),
      match[2],
      match[1],
      match[4],
      match[5],
      match[6],
    );
  }
  match = ASCTIME.exec(text);
  return match && toMs(match[6], match[1], match[2], match[3], match[4], match[5]);
}

type Part = string | undefined;

function toMs(year: Part, month: Part, day: Part, hour: Part, minute: Part, second: Part): number | null {
  const monthIndex = MONTHS.indexOf(month ?? '');
  const clock = [Number(hour), Number(minute), Number(second)] as const;
  if (monthIndex < 0 || Number(day) < 1 || Number(day) > 31) return null;
  if (clock[0] > 23 || clock[1] > 59 || clock[2] > 60) return null;
  const days = daysFromCivil(Number(year), monthIndex + 1, Number(day));
  return days * DAY_MS + (clock[0] * 3600 + clock[1] * 60 + clock[2]) * 1000;
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}

// The two conversions count in years that begin on 1 March, so that the leap day is the last of its year, and in
// periods of 400 years, after which the Gregorian calendar repeats. Day 0 is 1 January 1970.
const DAYS_TO_MARCH_0000 = 719468;
const DAYS_PER_ERA = 146097;

function daysFromCivil(year: number, month: number, day: number): number {
  const marchYear = month > 2 ? year : year - 1;
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * DAYS_PER_ERA + dayOfEra - DAYS_TO_MARCH_0000;
}

function civilFromDays(days: number): { year: number; month: number; day: number } {
  const shifted = days + DAYS_TO_MARCH_0000;
  const era = Math.floor(shifted / DAYS_PER_ERA);
  const dayOfEra = shifted - era * DAYS_PER_ERA;
  const leapDays = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36524) + Math.floor(dayOfEra / 146096);
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1;
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}
