/**
 * The table of sockets, as `ss` shows it.
 * @module
 */

import type { BoundAddress } from '../core/bound-address.ts';
import type { Host } from '../core/host.ts';
import type { FiveTuple } from '../core/network.ts';
import type { IpLayer } from '../net/ip-layer.ts';
import { outQueue, runningTimer, tcpInfo } from '../tcp/info.ts';
import { SynRequest } from '../transport/syn-request.ts';
import { TcpEndpoint } from '../transport/tcp-endpoint.ts';
import type { TcpLayer } from '../transport/tcp-layer.ts';
import type { TcpListenerEndpoint } from '../transport/tcp-listener.ts';
import { TimeWait } from '../transport/time-wait.ts';
import type { UdpLayer } from '../udp/udp-layer.ts';
import { AF_INET, formatEndpoint, type IpAddress } from '../wire/address.ts';

/** One line of `ss -tino`. */
export interface SocketRow {
  /** RFC 9293's name of the state. */
  readonly state: string;
  /** Bytes not read yet; of a listener: connections in the accept queue. */
  readonly recvQ: number;
  /** Bytes not acknowledged yet; of a listener: its backlog. */
  readonly sendQ: number;
  /**
   * 'address:port' of both ends, as ss writes them: '[fe80::1]%eth0:80', of a socket for both families '*:80'. IPv4 is
   * IPv4, whatever the family of the socket.
   */
  readonly local: string;
  readonly peer: string;
  /** The next timer to go off: until then in microseconds, and how often it went off in a row. */
  readonly timer: {
    readonly name: 'on' | 'keepalive' | 'timewait' | 'persist' | 'unknown';
    readonly leftUs: number;
    readonly retransmits: number;
  } | null;
  readonly congestion: string;
  /** TCP_CC_INFO, when the congestion control goes by a model of the path; null when it does not. */
  readonly model: { readonly [name: string]: number } | null;
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
  /** As SocketRow's; '0.0.0.0:*', '[::]:*' or '*:*' for no peer. */
  readonly local: string;
  readonly peer: string;
}

/** Every UDP socket of a stack that is bound to a port, by its address. */
export function datagramRows(udp: UdpLayer): DatagramRow[] {
  const rows: DatagramRow[] = [];
  for (const endpoint of udp.ports.all()) {
    const { localPort, remoteAddress, remotePort } = endpoint;
    rows.push({
      state: remoteAddress === null ? 'UNCONN' : 'ESTAB',
      recvQ: endpoint.queuedBytes,
      sendQ: 0,
      local: localText(udp.ip, endpoint, localPort),
      peer: remoteAddress === null ? noPeer(endpoint) : peerText(remoteAddress, remotePort),
    });
  }
  const key = (row: DatagramRow): string => `${row.local} ${row.peer}`;
  return rows.sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** Every TCP socket of a stack: listeners first, then the rest by their addresses. */
export function socketRows(tcp: TcpLayer): SocketRow[] {
  const rows: SocketRow[] = [];
  const { ip } = tcp;
  for (const listener of tcp.allListeners()) rows.push(listenerRow(ip, listener));
  const listeners = rows.length;
  for (const flow of tcp.flows) {
    if (flow instanceof TcpEndpoint) rows.push(endpointRow(ip, flow));
    else if (flow instanceof TimeWait) rows.push(timeWaitRow(ip, flow, tcp.host.nowUs));
    else if (flow instanceof SynRequest) rows.push(requestRow(ip, flow, tcp.host));
  }
  const key = (row: SocketRow): string => `${row.local} ${row.peer}`;
  const rest = rows.splice(listeners).sort((a, b) => (key(a) < key(b) ? -1 : 1));
  return [...rows, ...rest];
}

function listenerRow(ip: IpLayer, listener: TcpListenerEndpoint): SocketRow {
  return {
    state: 'LISTEN',
    recvQ: listener.acceptQueueLength,
    sendQ: listener.backlog,
    local: localText(ip, listener.binding, listener.localPort),
    peer: noPeer(listener.binding),
    timer: null,
    congestion: listener.settings.congestion,
    model: null,
    info: null,
  };
}

function endpointRow(ip: IpLayer, endpoint: TcpEndpoint): SocketRow {
  const { connection } = endpoint;
  const timer = runningTimer(connection);
  return {
    ...names(ip, endpoint),
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
    model: modelOf(endpoint),
    info: { ...tcpInfo(connection) },
  };
}

function modelOf(endpoint: TcpEndpoint): SocketRow['model'] {
  const info = endpoint.modelInfo();
  return info === null ? null : { ...info };
}

/** Of what is no connection yet, or no more. */
const NO_CONTROL = { congestion: '', model: null, info: null } as const;

function timeWaitRow(ip: IpLayer, entry: TimeWait, nowUs: number): SocketRow {
  const timer = { name: 'timewait', leftUs: Math.max(entry.dueUs - nowUs, 0), retransmits: 0 } as const;
  return { ...names(ip, entry), state: 'TIME_WAIT', recvQ: 0, sendQ: 0, timer, ...NO_CONTROL };
}

function requestRow(ip: IpLayer, request: SynRequest, { nowUs, timers }: Host): SocketRow {
  const timer = {
    name: 'on',
    leftUs: Math.max(timers.dueOf(request) - nowUs, 0),
    retransmits: request.retransmits,
  } as const;
  return { ...names(ip, request), state: 'SYN_RCVD', recvQ: 0, sendQ: 0, timer, ...NO_CONTROL };
}

function names(ip: IpLayer, flow: FiveTuple): { local: string; peer: string } {
  const { localAddress: address, localPort, remoteAddress, remotePort } = flow;
  return {
    local: localText(ip, { address, dualStack: false }, localPort),
    peer: peerText(remoteAddress, remotePort),
  };
}

function localText(ip: IpLayer, { address, dualStack }: BoundAddress, port: number): string {
  if (dualStack && address.isUnspecified) return `*:${port}`;
  if (address.zone === 0) return formatEndpoint(address, port);
  return `[${address.withZone(0)}]%${ip.netif(address.zone)?.name ?? address.zone}:${port}`;
}

/** As ss does, without the zone: it is that of the local address. */
function peerText(address: IpAddress, port: number): string {
  return formatEndpoint(address.withZone(0), port);
}

function noPeer({ address, dualStack }: BoundAddress): string {
  if (address.family === AF_INET) return '0.0.0.0:*';
  return dualStack && address.isUnspecified ? '*:*' : '[::]:*';
}
