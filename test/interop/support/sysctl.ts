import { writeFileSync } from 'node:fs';

/** Sets a value below /proc/sys/net in the network namespace of the main thread: sysctl('ipv4/ip_forward', 1). */
export function sysctl(name: string, value: number | string): void {
  writeFileSync(`/proc/sys/net/${name}`, `${value}`);
}
