import { errnoName } from '../../src/base/errno.ts';
import { PingLayer } from '../../src/icmp/ping-layer.ts';
import { Sys } from '../../src/socket/calls.ts';
import { AF_INET, SOCK_DGRAM } from '../../src/socket/constants.ts';
import { RunQueue } from '../../src/socket/run-queue.ts';
import { defaultTcpSettings } from '../../src/tcp/settings.ts';
import type { CallEvent } from '../../src/trace/events.ts';
import type { TcpLayer } from '../../src/transport/tcp-layer.ts';
import { twoHosts, type UdpHost } from '../udp/fixture.ts';

/** The calls of a host without TCP: a fresh TCP socket has its default settings and can do nothing else. */
export function udpSys(host: UdpHost): Sys {
  const tcp = { defaults: defaultTcpSettings(host.host.sysctl) } as TcpLayer;
  return new Sys({
    host: host.host,
    tcp,
    udp: host.udp,
    ping: new PingLayer(host.host, host.ip),
    runQueue: new RunQueue(host.host),
  });
}

/** Two hosts on a cable with their calls; UDP only. */
export function udpPair(
  ...options: Parameters<typeof twoHosts>
): ReturnType<typeof twoHosts> & { sysA: Sys; sysB: Sys } {
  const hosts = twoHosts(...options);
  return { ...hosts, sysA: udpSys(hosts.a), sysB: udpSys(hosts.b) };
}

/** A bound datagram socket. */
export function udpSocket(sys: Sys, port: number, flags = 0): number {
  const fd = sys.socket(AF_INET, SOCK_DGRAM | flags, 0);
  if (port !== 0) sys.bind(fd, { address: '0.0.0.0', port });
  return fd;
}

/** 'EAGAIN' for -11, the value itself otherwise. */
export function named(result: number): string | number {
  return result < 0 ? errnoName(result) : result;
}

/** The socket calls a host was seen to make. */
export function calls(host: UdpHost): CallEvent[] {
  return host.log.events.filter(event => event.type === 'call');
}
