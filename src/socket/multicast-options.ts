/**
 * The options of multicast: ip(7), ipv6(7). Of datagram sockets.
 * @module
 */
import { EADDRNOTAVAIL, EINVAL, ENODEV, ENOPROTOOPT } from '../base/errno.ts';
import { AF_INET, AF_INET6, IpAddress } from '../wire/address.ts';
import * as C from './constants.ts';
import { DgramSocket } from './dgram-socket.ts';
import type { IpMembership, Ipv6Membership, Option, OptionValue } from './options.ts';
import type { Socket } from './socket.ts';

type Options = readonly (readonly [name: number, option: Option<Socket>])[];

const HOPS_MAX = 255;

function int(
  get: (socket: DgramSocket) => number,
  set: (socket: DgramSocket, value: number) => number,
): Option<Socket> {
  return {
    get: socket => (socket instanceof DgramSocket ? get(socket) : 0),
    set: (socket, value) => (socket instanceof DgramSocket ? set(socket, value) : -ENOPROTOOPT),
  };
}

const LOOP: Option<Socket> = int(
  ({ endpoint }) => Number(endpoint.settings.multicastLoop),
  (socket, value) => {
    if (value !== 0 && value !== 1) return -EINVAL;
    socket.change({ multicastLoop: value === 1 });
    return 0;
  },
);

const HOPS: Option<Socket> = int(
  ({ endpoint }) => endpoint.settings.multicastTtl,
  (socket, value) => {
    if (value < -1 || value > HOPS_MAX) return -EINVAL;
    socket.change({ multicastTtl: value === -1 ? 1 : value });
    return 0;
  },
);

/** By index, 0 for none in particular. */
function useNetif(socket: DgramSocket, index: number): number {
  if (index !== 0 && socket.endpoint.ip.netif(index) === null) return -ENODEV;
  socket.endpoint.useMulticastNetif(index);
  return 0;
}

/** IP_MULTICAST_IF takes an address of the interface, or a struct ip_mreqn; 0.0.0.0 for none in particular. */
const IP_NETIF: Option<Socket> = {
  get: socket => (socket instanceof DgramSocket ? socket.endpoint.settings.multicastNetif : 0),
  setOther: (socket, value) => {
    if (!(socket instanceof DgramSocket)) return -ENOPROTOOPT;
    const asked =
      typeof value === 'string' ? { imr_address: value } : (value as Partial<IpMembership> | null);
    const index = indexOf(socket, asked?.imr_ifindex, asked?.imr_address);
    return index < 0 ? index : useNetif(socket, index);
  },
};

/** The index of the interface that is meant; 0 for none in particular; -EINVAL, -EADDRNOTAVAIL. */
function indexOf(socket: DgramSocket, index: unknown, text: unknown): number {
  if (Number.isInteger(index) && (index as number) > 0) return index as number;
  if (text === undefined) return 0;
  const address = typeof text === 'string' ? IpAddress.parse(text) : null;
  if (address?.family !== AF_INET) return -EINVAL;
  if (address.isUnspecified) return 0;
  const owner = socket.endpoint.ip.netifs.find(({ addresses }) =>
    addresses.some(entry => entry.address.equals(address)),
  );
  return owner?.index ?? -EADDRNOTAVAIL;
}

type Change = (socket: DgramSocket, group: IpAddress, index: number) => number;

const join: Change = ({ endpoint }, group, index) => endpoint.joinGroup(group, index);
const leave: Change = ({ endpoint }, group, index) => endpoint.leaveGroup(group, index);

function ipMembership(change: Change): Option<Socket> {
  return {
    setOther: (socket, value) => {
      if (!(socket instanceof DgramSocket)) return -ENOPROTOOPT;
      const asked = value as Partial<IpMembership> | null;
      const group = groupOf(asked?.imr_multiaddr, AF_INET);
      if (group === null) return -EINVAL;
      const index = indexOf(socket, asked?.imr_ifindex, asked?.imr_address);
      return index < 0 ? -ENODEV : change(socket, group, index);
    },
  };
}

function ipv6Membership(change: Change): Option<Socket> {
  return {
    setOther: (socket, value: OptionValue) => {
      if (!(socket instanceof DgramSocket)) return -ENOPROTOOPT;
      const { ipv6mr_multiaddr, ipv6mr_interface } = (value ?? {}) as Partial<Ipv6Membership>;
      const group = groupOf(ipv6mr_multiaddr, AF_INET6);
      if (group === null || !Number.isInteger(ipv6mr_interface)) return -EINVAL;
      return change(socket, group, ipv6mr_interface as number);
    },
  };
}

/** A value that comes from anywhere, as a multicast group. */
function groupOf(text: unknown, family: number): IpAddress | null {
  const group = typeof text === 'string' ? IpAddress.parse(text) : null;
  return group !== null && group.family === family && group.isMulticast ? group : null;
}

/** Of AF_INET sockets. */
export const MULTICAST_IP_OPTIONS: Options = [
  [C.IP_MULTICAST_IF, IP_NETIF],
  [C.IP_MULTICAST_TTL, HOPS],
  [C.IP_MULTICAST_LOOP, LOOP],
  [C.IP_ADD_MEMBERSHIP, ipMembership(join)],
  [C.IP_DROP_MEMBERSHIP, ipMembership(leave)],
];

/** Of AF_INET6 sockets. */
export const MULTICAST_IPV6_OPTIONS: Options = [
  [C.IPV6_MULTICAST_IF, int(({ endpoint }) => endpoint.settings.multicastNetif, useNetif)],
  [C.IPV6_MULTICAST_HOPS, HOPS],
  [C.IPV6_MULTICAST_LOOP, LOOP],
  [C.IPV6_JOIN_GROUP, ipv6Membership(join)],
  [C.IPV6_LEAVE_GROUP, ipv6Membership(leave)],
];
