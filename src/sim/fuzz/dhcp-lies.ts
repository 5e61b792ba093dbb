/**
 * Changes that only make sense in DHCP: in its fields, and in its options.
 * @module
 */
import type { Rng } from '../../base/rng.ts';
import type { Packet } from '../../core/packet.ts';
import { UDP_HEADER_LENGTH, udpDestinationPort } from '../../wire/udp.ts';
import { type Field, mutateField } from './fields.ts';
import { locateTransport, PROTOCOL_UDP } from './repair.ts';

const PORTS: readonly number[] = [67, 68, 546, 547];
/** From here on ports are those of DHCPv6. */
const DHCP6_PORTS = 500;
/** Where options begin, and where the cookie in front of them is. */
const OPTIONS = 240;
const OPTIONS6 = 4;

const FIELDS: readonly Field[] = [
  { at: 0, width: 1 },
  { at: 2, width: 1 },
  { at: 4, width: 4 },
  { at: 8, width: 2 },
  { at: 10, width: 2 },
  { at: 12, width: 4 },
  { at: 16, width: 4 },
  { at: 24, width: 4 },
  { at: 28, width: 4 },
  { at: 30, width: 4 },
  { at: 236, width: 4 },
];
const FIELDS6: readonly Field[] = [
  { at: 0, width: 1 },
  { at: 0, width: 4 },
];
/** Codes that a machine acts upon. */
const CODES: readonly number[] = [
  0, 1, 3, 6, 12, 15, 26, 50, 51, 52, 53, 54, 55, 57, 58, 59, 61, 119, 121, 255,
];
const CODES6: readonly number[] = [1, 2, 6, 8, 13, 23, 24, 32];

/** Whether the frame goes to a port of DHCP or DHCPv6; sets l4. */
export function isDhcp(packet: Packet): boolean {
  if (locateTransport(packet) !== PROTOCOL_UDP || packet.end - packet.l4 < UDP_HEADER_LENGTH) return false;
  return PORTS.includes(udpDestinationPort(packet.view, packet.l4));
}

/** Changes a message for which `isDhcp` holds: a field, or an option's code, length or content. */
export function lieInDhcp(packet: Packet, rng: Rng): void {
  const isV6 = udpDestinationPort(packet.view, packet.l4) > DHCP6_PORTS;
  const start = packet.l4 + UDP_HEADER_LENGTH;
  if (rng.chance(0.3)) {
    const { at, width } = rng.pick(isV6 ? FIELDS6 : FIELDS);
    mutateField(packet, start + at, width, rng);
    return;
  }
  const options = optionsOf(packet, start + (isV6 ? OPTIONS6 : OPTIONS), isV6);
  if (options.length === 0) return;
  const at = rng.pick(options);
  const width = isV6 ? 2 : 1;
  const { bytes } = packet;
  switch (rng.below(5)) {
    case 0:
      bytes[at + width - 1] = rng.pick(isV6 ? CODES6 : CODES);
      break;
    case 1:
      mutateField(packet, at + width, width, rng);
      break;
    case 2:
      mutateField(packet, at + 2 * width, rng.pick([1, 2, 4] as const), rng);
      break;
    case 3:
      // The message's type comes first.
      if (!isV6 && start + OPTIONS + 2 < packet.end) bytes[start + OPTIONS + 2] = rng.between(1, 8);
      break;
    default:
      // The same again over the one behind it.
      bytes.copyWithin(rng.pick(options), at, Math.min(at + rng.between(2, 40), packet.end));
  }
}

/** Where each option begins, as far as they can be followed. */
function optionsOf(packet: Packet, start: number, isV6: boolean): number[] {
  const { view, end } = packet;
  const found: number[] = [];
  const header = isV6 ? 4 : 2;
  for (let at = start; at + header <= end; ) {
    found.push(at);
    at += header + (isV6 ? view.getUint16(at + 2) : view.getUint8(at + 1));
  }
  return found;
}
