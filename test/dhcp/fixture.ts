/** A client on a cable, and at the other end a server that does what the test says. */
import assert from 'node:assert/strict';
import type { DhcpClient } from '../../src/dhcp/client.ts';
import type { DhcpClientOptions } from '../../src/dhcp/ipv4-configuration.ts';
import type { Netif } from '../../src/net/netif.ts';
import { World } from '../../src/node/index.ts';
import type { Stack } from '../../src/stack/stack.ts';
import type { ConfigEvent } from '../../src/trace/events.ts';
import { TRACE_CONFIG } from '../../src/trace/events.ts';
import { TraceLog } from '../../src/trace/sink.ts';
import { UdpService } from '../../src/udp/udp-service.ts';
import { ANY_V4, BROADCAST_V4, IpAddress } from '../../src/wire/address.ts';
import {
  BOOTREPLY,
  DHCP_ACK,
  DHCP_DISCOVER,
  DHCP_NAK,
  DHCP_OFFER,
  DHCP_REQUEST,
  type DhcpMessage,
  emitDhcp,
  parseDhcp,
} from '../../src/wire/dhcp.ts';
import type { DhcpOptions } from '../../src/wire/dhcp-options.ts';

export const SECOND = 1_000_000;

/** The address of a text. */
export function ip(text: string): IpAddress {
  const address = IpAddress.parse(text);
  assert.ok(address !== null, text);
  return address;
}

/** A message that came, when, from and to whom. */
export interface Heard {
  /** Seconds since the world began. */
  readonly at: number;
  readonly from: string;
  readonly to: string;
  readonly message: DhcpMessage;
}

const TYPES = ['', 'DISCOVER', 'OFFER', 'REQUEST', 'DECLINE', 'ACK', 'NAK', 'RELEASE', 'INFORM'];

/** 'REQUEST' of a message. */
export function typeOf({ options }: DhcpMessage): string {
  return TYPES[options.messageType ?? 0] ?? '?';
}

/** A server made by hand, at port 67 of a host. */
export class FakeServer {
  readonly heard: Heard[] = [];
  /** What it does with each message; nothing by default. */
  answer: (message: DhcpMessage) => void = () => {};
  readonly stack: Stack;
  private readonly startUs: number;
  private readonly service: UdpService;

  constructor(stack: Stack) {
    this.stack = stack;
    this.startUs = stack.host.nowUs;
    this.service = new UdpService(stack.udpLayer, (bytes, { address, destination }) => {
      const message = parseDhcp(bytes);
      assert.ok(message !== null);
      const at = (stack.host.nowUs - this.startUs) / SECOND;
      this.heard.push({ at, from: String(address), to: String(destination), message });
      this.answer(message);
    });
    assert.equal(this.service.open(ANY_V4, 67, 2), 0);
  }

  /** Its address. */
  get address(): IpAddress {
    return (this.stack.ip.netif(2) as Netif).addresses[0]?.address ?? ANY_V4;
  }

  /** Sends an answer by broadcast. */
  reply(
    to: DhcpMessage,
    messageType: number,
    yiaddr: string,
    options: DhcpOptions = {},
    change: object = {},
  ): void {
    const { xid, chaddr } = to;
    const all = { messageType, serverId: this.address, ...options };
    const bytes = emitDhcp({ op: BOOTREPLY, xid, chaddr, yiaddr: ip(yiaddr), options: all, ...change }, 1500);
    const route = this.stack.ip.ipv4.directRoute(this.stack.ip.netif(2) as Netif, BROADCAST_V4, this.address);
    this.service.sendBy(route, bytes, 68);
  }

  /** Gives everyone this address, with these options. */
  grant(yiaddr: string, options: DhcpOptions = {}): void {
    const lease = { leaseTime: 3600, subnetMask: ip('255.255.255.0'), ...options };
    this.answer = message => {
      const { messageType } = message.options;
      if (messageType === DHCP_DISCOVER) this.reply(message, DHCP_OFFER, yiaddr, lease);
      else if (messageType === DHCP_REQUEST) this.reply(message, DHCP_ACK, yiaddr, lease);
    };
  }

  /** Refuses everything that is asked for, but makes offers. */
  refuse(yiaddr: string): void {
    this.answer = message => {
      const { messageType } = message.options;
      if (messageType === DHCP_DISCOVER) this.reply(message, DHCP_OFFER, yiaddr);
      else if (messageType === DHCP_REQUEST) this.reply(message, DHCP_NAK, '0.0.0.0');
    };
  }

  /** 'DISCOVER REQUEST' since the last call. */
  types(): string {
    return this.heard
      .splice(0)
      .map(({ message }) => typeOf(message))
      .join(' ');
  }
}

/** The world of one client and one server (10.0.0.1, or as given). */
export function clientAndServer(options: DhcpClientOptions = {}, seed = 1, address = '10.0.0.1/24') {
  const log = new TraceLog(TRACE_CONFIG);
  const world = new World({ seed, trace: log });
  const pc = world.host('pc', { dhcp: { linkLocalAfter: Number.POSITIVE_INFINITY, ...options } });
  const other = world.host('server', { address });
  const cable = world.connect(pc, other);
  const netif = pc.ip.netif('eth0') as Netif;
  const client = pc.autoconfiguration.of(netif)?.client as DhcpClient;
  const server = new FakeServer(other);
  const run = (seconds: number): void => world.clock.runFor(seconds * SECOND);
  const addresses = (): string[] => netif.addresses.map(entry => `${entry.address}/${entry.prefixLength}`);
  /** 'INIT SELECTING REQUESTING': the states since the last call. */
  const states = (): string => {
    const events = log.events.splice(0) as ConfigEvent[];
    return events.map(({ to }) => to).join(' ');
  };
  return { world, pc, other, cable, netif, client, server, run, addresses, states, log };
}

/** Asserts that nothing is left when everybody is gone. */
export function endClean(world: World, ...stacks: Stack[]): void {
  for (const stack of stacks) stack.close();
  world.clock.runFor(SECOND);
  for (const stack of stacks) assert.equal(stack.host.timers.size, 0, `${stack.name}: timers`);
  world.close();
  assert.equal(world.pool.inUse, 0);
}
