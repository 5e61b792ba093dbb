/**
 * The kernel's network interfaces, addresses and routes, as `ip` would show and change them. All calls are synchronous
 * and take effect in the network namespace of the thread.
 * @module
 */
import { EINVAL, ENODEV } from '../../base/errno.ts';
import { type AddressFamily, AF_INET, AF_INET6, IpAddress, parseCidr } from '../../wire/address.ts';
import { SystemError } from './libc.ts';
import {
  type Attribute,
  type NetlinkMessage,
  NLM_F_CREATE,
  NLM_F_EXCL,
  netlinkDump,
  netlinkRequest,
  u32,
} from './netlink.ts';

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_BROADCAST = 4;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;

const IFF_UP = 0x1;
const IFF_LOOPBACK = 0x8;
/** There is a carrier; IFF_RUNNING says so too, but up to a second late. */
const IFF_LOWER_UP = 0x10000;
/** An IPv6 address is used at once, without asking whether somebody else has it. */
const IFA_F_NODAD = 0x02;

const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
const RTN_UNICAST = 1;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const RT_SCOPE_NOWHERE = 255;

/** Bytes of struct ifinfomsg, struct ifaddrmsg and struct rtmsg. */
const IFINFO_LENGTH = 16;
const IFADDR_LENGTH = 8;
const RTMSG_LENGTH = 12;

/** An address of the kernel's. */
export interface InterfaceAddress {
  readonly address: IpAddress;
  readonly prefixLength: number;
}

/** An interface of the kernel's. */
export interface NetworkInterface {
  readonly index: number;
  readonly name: string;
  /** Administratively up. */
  readonly up: boolean;
  /** Up, and there is a carrier. */
  readonly running: boolean;
  readonly loopback: boolean;
  /** All flags (IFF_*). */
  readonly flags: number;
  readonly mtu: number;
  /** The hardware address; empty where there is none. */
  readonly mac: Uint8Array;
  readonly addresses: readonly InterfaceAddress[];
}

/** All interfaces of this network namespace, with their addresses. */
export function listInterfaces(): NetworkInterface[] {
  const addresses = netlinkDump(RTM_GETADDR, new Uint8Array(IFADDR_LENGTH), 'list addresses');
  return netlinkDump(RTM_GETLINK, new Uint8Array(IFINFO_LENGTH), 'list interfaces').map(link => {
    const index = link.fixed.getInt32(4, true);
    const flags = link.fixed.getUint32(8, true);
    return {
      index,
      name: text(link.attributes.get(IFLA_IFNAME)),
      up: (flags & IFF_UP) !== 0,
      running: (flags & IFF_LOWER_UP) !== 0,
      loopback: (flags & IFF_LOOPBACK) !== 0,
      flags,
      mtu: number(link.attributes.get(IFLA_MTU)),
      mac: link.attributes.get(IFLA_ADDRESS) ?? new Uint8Array(0),
      addresses: addresses.filter(entry => entry.fixed.getUint32(4, true) === index).flatMap(parseAddress),
    };
  });
}

/**
 * The interface of this name.
 * @throws SystemError ENODEV
 */
export function findInterface(name: string): NetworkInterface {
  const found = listInterfaces().find(entry => entry.name === name);
  if (found === undefined) throw new SystemError('netlink', -ENODEV, `there is no interface ${name}`);
  return found;
}

/** Puts an interface up. @throws SystemError EPERM, ENODEV */
export function setUp(name: string): void {
  changeLink(name, IFF_UP, IFF_UP, [], `put ${name} up`);
}

/** Puts an interface down. @throws SystemError EPERM, ENODEV */
export function setDown(name: string): void {
  changeLink(name, 0, IFF_UP, [], `put ${name} down`);
}

/** Sets the MTU in bytes. @throws SystemError EPERM, ENODEV, EINVAL (out of the interface's range) */
export function setMtu(name: string, mtu: number): void {
  changeLink(name, 0, 0, [[IFLA_MTU, u32(mtu)]], `set the MTU of ${name} to ${mtu}`);
}

/** Sets the hardware address. @throws SystemError EPERM, ENODEV, EADDRNOTAVAIL, EBUSY (some kinds must be down) */
export function setMac(name: string, mac: Uint8Array): void {
  changeLink(name, 0, 0, [[IFLA_ADDRESS, mac]], `set the hardware address of ${name}`);
}

/** Deletes a virtual interface. @throws SystemError EPERM, ENODEV, EOPNOTSUPP (a real one) */
export function deleteInterface(name: string): void {
  const fixed = new Uint8Array(IFINFO_LENGTH);
  new DataView(fixed.buffer).setInt32(4, findInterface(name).index, true);
  netlinkRequest(RTM_DELLINK, 0, fixed, [], `delete ${name}`);
}

/**
 * Gives an interface an address, 'A.B.C.D/N' or IPv6 alike.
 * @throws SystemError EPERM, ENODEV, EEXIST, EINVAL
 */
export function addAddress(name: string, cidr: string): void {
  changeAddress(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, name, cidr, `give ${name} the address ${cidr}`);
}

