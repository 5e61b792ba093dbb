import type { Span } from './span.ts';

/** Ports at which tcpdump expects BOOTP and DHCP, and DHCPv6. */
const BOOTP_PORTS: readonly number[] = [67, 68];
const DHCP6_PORTS: readonly number[] = [546, 547];

const BOOTREQUEST = 1;
const OPS: readonly string[] = ['', 'Request', 'Reply'];
const HTYPE_ETHERNET = 1;
const MAC_LENGTH = 6;
const CHADDR = 28;
/** Type and transaction identifier. */
const DHCP6_HEADER_LENGTH = 4;

const DHCP6_TYPES: readonly string[] = [
  '',
  'solicit',
  'advertise',
  'request',
  'confirm',
  'renew',
  'rebind',
  'reply',
  'release',
  'decline',
  'reconfigure',
  'inf-req',
  'relay-fwd',
  'relay-reply',
  'leasequery',
  'leasequery-reply',
];

/** What a datagram between these ports is about, when it is configuration; else null. */
export function formatConfiguration(datagram: Span, source: number, destination: number): string | null {
  const isAt = (ports: readonly number[]): boolean => ports.includes(source) || ports.includes(destination);
  if (isAt(BOOTP_PORTS)) return formatBootp(datagram);
  return isAt(DHCP6_PORTS) ? formatDhcp6(datagram) : null;
}

function formatBootp(message: Span): string {
  if (!message.has(1)) return ' [|bootp]';
  const op = message.u8(0);
  const name = OPS[op] || `unknown (0x${op.toString(16).padStart(2, '0')})`;
  const says = `BOOTP/DHCP, ${name}`;
  if (!message.has(3)) return `${says} [|bootp]`;
  const tells = op === BOOTREQUEST && message.u8(1) === HTYPE_ETHERNET && message.u8(2) === MAC_LENGTH;
  if (!tells) return `${says}, length ${message.length}`;
  if (!message.has(CHADDR + MAC_LENGTH)) return `${says} [|bootp]`;
  return `${says} from ${message.mac(CHADDR)}, length ${message.length}`;
}

function formatDhcp6(message: Span): string {
  if (!message.has(DHCP6_HEADER_LENGTH)) return 'dhcp6 [|dhcp6]';
  const type = message.u8(0);
  return `dhcp6 ${DHCP6_TYPES[type] || `msgtype-${type}`}`;
}
