/** Hardware addresses of IPv4 groups: 01:00:5e and 23 bits of the group (RFC 1112 section 6.4). */
export const MULTICAST_MAC_HIGH = 0x0100;
const MULTICAST_MAC_LOW = 0x5e000000;

/** The low part of the hardware address of a group. */
export function multicastMacLow(group: number): number {
  return MULTICAST_MAC_LOW | (group & 0x7fffff);
}