/** Takes an address away. @throws SystemError EPERM, ENODEV, EADDRNOTAVAIL, EINVAL */
export function removeAddress(name: string, cidr: string): void {
  changeAddress(RTM_DELADDR, 0, name, cidr, `take the address ${cidr} from ${name}`);
}

/** Where a route leads: a gateway, an interface, or both. */
export interface RouteTarget {
  readonly via?: string | undefined;
  readonly dev?: string | undefined;
}

/**
 * Adds a route to the main table; '0.0.0.0/0' and '::/0' are the default routes.
 * @throws SystemError EPERM, ENODEV, EEXIST, ENETUNREACH (the gateway cannot be reached), EINVAL
 */
export function addRoute(cidr: string, target: RouteTarget): void {
  changeRoute(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, cidr, target, `add a route to ${cidr}`);
}

/** Removes a route. @throws SystemError EPERM, ENODEV, ESRCH, EINVAL */
export function removeRoute(cidr: string, target: RouteTarget = {}): void {
  changeRoute(RTM_DELROUTE, 0, cidr, target, `remove the route to ${cidr}`);
}

function changeLink(
  name: string,
  flags: number,
  mask: number,
  attributes: readonly Attribute[],
  what: string,
): void {
  const fixed = new Uint8Array(IFINFO_LENGTH);
  const view = new DataView(fixed.buffer);
  view.setInt32(4, findInterface(name).index, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, mask, true);
  netlinkRequest(RTM_NEWLINK, 0, fixed, attributes, what);
}

function changeAddress(type: number, flags: number, name: string, cidr: string, what: string): void {
  const { address, prefixLength } = cidrOf(cidr, what);
  const v4 = address.family === AF_INET;
  const fixed = new Uint8Array(IFADDR_LENGTH);
  fixed.set([address.family, prefixLength, v4 ? 0 : IFA_F_NODAD]);
  new DataView(fixed.buffer).setUint32(4, findInterface(name).index, true);
  const value = bytesOf(address);
  const attributes: Attribute[] = [
    [IFA_LOCAL, value],
    [IFA_ADDRESS, value],
  ];
  if (v4 && prefixLength < 31) {
    const broadcast = IpAddress.v4(address.w3 | (0xffffffff >>> prefixLength));
    attributes.push([IFA_BROADCAST, bytesOf(broadcast)]);
  }
  netlinkRequest(type, flags, fixed, attributes, what);
}

function changeRoute(type: number, flags: number, cidr: string, target: RouteTarget, what: string): void {
  const { address, prefixLength } = cidrOf(cidr, what);
  const { via, dev } = target;
  const attributes: Attribute[] = [[RTA_DST, bytesOf(address)]];
  if (via !== undefined) {
    const gateway = IpAddress.parse(via);
    if (gateway === null) throw new SystemError('netlink', -EINVAL, `${what}: '${via}' is not an address`);
    attributes.push([RTA_GATEWAY, bytesOf(gateway)]);
  }
  if (dev !== undefined) attributes.push([RTA_OIF, u32(findInterface(dev).index)]);
  const scope = via === undefined && address.family === AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  const fixed = new Uint8Array(RTMSG_LENGTH);
  const made = [RT_TABLE_MAIN, RTPROT_STATIC, scope, RTN_UNICAST];
  // A route is removed whoever made it, and whatever its scope.
  const any = [RT_TABLE_MAIN, 0, RT_SCOPE_NOWHERE, 0];
  fixed.set([address.family, prefixLength, 0, 0, ...(type === RTM_NEWROUTE ? made : any)]);
  netlinkRequest(type, flags, fixed, attributes, what);
}

function cidrOf(cidr: string, what: string): InterfaceAddress {
  const parsed = parseCidr(cidr);
  if (parsed === null) throw new SystemError('netlink', -EINVAL, `${what}: not ADDRESS/PREFIX`);
  return parsed;
}

function parseAddress({ fixed, attributes }: NetlinkMessage): InterfaceAddress[] {
  // On a point-to-point interface IFA_ADDRESS is the other end's.
  const value = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS);
  const family = fixed.getUint8(0);
  if (value === undefined || (family !== AF_INET && family !== AF_INET6)) return [];
  return [{ address: addressOf(family, value), prefixLength: fixed.getUint8(1) }];
}

function bytesOf(address: IpAddress): Uint8Array {
  const bytes = new Uint8Array(address.byteLength);
  address.write(new DataView(bytes.buffer), 0);
  return bytes;
}

function addressOf(family: AddressFamily, bytes: Uint8Array): IpAddress {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (family === AF_INET) return IpAddress.v4(view.getInt32(0));
  return IpAddress.v6(view.getInt32(0), view.getInt32(4), view.getInt32(8), view.getInt32(12));
}

function text(value: Uint8Array | undefined): string {
  return new TextDecoder().decode(value?.subarray(0, -1));
}

function number(value: Uint8Array | undefined): number {
  return value === undefined ? 0 : new DataView(value.buffer, value.byteOffset).getUint32(0, true);
}
