import type { TraceEvent } from '../trace/events.ts';
import { formatStrace } from './strace.ts';
import { tcpdumpView } from './tcpdump.ts';

/** Column of the host's name. */
const HOST_WIDTH = 8;

/**
 * Turns the trace events of any number of hosts into one line each, in their order: seconds since the first event, the
 * host, and what happened: packets as tcpdump prints them, calls as strace does.
 * @example
 * const lines = eventLines();
 * stack.trace = traceTo(event => console.log(lines(event)));
 */
export function eventLines(): (event: TraceEvent) => string {
  const dump = tcpdumpView();
  let startUs: number | null = null;
  return event => {
    startUs ??= event.atUs;
    const time = ((event.atUs - startUs) / 1e6).toFixed(6).padStart(13);
    const what = event.type === 'packet' ? packetText(event, dump(event)[0] ?? '') : eventText(event);
    return `${time}  ${event.host.padEnd(HOST_WIDTH)}  ${what}`;
  };
}

function packetText(event: TraceEvent & { type: 'packet' }, line: string): string {
  const arrow = event.direction === 'out' ? '->' : '<-';
  return `${arrow} ${event.netif}  ${line.replace(/^\S+ /, '')}`;
}

/** What happened, without the time and the host, for every event but a packet. */
export function eventText(event: Exclude<TraceEvent, { type: 'packet' }>): string {
  switch (event.type) {
    case 'call':
      return `${event.process === '' ? '' : `${event.process}: `}${formatStrace(event, { column: 0 })}`;
    case 'tcp:state':
      return `${event.local} > ${event.remote}: ${event.from} -> ${event.to} (${event.cause})`;
    case 'tcp:cwnd':
      return cwndText(event);
    case 'tcp:timer': {
      const due = event.action === 'set' ? ` for ${seconds(event.dueUs - event.atUs)}` : '';
      return `${event.local} > ${event.remote}: ${event.timer} timer: ${event.action}${due}`;
    }
    case 'tcp:retransmit': {
      const { local, remote, seq, length, attempt, reason } = event;
      return `${local} > ${remote}: sends seq ${seq}, length ${length} again (${reason}, ${attempt}.)`;
    }
    case 'queue':
      return `${event.queue} queue of ${event.owner}: ${event.length} of ${event.limit}`;
    case 'neighbor':
      return `${event.netif} ${event.address}: ${event.from} -> ${event.to} ${event.mac}`.trimEnd();
    case 'config': {
      const { netif, protocol, from, to, cause, address } = event;
      return `${netif} ${protocol}: ${from} -> ${to} (${cause}) ${address}`.trimEnd();
    }
    case 'drop':
      return `drops in ${event.layer}: ${event.reason}${event.detail === undefined ? '' : ` (${event.detail})`}`;
    case 'fault':
      return event.length === 0 ? event.fault : `${event.fault}, length ${event.length}`;
  }
}

function cwndText(event: TraceEvent & { type: 'tcp:cwnd' }): string {
  const { local, remote, cwnd, ssthresh, inFlight, sndWnd, srttUs, rtoUs, caState } = event;
  return (
    `${local} > ${remote}: ${caState}, cwnd ${cwnd}, ssthresh ${ssthresh}, in flight ${inFlight}, ` +
    `window ${sndWnd}, srtt ${seconds(srttUs)}, rto ${seconds(rtoUs)}`
  );
}

function seconds(us: number): string {
  return us < 1e6 ? `${us / 1000} ms` : `${us / 1e6} s`;
}
