/**
 * The table of sockets, as `ss` shows it.
 * @module
 */

import type { FiveTuple } from '../core/network.ts';
import { outQueue, runningTimer, tcpInfo } from '../tcp/info.ts';
import { SynRequest } from '../transport/syn-request.ts';
import { TcpEndpoint } from '../transport/tcp-endpoint.ts';
import type { TcpLayer } from '../transport/tcp-layer.ts';
import type { TcpListenerEndpoint } from '../transport/tcp-listener.ts';
import { TimeWait } from '../transport/time-wait.ts';
import type { UdpLayer } from '../udp/udp-layer.ts';
import { formatEndpoint } from '../wire/address.ts';

/** One line of `ss -tino`. */
export interface SocketRow {
  /** RFC 9293's name of the state. */
  readonly state: string;
  /** Bytes not read yet; of a listener: connections in the accept queue. */
  readonly recvQ: number;
  /** Bytes not acknowledged yet; of a listener: its backlog. */
  readonly sendQ: number;
  /** 'address:port' of both ends. */
  readonly local: string;
  readonly peer: string;
  /** The next timer to go off: until then in microseconds, and how often it went off in a row. */
  readonly timer: {
    readonly name: 'on' | 'keepalive' | 'timewait' | 'persist' | 'unknown';
    readonly leftUs: number;
    readonly retransmits: number;
  } | null;
  readonly congestion: string;
  /** TCP_INFO. */
  readonly info: { readonly [name: string]: number } | null;
}

/** One line of `ss -u`. */
export interface DatagramRow {
  /** As ss calls it: 'ESTAB' when it is connected to a peer. */
  readonly state: 'UNCONN' | 'ESTAB';
  /** Bytes of memory that the datagrams not read yet take. */
  readonly recvQ: number;
  readonly sendQ: number;
  /** 'address:port' of both ends; '0.0.0.0:*' for no peer. */
  readonly local: string;
  readonly peer: string;
}

/** Every UDP socket of a stack that is bound to a port, by its address. */
export function datagramRows(udp: UdpLayer): DatagramRow[] {
  const rows: DatagramRow[] = [];
  for (const endpoint of udp.ports.all()) {
    const { localAddress, localPort, remoteAddress, remotePort } = endpoint;
    rows.push({
      state: remoteAddress === null ? 'UNCONN' : 'ESTAB',
      recvQ: endpoint.queuedBytes,
      sendQ: 0,
      local: formatEndpoint(localAddress, localPort),
      peer:
        remoteAddress === null
          ? `${localAddress.byteLength === 4 ? '0.0.0.0' : '[::]'}:*`
          : formatEndpoint(remoteAddress, remotePort),
    });
  }
  const key = (row: DatagramRow): string => `${row.local} ${row.peer}`;
  return rows.sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** Every TCP socket of a stack: listeners first, then the rest by their addresses. */
export function socketRows(tcp: TcpLayer): SocketRow[] {
  const rows: SocketRow[] = [];
  for (const listener of tcp.allListeners()) rows.push(listenerRow(listener));
  const listeners = rows.length;
  for (const flow of tcp.flows) {
    if (flow instanceof TcpEndpoint) rows.push(endpointRow(flow));
    else if (flow instanceof TimeWait) rows.push(timeWaitRow(flow, tcp.host.nowUs));
    else if (flow instanceof SynRequest) rows.push(requestRow(flow, tcp.host.nowUs));
  }
  const key = (row: SocketRow): string => `${row.local} ${row.peer}`;
  const rest = rows.splice(listeners).sort((a, b) => (key(a) < key(b) ? -1 : 1));
  return [...rows, ...rest];
}

function listenerRow(listener: TcpListenerEndpoint): SocketRow {
  return {
    state: 'LISTEN',
    recvQ: listener.acceptQueueLength,
    sendQ: listener.backlog,
    local: formatEndpoint(listener.localAddress, listener.localPort),
    peer: `${listener.localAddress.byteLength === 4 ? '0.0.0.0' : '[::]'}:*`,
    timer: null,
    congestion: listener.settings.congestion,
    info: null,
  };
}

function endpointRow(endpoint: TcpEndpoint): SocketRow {
  const { connection } = endpoint;
  const timer = runningTimer(connection);
  return {
    ...names(endpoint),
    state: connection.state,
    recvQ: connection.readable,
    sendQ: outQueue(connection),
    timer:
      timer === null
        ? null
        : {
            name: timer.name,
            leftUs: Math.max(timer.dueUs - connection.nowUs, 0),
            retransmits: timer.name === 'on' ? connection.retransmits : connection.probesOut,
          },
    congestion: connection.congestion.name,
    info: { ...tcpInfo(connection) },
  };
}

function timeWaitRow(entry: TimeWait, nowUs: number): SocketRow {
  const timer = { name: 'timewait', leftUs: Math.max(entry.dueUs - nowUs, 0), retransmits: 0 } as const;
  return { ...names(entry), state: 'TIME_WAIT', recvQ: 0, sendQ: 0, timer, congestion: '', info: null };
}

function requestRow(request: SynRequest, nowUs: number): SocketRow {
  const timer = {
    name: 'on',
    leftUs: Math.max(request.dueUs - nowUs, 0),
    retransmits: request.retransmits,
  } as const;
  return { ...names(request), state: 'SYN_RCVD', recvQ: 0, sendQ: 0, timer, congestion: '', info: null };
}

function names(flow: FiveTuple): { local: string; peer: string } {
  return {
    local: formatEndpoint(flow.localAddress, flow.localPort),
    peer: formatEndpoint(flow.remoteAddress, flow.remotePort),
  };
}
