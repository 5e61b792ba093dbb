import { writeFileSync } from 'node:fs';

/** Sets a value below /proc/sys/net in the network namespace of the main thread: sysctl('ipv4/ip_forward', 1). */
export function sysctl(name: string, value: number | string): void {
  writeFileSync(`/proc/sys/net/${name}`, `${value}`);
}

/** IPv6 addresses of the interfaces that are made from now on are certain at once. */
export function skipDad(): void {
  sysctl('ipv6/conf/default/accept_dad', 0);
  sysctl('ipv6/conf/default/dad_transmits', 0);
}
