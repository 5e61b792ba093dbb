import { IpAddress, solicitedNode } from '../../src/wire/address.ts';
import { finishChecksum, sum16 } from '../../src/wire/checksum.ts';
import { emitEthernet } from '../../src/wire/ethernet.ts';
import { emitIcmp6, setIcmp6Checksum } from '../../src/wire/icmp6.ts';
import { emitIpv6 } from '../../src/wire/ipv6.ts';
import { emitFragmentHeader } from '../../src/wire/ipv6-extension.ts';
import { emitNdp, type NdpRepr, ndpLength } from '../../src/wire/ndp.ts';
import { pseudoHeaderSum } from '../../src/wire/pseudo-header.ts';
import { bytesOf, ip, TEST_PROTOCOL, viewOf } from './harness.ts';

export interface Ipv6Spec {
  source?: string;
  destination?: string;
  protocol?: number;
  hopLimit?: number;
  trafficClass?: number;
  flowLabel?: number;
  payloadLength?: number;
  data?: string | Uint8Array | undefined;
}

/** An IPv6 packet, from fd00::2 to fd00::1 unless told otherwise. */
export function ipv6(spec: Ipv6Spec = {}): Uint8Array {
  const data = typeof spec.data === 'string' ? bytesOf(spec.data) : (spec.data ?? new Uint8Array(0));
  const bytes = new Uint8Array(40 + data.length);
  const { source = 'fd00::2', destination = 'fd00::1', protocol = TEST_PROTOCOL, hopLimit = 64 } = spec;
  const { trafficClass = 0, flowLabel = 0, payloadLength = data.length } = spec;
  emitIpv6(
    viewOf(bytes),
    0,
    trafficClass,
    flowLabel,
    payloadLength,
    protocol,
    hopLimit,
    ip(source),
    ip(destination),
  );
  bytes.set(data, 40);
  return bytes;
}

/** An IPv6 packet in an Ethernet frame to 02:00:00:00:00:01, or to the group of its destination. */
export function frame6(packet: Uint8Array, from = 2): Uint8Array {
  const bytes = new Uint8Array(14 + packet.length);
  const view = viewOf(packet);
  const toGroup = view.getUint8(24) === 0xff;
  const [high, low] = toGroup ? [0x3333, view.getInt32(36)] : [0x0200, 1];
  emitEthernet(viewOf(bytes), 0, high, low, 0x0200, from, 0x86dd);
  bytes.set(packet, 14);
  return bytes;
}

/** An ICMPv6 message with its checksum. */
export function icmp6(
  type: number,
  code: number,
  rest: number,
  data: Uint8Array,
  source = 'fd00::2',
  destination = 'fd00::1',
): Uint8Array {
  const bytes = new Uint8Array(8 + data.length);
  emitIcmp6(viewOf(bytes), 0, type, code, rest);
  bytes.set(data, 8);
  sign(bytes, source, destination);
  return bytes;
}

/** A message of neighbour discovery in its packet and frame; hop limit 255 unless told otherwise. */
export function nd(
  message: NdpRepr,
  source: string,
  destination: string,
  hopLimit = 255,
  from = 2,
): Uint8Array {
  const bytes = new Uint8Array(ndpLength(message));
  emitNdp(message, viewOf(bytes), 0);
  sign(bytes, source, destination);
  return frame6(ipv6({ source, destination, protocol: 58, hopLimit, data: bytes }), from);
}

/** Fills in the checksum of an ICMPv6 message. */
export function sign(bytes: Uint8Array, source: string, destination: string): void {
  setIcmp6Checksum(viewOf(bytes), 0, 0);
  const initial = pseudoHeaderSum(ip(source), ip(destination), 58, bytes.length);
  setIcmp6Checksum(viewOf(bytes), 0, finishChecksum(sum16(bytes, 0, bytes.length, initial)));
}

/** A fragment header and the data behind it. */
export function fragment(
  next: number,
  offset: number,
  more: boolean,
  id: number,
  data: Uint8Array,
): Uint8Array {
  const bytes = new Uint8Array(8 + data.length);
  emitFragmentHeader(viewOf(bytes), 0, next, offset, more, id);
  bytes.set(data, 8);
  return bytes;
}

/** The multicast group in which an address is asked for. */
export function askedIn(address: string): string {
  return solicitedNode(IpAddress.parse(address) as IpAddress, 0).toString();
}

/** 02:00:00:00:00:0N */
export function mac(last: number): Uint8Array {
  return Uint8Array.of(2, 0, 0, 0, 0, last);
}
