/**
 * A router that leads to the Internet, from where segments come that no host of the world has sent.
 * @module
 */
import { seqAdd } from '../base/seq.ts';
import type { CableEnd } from '../link/cable.ts';
import type { LearningSwitch } from '../link/switch.ts';
import type { World } from '../sim/world.ts';
import type { Stack } from '../stack/stack.ts';
import { ANY_V4, IpAddress } from '../wire/address.ts';
import { finishChecksum, sum16 } from '../wire/checksum.ts';
import { ETHERNET_HEADER_LENGTH, ETHERTYPE_IPV4, emitEthernet } from '../wire/ethernet.ts';
import { emitIpv4, IPV4_HEADER_LENGTH } from '../wire/ipv4.ts';
import { pseudoHeaderSum } from '../wire/pseudo-header.ts';
import { emitTcp, SYN, setTcpChecksum, TCP_HEADER_LENGTH } from '../wire/tcp.ts';
import { interfaceOf, know, PORT, routeBy } from './programs.ts';

const ROUTER = IpAddress.v4(0x0a0000fe);
const ROUTER_MAC_HIGH = 0x0200;
const ROUTER_MAC_LOW = 0x00_00_00_fe;
/** 198.51.100.0/24, for documentation (RFC 5737): nobody is there. */
const NOBODY = 0xc6336400;
const IPPROTO_TCP = 6;

/** The router's cable. What is sent to the Internet vanishes: nobody is at the spoofed addresses. */
export function internet(lan: LearningSwitch, host: Stack): CableEnd {
  const end = lan.port({ delayUs: 100, name: 'internet' });
  end.attach({ receive: packet => packet.release(), writable: () => {}, carrier: () => {} });
  routeBy(host, String(ROUTER));
  know(host, ROUTER, ROUTER_MAC_HIGH, ROUTER_MAC_LOW);
  return end;
}

/** Sends a host so many SYNs for PORT, each from another address and port. */
export function flood(world: World, from: CableEnd, host: Stack, count: number): void {
  const { macHigh, macLow, addresses } = interfaceOf(host);
  const destination = addresses[0]?.address ?? ANY_V4;
  for (let i = 0; i < count; i++) {
    const packet = world.pool.take(60);
    if (packet === null) return;
    const { view, start } = packet;
    const l3 = start + ETHERNET_HEADER_LENGTH;
    const l4 = l3 + IPV4_HEADER_LENGTH;
    packet.end = l4 + TCP_HEADER_LENGTH;
    const source = IpAddress.v4(NOBODY + (i % 256));
    emitEthernet(view, start, macHigh, macLow, ROUTER_MAC_HIGH, ROUTER_MAC_LOW, ETHERTYPE_IPV4);
    emitIpv4(view, l3, 0, packet.end - l3, i & 0xffff, false, 50, IPPROTO_TCP, source.w3, destination.w3);
    emitTcp(view, l4, 1024 + (i >> 8), PORT, seqAdd(0, i * 7919), 0, TCP_HEADER_LENGTH, SYN, 65535);
    const pseudo = pseudoHeaderSum(source, destination, IPPROTO_TCP, TCP_HEADER_LENGTH);
    setTcpChecksum(view, l4, finishChecksum(sum16(packet.bytes, l4, packet.end, pseudo)));
    if (!from.send(packet)) packet.release();
  }
}
