/**
 * Ping's output, in the words and formats of iputils.
 * @module
 */
import type { PingEvent, PingReply } from './ping.ts';
import type { PingStatistics } from './ping-statistics.ts';

/** What the heading says. */
export interface PingHeading {
  readonly destination: string;
  readonly address: string;
  /** Bytes of data in a request. */
  readonly size: number;
}

/** Bytes of the headers of IPv4 and ICMP. */
const HEADERS = 28;

/** 'PING 10.0.0.2 (10.0.0.2) 56(84) bytes of data.', 'PING fd00::2(fd00::2) 56 data bytes' */
export function formatPingHeading({ destination, address, size }: PingHeading): string {
  if (address.includes(':')) return `PING ${destination}(${address}) ${size} data bytes`;
  return `PING ${destination} (${address}) ${size}(${size + HEADERS}) bytes of data.`;
}

/**
 * '64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=0.123 ms', 'From 10.0.0.1 icmp_seq=1 Destination Host Unreachable'
 * ...; '' for a request that was sent.
 */
export function formatPingEvent(event: PingEvent): string {
  switch (event.type) {
    case 'reply':
      return formatReply(event);
    case 'error':
      if (event.from === null) return `ping: ${event.text}`;
      return `From ${event.from} icmp_seq=${event.sequence} ${event.text}`;
    case 'pending':
      return `no answer yet for icmp_seq=${event.sequence}`;
    case 'sent':
      return '';
  }
}

function formatReply({ bytes, from, sequence, ttl, rttUs, duplicate, wrong }: PingReply): string {
  const mark = duplicate ? ' (DUP!)' : '';
  const line = `${bytes} bytes from ${from}: icmp_seq=${sequence} ttl=${ttl} time=${formatTime(rttUs)} ms${mark}`;
  if (wrong === null) return line;
  const { at, sent, received } = wrong;
  return `${line}\nwrong data byte #${at} should be 0x${sent.toString(16)} but was 0x${received.toString(16)}`;
}

/** Microseconds as milliseconds, with three digits that count, more below a millisecond. */
function formatTime(us: number): string {
  const ms = us / 1000;
  if (us >= 99_950) return ms.toFixed(0);
  if (us >= 9_995) return ms.toFixed(1);
  return ms.toFixed(us >= 1000 ? 2 : 3);
}

/** The block at the end, in lines; `gaps` adds the time between requests, as after a flood. */
export function formatPingStatistics(destination: string, statistics: PingStatistics, gaps = false): string {
  const { transmitted, received, duplicates, corrupted, errors, lossPercent, elapsedUs } = statistics;
  const counts = [
    `${transmitted} packets transmitted`,
    `${received} received`,
    ...(duplicates > 0 ? [`+${duplicates} duplicates`] : []),
    ...(corrupted > 0 ? [`+${corrupted} corrupted`] : []),
    ...(errors > 0 ? [`+${errors} errors`] : []),
  ];
  if (transmitted > 0) {
    // Six digits that count, no zeros at the end.
    counts.push(
      `${Number(lossPercent.toPrecision(6))}% packet loss`,
      `time ${Math.round(elapsedUs / 1000)}ms`,
    );
  }
  return `--- ${destination} ping statistics ---\n${counts.join(', ')}\n${formatTimes(statistics, gaps)}\n`;
}

function formatTimes({ roundTrips, pipe, transmitted, elapsedUs }: PingStatistics, gaps: boolean): string {
  const parts: string[] = [];
  if (roundTrips !== null) {
    const { minUs, avgUs, maxUs, mdevUs } = roundTrips;
    const times = [minUs, avgUs, maxUs, mdevUs].map(thousandths);
    parts.push(`rtt min/avg/max/mdev = ${times.join('/')} ms`);
  }
  if (pipe > 1) parts.push(`pipe ${pipe}`);
  if (gaps && roundTrips !== null && transmitted > 1) {
    parts.push(`ipg/ewma ${thousandths(elapsedUs / (transmitted - 1))}/${thousandths(roundTrips.ewmaUs)} ms`);
  }
  return parts.join(', ');
}

function thousandths(us: number): string {
  return (Math.floor(us) / 1000).toFixed(3);
}
