import { hostPort } from '../../socket/api/errors.ts';
import { AF_INET } from '../../wire/address.ts';
import { SERVER_PORT, type WalkNetwork } from './addresses.ts';
import type { WalkResult } from './run.ts';

/** Counters that tell the story of one connection. */
const IP_COUNTERS = [
  ['InReceives', 'packets received'],
  ['OutRequests', 'packets sent'],
] as const;
const COUNTERS = [
  ['Tcp', 'ActiveOpens', 'connections opened by connect()'],
  ['Tcp', 'PassiveOpens', 'connections opened by accept()'],
  ['Tcp', 'InSegs', 'segments received'],
  ['Tcp', 'OutSegs', 'segments sent'],
  ['Tcp', 'RetransSegs', 'segments sent again'],
  ['Tcp', 'InErrs', 'segments with errors'],
  ['TcpExt', 'TW', 'ends of TIME_WAIT'],
] as const;

/** Counters of both hosts, what is left, and where to go from here. */
export function summarySection(result: WalkResult): string[] {
  const lines = [`${''.padEnd(50)}${'client'.padStart(8)}${'server'.padStart(8)}`];
  const ip = result.network.family === AF_INET ? 'Ip' : 'Ip6';
  const counters = [...IP_COUNTERS.map(([name, words]) => [ip, name, words] as const), ...COUNTERS];
  for (const [group, name, words] of counters) {
    const values = [result.client[group][name] ?? 0, result.server[group][name] ?? 0];
    const shown = values.map(value => String(value).padStart(8)).join('');
    lines.push(`${`${group}.${name}`.padEnd(18)}${words.padEnd(32)}${shown}`);
  }
  const count = (type: string): number => result.events.filter(event => event.type === type).length;
  // A frame for a group that a host is not in went to the wrong address: nothing is lost.
  const lost = result.events.filter(event => event.type === 'drop' && event.reason !== 'OTHERHOST').length;
  lines.push(
    '',
    `${(result.lastedUs / 1e6).toFixed(1)} s of virtual time; ${count('call')} socket calls, ` +
      `${count('tcp:state')} state changes, ${lost} packets dropped, ${result.timersLeft} timers left.`,
  );
  return lines;
}

/** What to run next. */
export function nextSection({ family, server }: WalkNetwork): string[] {
  return [
    'npx ethertype walk --write walk.pcap    then: tcpdump -n -r walk.pcap',
    'npx ethertype walk --json               every event as a line of JSON',
    ...(family === AF_INET ? ['npx ethertype walk --ipv6               the same over IPv6'] : []),
    `npx ethertype walk --dir FOLDER         another folder on http://${hostPort(server, SERVER_PORT)}/`,
    'npx ethertype scene                     situations to look at: a closed window, a SYN flood ...',
    'npx ethertype --help                    all commands',
  ];
}
