/**
 * The client of stateless DHCPv6 (RFC 8415 section 18.2.6): it asks for name servers; addresses are made of routers'
 * prefixes.
 * @module
 */
import { assert } from '../base/assert.ts';
import type { Host } from '../core/host.ts';
import { Alarm } from '../core/timers.ts';
import type { IpLayer } from '../net/ip-layer.ts';
import type { Netif } from '../net/netif.ts';
import { TRACE_CONFIG } from '../trace/events.ts';
import type { UdpLayer } from '../udp/udp-layer.ts';
import { UdpService } from '../udp/udp-service.ts';
import { ANY_V6 } from '../wire/address.ts';
import {
  ALL_DHCP6_SERVERS,
  DHCP6_CLIENT_PORT,
  DHCP6_DOMAIN_LIST,
  DHCP6_INFORMATION_REQUEST,
  DHCP6_NAME_SERVERS,
  DHCP6_REFRESH_TIME,
  DHCP6_REPLY,
  DHCP6_SERVER_PORT,
  type Dhcp6Message,
  duidOf,
  emitDhcp6,
  parseDhcp6,
} from '../wire/dhcp6.ts';
import { macFromParts } from '../wire/ethernet.ts';

/** RFC 8415 section 7.6: delay of the first request, first and longest retransmission time. */
const INF_MAX_DELAY_US = 1e6;
const INF_TIMEOUT_US = 1e6;
const INF_MAX_RT_US = 3600e6;
/** Section 15: how far retransmission times are off. */
const RAND = 0.1;
/** Section 21.23, in seconds: after which it is asked again, unless the server says, and at the earliest. */
const IRT_DEFAULT = 86400;
const IRT_MINIMUM = 600;
const IRT_INFINITE = 0xffffffff;

const REQUESTED: readonly number[] = [DHCP6_NAME_SERVERS, DHCP6_DOMAIN_LIST, DHCP6_REFRESH_TIME];

/** What a client does. */
export type InformationState = 'STOPPED' | 'WAITING' | 'REQUESTING' | 'INFORMED';

/** What can happen to it. */
export type InformationCause = 'start' | 'send' | 'receive REPLY' | 'information is old' | 'stop';

/** From each state, where each cause leads. What is not here cannot happen. */
export const INFORMATION_TRANSITIONS: {
  readonly [from in InformationState]: { readonly [cause in InformationCause]?: InformationState };
} = {
  STOPPED: { start: 'WAITING' },
  WAITING: { send: 'REQUESTING', stop: 'STOPPED' },
  REQUESTING: { 'receive REPLY': 'INFORMED', stop: 'STOPPED' },
  INFORMED: { 'information is old': 'WAITING', stop: 'STOPPED' },
};

/** The stateless DHCPv6 client of one interface. */
export class InformationRequest {
  state: InformationState = 'STOPPED';
  private readonly host: Host;
  private readonly ip: IpLayer;
  private readonly udp: UdpLayer;
  private readonly netif: Netif;
  private readonly alarm = new Alarm(() => this.timeout());
  private service: UdpService | null = null;
  private transactionId = 0;
  private beganUs = 0;
  /** The present retransmission time (RT); 0 before the first request. */
  private intervalUs = 0;

  constructor(host: Host, ip: IpLayer, udp: UdpLayer, netif: Netif) {
    this.host = host;
    this.ip = ip;
    this.udp = udp;
    this.netif = netif;
  }

  /** A router says that a server knows more. Does nothing when it was asked already, or somebody has the port. */
  start(): void {
    if (this.state !== 'STOPPED') return;
    const service = new UdpService(this.udp, datagram => this.receive(parseDhcp6(datagram)));
    if (service.open(ANY_V6, DHCP6_CLIENT_PORT, this.netif.index) < 0) return;
    this.service = service;
    this.take('start');
  }

  /** Ends, and forgets what was learned. */
  stop(): void {
    if (this.state === 'STOPPED') return;
    this.take('stop');
    this.service?.close();
    this.service = null;
    this.ip.dns.forget('dhcpv6', this.netif.index);
  }

  private take(cause: InformationCause): void {
    const { host, state: from } = this;
    const to = INFORMATION_TRANSITIONS[from][cause];
    assert(to !== undefined, `${from} has no arrow '${cause}'`);
    this.state = to;
    host.timers.delete(this.alarm);
    this.trace(from, to, cause);
    if (to === 'WAITING')
      host.timers.set(this.alarm, host.nowUs + Math.floor(host.randomShare() * INF_MAX_DELAY_US));
    else if (to === 'REQUESTING') this.begin();
  }

  private timeout(): void {
    if (this.state === 'WAITING') this.take('send');
    else if (this.state === 'REQUESTING') this.request();
    else if (this.state === 'INFORMED') this.take('information is old');
  }

  private begin(): void {
    const { host } = this;
    this.transactionId = host.random32() & 0xffffff;
    this.beganUs = host.nowUs;
    this.intervalUs = 0;
    this.request();
  }

  private request(): void {
    const { host, netif, intervalUs: lastUs } = this;
    const clientId = duidOf(macFromParts(netif.macHigh, netif.macLow));
    const elapsedTime = Math.floor((host.nowUs - this.beganUs) / 10_000);
    const request = { type: DHCP6_INFORMATION_REQUEST, transactionId: this.transactionId, clientId };
    const bytes = emitDhcp6({ ...request, optionRequest: REQUESTED, elapsedTime });
    this.service?.send(bytes, ALL_DHCP6_SERVERS.withZone(netif.index), DHCP6_SERVER_PORT);
    const doubledUs = Math.min(lastUs === 0 ? INF_TIMEOUT_US : 2 * lastUs, INF_MAX_RT_US);
    this.intervalUs = Math.floor(doubledUs * (1 + RAND * (2 * host.randomShare() - 1)));
    host.timers.set(this.alarm, host.nowUs + this.intervalUs);
  }

  private receive(message: Dhcp6Message | null): void {
    if (message === null || this.state !== 'REQUESTING') return;
    const { host, netif, ip } = this;
    const { type, transactionId, clientId, serverId, status = 0, nameServers = [], domains = [] } = message;
    if (type !== DHCP6_REPLY || transactionId !== this.transactionId || status !== 0) return;
    // Section 16.10: what lacks a server's identifier, or has another client's, is not for us.
    const own = duidOf(macFromParts(netif.macHigh, netif.macLow));
    if (serverId === undefined || clientId?.some((byte, i) => byte !== own[i]) === true) return;
    const seconds = Math.max(message.refreshTime ?? IRT_DEFAULT, IRT_MINIMUM);
    this.take('receive REPLY');
    ip.dns.replace('dhcpv6', netif.index, nameServers, domains);
    if (seconds !== IRT_INFINITE) host.timers.set(this.alarm, host.nowUs + seconds * 1e6);
  }

  private trace(from: InformationState, to: InformationState, cause: InformationCause): void {
    const { trace, nowUs: atUs, name: host } = this.host;
    if (trace === null || (trace.wants & TRACE_CONFIG) === 0) return;
    const event = { type: 'config', atUs, host, netif: this.netif.name, protocol: 'dhcpv6' } as const;
    trace.emit({ ...event, from, to, cause, address: '' });
  }
}
