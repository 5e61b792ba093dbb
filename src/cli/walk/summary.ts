import { SERVER_ADDRESS, SERVER_PORT } from './addresses.ts';
import type { WalkResult } from './run.ts';

/** Counters that tell the story of one connection. */
const COUNTERS = [
  ['Ip', 'InReceives', 'packets received'],
  ['Ip', 'OutRequests', 'packets sent'],
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
  for (const [group, name, words] of COUNTERS) {
    const values = [result.client[group][name] ?? 0, result.server[group][name] ?? 0];
    const shown = values.map(value => String(value).padStart(8)).join('');
    lines.push(`${`${group}.${name}`.padEnd(18)}${words.padEnd(32)}${shown}`);
  }
  const count = (type: string): number => result.events.filter(event => event.type === type).length;
  lines.push(
    '',
    `${(result.lastedUs / 1e6).toFixed(1)} s of virtual time; ${count('call')} socket calls, ` +
      `${count('tcp:state')} state changes, ${count('drop')} packets dropped, ${result.timersLeft} timers left.`,
  );
  return lines;
}

/** What to run next. */
export function nextSection(): string[] {
  return [
    'npx ethertype walk --write walk.pcap    then: tcpdump -n -r walk.pcap',
    'npx ethertype walk --json               every event as a line of JSON',
    `npx ethertype walk --dir FOLDER         another folder on http://${SERVER_ADDRESS}:${SERVER_PORT}/`,
    'npx ethertype scene                     situations to look at: a closed window, a SYN flood ...',
    'npx ethertype --help                    all commands',
  ];
}
