/**
 * A router that leads to the Internet, from where segments come that no host of the world has sent.
 * @module
 */
import { seqAdd } from '../base/seq.ts';
import type { CableEnd } from '../link/cable.ts';
import type { LearningSwitch } from '../link/switch.ts';
import type { World } from '../sim/world.ts';
import type { Stack } from '../stack/stack.ts';
import { AF_INET, IpAddress } from '../wire/address.ts';
import { finishChecksum, sum16 } from '../wire/checksum.ts';
import { ETHERNET_HEADER_LENGTH, ETHERTYPE_IPV4, ETHERTYPE_IPV6, emitEthernet } from '../wire/ethernet.ts';
import { emitIpv4, IPV4_HEADER_LENGTH } from '../wire/ipv4.ts';
import { emitIpv6, IPV6_HEADER_LENGTH } from '../wire/ipv6.ts';
import { pseudoHeaderSum } from '../wire/pseudo-header.ts';
import { emitTcp, SYN, setTcpChecksum, TCP_HEADER_LENGTH } from '../wire/tcp.ts';
import { addressOf, interfaceOf, know, PORT, routeBy } from './programs.ts';

const ROUTER4 = IpAddress.v4(0x0a0000fe);
const ROUTER6 = IpAddress.v6(0xfd000000, 0, 0, 0xfe);
const ROUTER_MAC_HIGH = 0x0200;
const ROUTER_MAC_LOW = 0x00_00_00_fe;
/** 198.51.100.0/24 and 2001:db8::/32, for documentation (RFC 5737, RFC 3849): nobody is there. */
const NOBODY4 = 0xc6336400;
const NOBODY6 = 0x20010db8;
/** What is left of the hops of a packet from far away. */
const HOPS = 50;
const IPPROTO_TCP = 6;

/** The router's cable. What is sent to the Internet vanishes: nobody is at the spoofed addresses. */
export function internet(lan: LearningSwitch, host: Stack): CableEnd {
  const end = lan.port({ delayUs: 100, name: 'internet' });
  end.attach({ receive: packet => packet.release(), writable: () => {}, carrier: () => {} });
  const router = addressOf(host).family === AF_INET ? ROUTER4 : ROUTER6;
  routeBy(host, String(router));
  know(host, router, ROUTER_MAC_HIGH, ROUTER_MAC_LOW);
  return end;
}

/** Sends a host so many SYNs for PORT, each from another address and port. */
export function flood(world: World, from: CableEnd, host: Stack, count: number): void {
  const { macHigh, macLow } = interfaceOf(host);
  const destination = addressOf(host);
  const isV4 = destination.family === AF_INET;
  for (let i = 0; i < count; i++) {
    const packet = world.pool.take(80);
    if (packet === null) return;
    const { view, start } = packet;
    const l3 = start + ETHERNET_HEADER_LENGTH;
    const l4 = l3 + (isV4 ? IPV4_HEADER_LENGTH : IPV6_HEADER_LENGTH);
    packet.end = l4 + TCP_HEADER_LENGTH;
    const who = i % 256;
    const source = isV4 ? IpAddress.v4(NOBODY4 + who) : IpAddress.v6(NOBODY6, 0, 0, who + 1);
    const type = isV4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6;
    emitEthernet(view, start, macHigh, macLow, ROUTER_MAC_HIGH, ROUTER_MAC_LOW, type);
    if (isV4) {
      const length = packet.end - l3;
      emitIpv4(view, l3, 0, length, i & 0xffff, false, HOPS, IPPROTO_TCP, source.w3, destination.w3);
    } else emitIpv6(view, l3, 0, 0, TCP_HEADER_LENGTH, IPPROTO_TCP, HOPS, source, destination);
    emitTcp(view, l4, 1024 + (i >> 8), PORT, seqAdd(0, i * 7919), 0, TCP_HEADER_LENGTH, SYN, 65535);
    const pseudo = pseudoHeaderSum(source, destination, IPPROTO_TCP, TCP_HEADER_LENGTH);
    setTcpChecksum(view, l4, finishChecksum(sum16(packet.bytes, l4, packet.end, pseudo)));
    if (!from.send(packet)) packet.release();
  }
}
