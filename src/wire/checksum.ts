export interface Checksum {
  readonly memory: Uint8Array;
  sum(bytes: Uint8Array, start: number, end: number, initial: number): number;
}
export function createChecksum(memoryBytes: number): Checksum {
  return { memory: new Uint8Array(memoryBytes), sum: sum16 };
}
export function sum16(bytes: Uint8Array, start: number, end: number, initial: number): number {
  let sum = initial;
  let i = start;
  for (; i + 1 < end; i += 2) sum += ((bytes[i] as number) << 8) | (bytes[i + 1] as number);
  if (i < end) sum += (bytes[i] as number) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 65536);
  return sum;
}
