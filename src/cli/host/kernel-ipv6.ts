import { readFileSync } from 'node:fs';

/** Whether the kernel speaks IPv6 on this device, or would on one that is made. */
export function kernelHasIpv6(device: string): boolean {
  for (const name of [device, 'default']) {
    try {
      return readFileSync(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, 'latin1').trim() === '0';
    } catch {
      // No such device yet, or no IPv6 at all.
    }
  }
  return false;
}
