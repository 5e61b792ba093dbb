/**
 * A DHCP client (RFC 2131 section 4.4): the machine, without sockets and interfaces.
 * @module
 */
import { assert } from '../base/assert.ts';
import type { Host } from '../core/host.ts';
import { Alarm } from '../core/timers.ts';
import { TRACE_CONFIG } from '../trace/events.ts';
import { ANY_V4, BROADCAST_V4, type IpAddress } from '../wire/address.ts';
import {
  BOOTREPLY,
  BOOTREQUEST,
  DHCP_ACK,
  DHCP_DECLINE,
  DHCP_DISCOVER,
  DHCP_NAK,
  DHCP_OFFER,
  DHCP_RELEASE,
  DHCP_REQUEST,
  type DhcpMessage,
  type DhcpMessageSpec,
} from '../wire/dhcp.ts';
import { type DhcpOptions, dhcpOptionCode } from '../wire/dhcp-options.ts';
import { type DhcpLease, isHost, leaseOf } from './lease.ts';
import { type DhcpCause, type DhcpState, nextState } from './state.ts';

/** RFC 2131 section 4.1: the first delay before a message is sent again, the longest, and how far it is off. */
const BACKOFF_FIRST_US = 4e6;
const BACKOFF_MAX_US = 64e6;
const BACKOFF_JITTER_US = 1e6;
/** DHCPREQUESTs without an answer before a client begins anew: about a minute (section 3.1). */
const REQUESTS_MAX = 4;
/** Least time between two requests for more time (section 4.4.5), and after a DHCPDECLINE (section 3.1). */
const RENEW_INTERVAL_MIN_US = 60e6;
const DECLINE_DELAY_US = 10e6;
/** Failures in a row after which a client takes its time. */
const FAILURES_AT_ONCE = 1;

/** Classless routes must be asked for before routers (RFC 3442). */
const PARAMETERS: Uint8Array = /* @__PURE__ */ Uint8Array.from(
  (
    [
      'subnetMask',
      'classlessRoutes',
      'routers',
      'nameServers',
      'hostName',
      'domainName',
      'searchList',
      'mtu',
      'broadcastAddress',
      'leaseTime',
      'serverId',
      'renewalTime',
      'rebindingTime',
    ] as const
  ).map(dhcpOptionCode),
);

/** What a client says of itself. */
export interface DhcpIdentity {
  /** Six bytes. */
  readonly mac: Uint8Array;
  readonly clientId: Uint8Array;
  /** Undefined: none is sent. */
  readonly hostName: string | undefined;
  /** Asks for answers by broadcast. */
  readonly broadcast: boolean;
  /** Bytes of the largest message it takes, from the IP header on. */
  readonly maxMessageSize: number;
}

/** What a client needs of the world. */
export interface DhcpClientPort {
  /** Sends to the server port. */
  send(message: DhcpMessageSpec, source: IpAddress, destination: IpAddress): void;
  /** Asks the link whether an address is free; returns what gives up. As `IpLayer.probeAddress`. */
  probe(address: IpAddress, done: (free: boolean) => void): () => void;
  /** The lease may be used from now on, or has other terms. */
  bound(lease: DhcpLease): void;
  /** Its address must not be used any more. */
  unbound(lease: DhcpLease): void;
  /** The state is another one. */
  changed(state: DhcpState): void;
}

/** One client, for one interface. */
export class DhcpClient {
  /** Where it is in the diagram of state.ts. */
  state: DhcpState = 'STOPPED';
  /** What it has; null while it has nothing, or nothing certain. */
  lease: DhcpLease | null = null;
  private readonly host: Host;
  private readonly netif: string;
  private readonly identity: DhcpIdentity;
  private readonly port: DhcpClientPort;
  private readonly alarm = new Alarm(() => this.timeout());
  /** The address asked for, and the server asked: what an offer said, or null for whoever answers. */
  private wanted: IpAddress | null = null;
  private server: IpAddress | null = null;
  /** What was granted and is not checked yet. */
  private granted: DhcpLease | null = null;
  private cancelProbe: (() => void) | null = null;
  private xid = 0;
  private beganUs = 0;
  private sentUs = 0;
  private secs = 0;
  /** Messages sent in this state. */
  private attempts = 0;
  /** How often in a row it ended in INIT again. */
  private failures = 0;
  private delayUs = 0;

  constructor(host: Host, netif: string, identity: DhcpIdentity, port: DhcpClientPort) {
    this.host = host;
    this.netif = netif;
    this.identity = identity;
    this.port = port;
  }

  /** Begins; with `address`, the one it had before, it asks for that first (RFC 2131 section 3.2). */
  start(address: IpAddress | null = null): void {
    if (this.state !== 'STOPPED') return;
    this.wanted = address;
    this.take(address === null ? 'start' : 'start with an address');
  }

