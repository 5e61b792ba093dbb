/** Frames made by hand, field by field, for tests of the dissector. */

export const MAC_A = [0x02, 0, 0, 0, 0, 0x01];
export const MAC_B = [0x02, 0, 0, 0, 0, 0x02];
export const A = [10, 0, 0, 1];
export const B = [10, 0, 0, 2];

export const FIN = 1;
export const SYN = 2;
export const RST = 4;
export const PSH = 8;
export const ACK = 16;

export function u16(...values: number[]): number[] {
  return values.flatMap(value => [(value >>> 8) & 0xff, value & 0xff]);
}

export function u32(...values: number[]): number[] {
  return values.flatMap(value => [...u16(value >>> 16), ...u16(value)]);
}

export function text(value: string): number[] {
  return Array.from(value, character => character.charCodeAt(0));
}

export function zeros(count: number): number[] {
  return new Array<number>(count).fill(0);
}

export function ethernet(type: number, payload: number[]): Uint8Array {
  return Uint8Array.from([...MAC_B, ...MAC_A, ...u16(type), ...payload]);
}

export function arp(
  operation: number,
  senderMac: number[],
  sender: number[],
  targetMac: number[],
  target: number[],
) {
  return [...u16(1, 0x0800, 0x0604, operation), ...senderMac, ...sender, ...targetMac, ...target];
}

export interface IpFields {
  from?: number[];
  to?: number[];
  /** The flags and fragment offset field as it stands. */
  fragment?: number;
  totalLength?: number;
  /** The first byte: version and header length. */
  first?: number;
  options?: number[];
}

export function ipv4(protocol: number, payload: number[], fields: IpFields = {}): number[] {
  const options = fields.options ?? [];
  const headerLength = 20 + options.length;
  return [
    ...[fields.first ?? 0x40 | (headerLength / 4), 0],
    ...u16(fields.totalLength ?? headerLength + payload.length, 1, fields.fragment ?? 0),
    ...[64, protocol, 0, 0],
    ...(fields.from ?? A),
    ...(fields.to ?? B),
    ...options,
    ...payload,
  ];
}

/** An IPv4 packet in an Ethernet frame. */
export function ipFrame(protocol: number, payload: number[], fields: IpFields = {}): Uint8Array {
  return ethernet(0x0800, ipv4(protocol, payload, fields));
}

export function udp(from: number, to: number, payload: number[], length = 8 + payload.length): number[] {
  return [...u16(from, to, length, 0), ...payload];
}

export interface TcpFields {
  from?: number;
  to?: number;
  seq?: number;
  ack?: number;
  flags?: number;
  window?: number;
  urgent?: number;
  options?: number[];
  payload?: number[];
  /** The data offset in words. */
  offset?: number;
}

export function tcp(fields: TcpFields): number[] {
  const options = fields.options ?? [];
  return [
    ...u16(fields.from ?? 35766, fields.to ?? 65500),
    ...u32(fields.seq ?? 0, fields.ack ?? 0),
    ...[(fields.offset ?? 5 + options.length / 4) << 4, fields.flags ?? ACK],
    ...u16(fields.window ?? 512, 0, fields.urgent ?? 0),
    ...options,
    ...(fields.payload ?? []),
  ];
}

export function icmp(type: number, code: number, rest: number[], payload: number[] = []): number[] {
  return [type, code, 0, 0, ...rest, ...payload];
}
