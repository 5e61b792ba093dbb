import { Bbr } from './bbr.ts';
import type { CongestionControl } from './congestion.ts';
import { Cubic } from './cubic.ts';
import { Reno } from './reno.ts';

/** The names TCP_CONGESTION takes (net.ipv4.tcp_available_congestion_control). */
export const CONGESTION_CONTROLS: readonly string[] = ['cubic', 'reno', 'bbr'];

/** A fresh congestion control of that name, or null when there is none. */
export function createCongestionControl(name: string): CongestionControl | null {
  if (name === 'cubic') return new Cubic();
  if (name === 'bbr') return new Bbr();
  return name === 'reno' ? new Reno() : null;
}