  /** Ends. The address is given back, and with `release` the server told. */
  stop(release: boolean): void {
    if (this.state === 'STOPPED') return;
    const lease = this.lease ?? this.granted;
    if (lease !== null && release) this.release(lease);
    this.drop();
    this.take('stop');
  }

  /** The cable is back: perhaps in another network. */
  linkUp(): void {
    if (this.state === 'STOPPED') return;
    this.failures = 0;
    this.take('link up');
  }

  /** Somebody else uses our address and does not give way. */
  conflict(address: IpAddress): void {
    if (this.lease?.address.equals(address) === true) this.decline(this.lease);
  }

  /** Takes a message that came to the client port. */
  receive(message: DhcpMessage): void {
    const { mac } = this.identity;
    if (message.op !== BOOTREPLY || message.xid !== this.xid) return;
    if (!message.chaddr.every((byte, i) => byte === mac[i])) return;
    const { messageType, serverId } = message.options;
    if (serverId === undefined || !isHost(serverId)) return;
    if (messageType === DHCP_OFFER) this.offered(message, serverId);
    else if (this.server !== null && !serverId.equals(this.server)) return;
    else if (messageType === DHCP_ACK) this.acknowledged(message);
    else if (messageType === DHCP_NAK) this.refused();
  }

  private offered({ yiaddr }: DhcpMessage, server: IpAddress): void {
    if (this.state !== 'SELECTING' || !isHost(yiaddr)) return;
    this.wanted = yiaddr;
    this.server = server;
    this.take('receive OFFER');
  }

  private acknowledged(message: DhcpMessage): void {
    if (nextState(this.state, 'receive ACK') === undefined) return;
    const lease = leaseOf(message, this.sentUs);
    if (lease === null || this.wanted === null || !lease.address.equals(this.wanted)) return;
    this.granted = lease;
    this.take('receive ACK');
  }

  private refused(): void {
    if (nextState(this.state, 'receive NAK') === undefined) return;
    this.fail('receive NAK');
  }

  /** Begins anew without an address; the first time at once. */
  private fail(cause: DhcpCause): void {
    this.drop();
    // Otherwise it may ask for the same address again.
    if (cause === 'receive NAK' || cause === 'conflict') this.wanted = null;
    const more = this.failures++ - FAILURES_AT_ONCE;
    this.delayUs = cause === 'conflict' ? DECLINE_DELAY_US : more < 0 ? 0 : this.backoffUs(more);
    this.take(cause);
  }

  private decline(lease: DhcpLease): void {
    const options = { serverId: lease.server, requestedAddress: lease.address };
    this.xid = this.host.random32() >>> 0;
    this.send(DHCP_DECLINE, options, ANY_V4, ANY_V4, BROADCAST_V4);
    this.fail('conflict');
  }

  private release({ address, server }: DhcpLease): void {
    this.xid = this.host.random32() >>> 0;
    this.send(DHCP_RELEASE, { serverId: server }, address, address, server);
  }

  /** Forgets the lease. */
  private drop(): void {
    const { lease } = this;
    this.lease = this.granted = null;
    this.server = null;
    if (lease !== null) this.port.unbound(lease);
  }

  // --- states ---------------------------------------------------------------------------------------------------

  /** Takes an arrow of the state diagram. The only place where the state changes. */
  private take(cause: DhcpCause): void {
    const { host, state: from } = this;
    const to = nextState(from, cause);
    assert(to !== undefined, `${from} has no arrow '${cause}'`);
    this.state = to;
    host.timers.delete(this.alarm);
    this.cancelProbe?.();
    this.cancelProbe = null;
    this.attempts = 0;
    this.trace(from, to, cause);
    this.enter(cause);
    this.port.changed(to);
  }

  private enter(cause: DhcpCause): void {
    const { nowUs } = this.host;
    switch (this.state) {
      case 'INIT':
      case 'INIT_REBOOT':
        this.server = this.granted = null;
        this.xid = this.host.random32() >>> 0;
        this.beganUs = nowUs;
        this.wait(nowUs + this.delayUs);
        this.delayUs = 0;
        break;
      case 'SELECTING':
        this.discover();
        break;
      case 'REQUESTING':
      case 'REBOOTING':
        this.request();
        break;
      case 'CHECKING':
        this.check(this.granted);
        break;
      case 'BOUND':
        this.bind(cause);
        break;
      case 'RENEWING':
      case 'REBINDING':
        this.xid = this.host.random32() >>> 0;
        this.beganUs = nowUs;
        this.renew();
        break;
      case 'STOPPED':
        break;
    }
  }

  private timeout(): void {
    const { lease } = this;
    const { nowUs } = this.host;
    switch (this.state) {
      case 'INIT':
        this.take('send DISCOVER');
        break;
      case 'INIT_REBOOT':
        this.take('send REQUEST');
        break;
      case 'SELECTING':
        this.discover();
        break;
      case 'REQUESTING':
      case 'REBOOTING':
        if (lease !== null && nowUs >= lease.expiresUs) this.fail('lease expires');
        else if (this.attempts < REQUESTS_MAX) this.request();
        else if (lease !== null) this.take('no answer, lease holds');
        else this.fail('no answer');
        break;
      case 'BOUND':
        this.take('T1');
        break;
      case 'RENEWING':
        if (lease !== null && nowUs >= lease.rebindUs) this.take('T2');
        else this.renew();
        break;
      case 'REBINDING':
        if (lease !== null && nowUs >= lease.expiresUs) this.fail('lease expires');
        else this.renew();
        break;
      default:
        break;
    }
  }

