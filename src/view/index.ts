/**
 * Trace events, sockets and counters as the tools of Linux print them, and as capture files:
 * `import { formatStrace, tcpdumpView } from 'ethertype/view'`.
 * @module
 */
export { TcpdumpFormatter, type TcpdumpOptions } from '../dissect/tcpdump.ts';
export { type CurlExchange, formatCurl, formatCurlFailure } from './curl.ts';
export { formatInterfaces, formatNeighbors, formatRoutes } from './ip.ts';
export { eventLines } from './lines.ts';
export { type LiveOptions, liveLines } from './live.ts';
export {
  type CounterGroups,
  formatNetstat,
  formatProcNetstat,
  formatProcSnmp,
  formatProcSnmp6,
} from './netstat.ts';
export { type PcapSinkOptions, pcapSink } from './pcap.ts';
export { formatSockets, type SocketsOptions } from './ss.ts';
export { formatStrace, type StraceOptions } from './strace.ts';
export { type TcpdumpViewOptions, tcpdumpView } from './tcpdump.ts';
