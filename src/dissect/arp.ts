import { IpAddress } from '../wire/address.ts';
import { ETHERTYPE_IPV4 } from '../wire/ethernet.ts';
import type { Span } from './span.ts';

const HARDWARE_ETHERNET = 1;
/** ATMARP's refusal (RFC 1577). */
const NACK = 10;
const NO_MAC = '00:00:00:00:00:00';

/** One ARP packet: 'ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 28'. */
export function formatArp(arp: Span): string {
  const hardwareLength = arp.u8(4);
  const protocolLength = arp.u8(5);
  if (!arp.has(8) || !arp.has(8 + 2 * (hardwareLength + protocolLength))) return ' [|arp]';
  const protocol = arp.u16(2);
  if (protocol !== ETHERTYPE_IPV4 || protocolLength !== 4 || hardwareLength !== 6) {
    return `ARP, ${formatKind(arp.u16(0), hardwareLength, protocol, protocolLength)}, length ${arp.length}`;
  }
  const text = formatOperation(arp);
  if (text !== null) return `ARP, ${text}, length ${arp.length}`;
  const operation = arp.u16(6);
  return `ARP, ${operation === NACK ? 'NACK Reply' : `Unknown (${operation})`} ${arp.dump()}`;
}

function formatKind(
  hardware: number,
  hardwareLength: number,
  protocol: number,
  protocolLength: number,
): string {
  const hardwareName = hardware === HARDWARE_ETHERNET ? 'Ethernet' : `Unknown Hardware (${hardware})`;
  const protocolName =
    protocol === ETHERTYPE_IPV4 ? 'IPv4' : `Unknown Protocol (0x${protocol.toString(16).padStart(4, '0')})`;
  return `${hardwareName} (len ${hardwareLength}), ${protocolName} (len ${protocolLength})`;
}

function formatOperation(arp: Span): string | null {
  const senderMac = arp.mac(8);
  const sender = IpAddress.v4(arp.u32(14));
  const targetMac = arp.mac(18);
  const target = IpAddress.v4(arp.u32(24));
  switch (arp.u16(6)) {
    case 1:
      return `Request who-has ${target}${targetMac === NO_MAC ? '' : ` (${targetMac})`} tell ${sender}`;
    case 2:
      return `Reply ${sender} is-at ${senderMac}`;
    case 3:
      return `Reverse Request who-is ${targetMac} tell ${senderMac}`;
    case 4:
      return `Reverse Reply ${targetMac} at ${target}`;
    case 8:
      return `Inverse Request who-is ${targetMac} tell ${senderMac}`;
    case 9:
      return `Inverse Reply ${senderMac} at ${sender}`;
    default:
      return null;
  }
}
