/**
 * Links to the Linux kernel and its wires: `import { openTap } from 'ethertype/linux'`. Needs the package koffi, which
 * is loaded when the first link is opened.
 * @module
 */

export type { ClassicFilter, FilterInstruction } from './classic-filter.ts';
export { SystemError } from './libc.ts';
export type { LinkStats } from './link-stats.ts';
export {
  addAddress,
  addRoute,
  deleteInterface,
  findInterface,
  type InterfaceAddress,
  listInterfaces,
  type NetworkInterface,
  type RouteTarget,
  removeAddress,
  removeRoute,
  setDown,
  setMac,
  setMtu,
  setUp,
} from './netdev.ts';
export { type Capture, type CapturedFrame, type CaptureOptions, openCapture } from './packet-capture.ts';
export type { Fanout, FanoutMode, RingStatistics } from './packet-fd.ts';
export {
  openPacketSocket,
  type PacketSocketLink,
  type PacketSocketOptions,
} from './packet-socket.ts';
export { openTap, type TapOptions } from './tap.ts';
export { TapLink } from './tap-link.ts';
export { openXdp, type XdpLink, type XdpOptions } from './xdp.ts';
export type { XdpStatistics } from './xdp-fd.ts';
