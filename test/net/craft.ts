import { finishChecksum, sum16 } from '../../src/wire/checksum.ts';
import { emitEthernet } from '../../src/wire/ethernet.ts';
import { emitIcmp4, setIcmp4Checksum } from '../../src/wire/icmp4.ts';
import { emitIpv4, fillIpv4Checksum, setIpv4Fragment, setIpv4TotalLength } from '../../src/wire/ipv4.ts';
import { bytesOf, ip, TEST_PROTOCOL, viewOf } from './harness.ts';

export interface Ipv4Spec {
  source?: string;
  destination?: string;
  protocol?: number;
  ttl?: number;
  tos?: number;
  id?: number;
  df?: boolean;
  mf?: boolean;
  /** In bytes. */
  fragmentOffset?: number;
  options?: readonly number[];
  data?: string | Uint8Array | undefined;
}

/** An IPv4 packet, from 10.0.0.2 to 10.0.0.1 unless told otherwise. */
export function ipv4(spec: Ipv4Spec = {}): Uint8Array {
  const data = typeof spec.data === 'string' ? bytesOf(spec.data) : (spec.data ?? new Uint8Array(0));
  const options = spec.options ?? [];
  const headerLength = 20 + options.length;
  const bytes = new Uint8Array(headerLength + data.length);
  const view = viewOf(bytes);
  const { source = '10.0.0.2', destination = '10.0.0.1', protocol = TEST_PROTOCOL, ttl = 64 } = spec;
  const { tos = 0, id = 1, df = false, mf = false, fragmentOffset = 0 } = spec;
  emitIpv4(view, 0, tos, bytes.length, id, df, ttl, protocol, ip(source).w3, ip(destination).w3);
  view.setUint8(0, 0x40 | (headerLength >> 2));
  setIpv4TotalLength(view, 0, bytes.length);
  setIpv4Fragment(view, 0, fragmentOffset, mf, df);
  bytes.set(options, 20);
  bytes.set(data, headerLength);
  fillIpv4Checksum(view, 0);
  return bytes;
}

/** An IPv4 packet in an Ethernet frame to 02:00:00:00:00:01, or to the MAC address given in two parts. */
export function frame(packet: Uint8Array, high = 0x0200, low = 1, type = 0x0800): Uint8Array {
  const bytes = new Uint8Array(14 + packet.length);
  emitEthernet(viewOf(bytes), 0, high, low, 0x0200, 2, type);
  bytes.set(packet, 14);
  return bytes;
}

/** An ICMP message with its checksum. */
export function icmp(type: number, code: number, rest: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(8 + data.length);
  emitIcmp4(viewOf(bytes), 0, type, code, rest);
  bytes.set(data, 8);
  setIcmp4Checksum(viewOf(bytes), 0, finishChecksum(sum16(bytes, 0, bytes.length, 0)));
  return bytes;
}
