/**
 * Links to the Linux kernel and its wires: `import { openTap } from 'ethertype/linux'`. Needs the package koffi, which
 * is loaded when the first link is opened.
 * @module
 */
export { SystemError } from './libc.ts';
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
export { openTap, type TapOptions } from './tap.ts';
export { TapLink, type TapStats } from './tap-link.ts';