  private discover(): void {
    this.send(DHCP_DISCOVER, this.asking({ requestedAddress: this.wanted ?? undefined }));
    this.wait(this.host.nowUs + this.backoffUs(this.attempts - 1));
  }

  /** In REQUESTING and REBOOTING: the server is named in the first and unknown in the second. */
  private request(): void {
    const wanted = { requestedAddress: this.wanted ?? undefined, serverId: this.server ?? undefined };
    this.send(DHCP_REQUEST, this.asking(wanted));
    const againUs = this.host.nowUs + this.backoffUs(this.attempts - 1);
    this.wait(Math.min(againUs, this.lease?.expiresUs ?? Number.POSITIVE_INFINITY));
  }

  /** In RENEWING its server is asked for more time, in REBINDING every server (RFC 2131 section 4.4.5). */
  private renew(): void {
    const { lease, host } = this;
    if (lease === null) return;
    const { address, server, rebindUs, expiresUs } = lease;
    const isRenewing = this.state === 'RENEWING';
    this.wanted = address;
    this.server = isRenewing ? server : null;
    this.send(DHCP_REQUEST, this.asking({}), address, address, isRenewing ? server : BROADCAST_V4);
    const endUs = isRenewing ? rebindUs : expiresUs;
    const halfUs = Math.floor((endUs - host.nowUs) / 2);
    this.wait(Math.min(endUs, host.nowUs + Math.max(halfUs, RENEW_INTERVAL_MIN_US)));
  }

  private check(granted: DhcpLease | null): void {
    if (granted === null) return;
    let waits = true;
    const cancel = this.port.probe(granted.address, free => {
      if (!waits) return;
      if (free) this.take('address is free');
      else this.decline(granted);
    });
    this.cancelProbe = () => {
      waits = false;
      cancel();
    };
  }

  private bind(cause: DhcpCause): void {
    const lease = this.granted ?? this.lease;
    if (lease === null) return;
    this.failures = 0;
    this.granted = null;
    this.wanted = lease.address;
    this.lease = lease;
    this.wait(lease.renewUs);
    if (cause !== 'no answer, lease holds') this.port.bound(lease);
  }

  // --- messages -------------------------------------------------------------------------------------------------

  /** Options of a message that asks for something. */
  private asking(options: DhcpOptions): DhcpOptions {
    const { hostName, maxMessageSize } = this.identity;
    return { ...options, parameters: PARAMETERS, hostName, maxMessageSize };
  }

  private send(
    messageType: number,
    options: DhcpOptions,
    ciaddr: IpAddress = ANY_V4,
    source: IpAddress = ANY_V4,
    destination: IpAddress = BROADCAST_V4,
  ): void {
    const { mac: chaddr, clientId, broadcast } = this.identity;
    const { nowUs } = this.host;
    this.attempts++;
    this.sentUs = nowUs;
    // A DHCPREQUEST that follows an offer says what the DHCPDISCOVER said (section 4.4.1).
    if (this.state !== 'REQUESTING') this.secs = Math.floor((nowUs - this.beganUs) / 1e6);
    // Who has an address can be reached at it.
    const flag = broadcast && ciaddr.isUnspecified;
    const spec = { op: BOOTREQUEST, xid: this.xid, secs: this.secs, broadcast: flag, chaddr, ciaddr };
    this.port.send({ ...spec, options: { messageType, clientId, ...options } }, source, destination);
  }

  private wait(untilUs: number): void {
    if (untilUs !== Number.POSITIVE_INFINITY) this.host.timers.set(this.alarm, untilUs);
  }

  /** RFC 2131 section 4.1: 4, 8, 16, 32, 64 seconds, each up to a second more or less. */
  private backoffUs(step: number): number {
    const jitterUs = Math.floor((2 * this.host.randomShare() - 1) * BACKOFF_JITTER_US);
    return Math.min(BACKOFF_FIRST_US * 2 ** step, BACKOFF_MAX_US) + jitterUs;
  }

  private trace(from: DhcpState, to: DhcpState, cause: DhcpCause): void {
    const { trace, nowUs, name } = this.host;
    if (trace === null || (trace.wants & TRACE_CONFIG) === 0) return;
    const address = String(this.granted?.address ?? this.lease?.address ?? this.wanted ?? '');
    trace.emit({
      type: 'config',
      atUs: nowUs,
      host: name,
      netif: this.netif,
      protocol: 'dhcp',
      from,
      to,
      cause,
      address,
    });
  }
}
