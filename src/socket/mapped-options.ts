/**
 * ip(7) on IPv6 streams: what SOL_IP says of type of service and path MTU discovery counts once the peer turns out to
 * be an IPv4 host behind a mapped address (RFC 3493 section 3.7); IPv6 has its own options for them.
 * @module
 */
import { EINVAL } from '../base/errno.ts';
import type { TcpSettings } from '../tcp/settings.ts';
import { AF_INET, AF_INET6, type IpAddress } from '../wire/address.ts';
import * as C from './constants.ts';
import type { Option } from './options.ts';
import type { Socket, SocketOptions } from './socket.ts';

/** The options by their names. */
export const MAPPED_OPTIONS: ReadonlyMap<number, Option<Socket>> = new Map<number, Option<Socket>>([
  [
    C.IP_FREEBIND,
    {
      get: socket => Number(socket.options.freeBind),
      set: (socket, value) => changed(socket, { freeBind: value !== 0 }),
    },
  ],
  [
    C.IP_TOS,
    {
      get: socket => socket.options.mappedTos,
      set: (socket, value) => {
        const tos = value & 0xfc;
        if (isMapped(socket)) socket.changeTransport({ tos });
        return changed(socket, { mappedTos: tos });
      },
    },
  ],
  [
    C.IP_MTU_DISCOVER,
    {
      get: socket => socket.options.mappedMtuDiscover,
      set: (socket, value) =>
        value < C.IP_PMTUDISC_DONT || value > C.IP_PMTUDISC_OMIT
          ? -EINVAL
          : changed(socket, { mappedMtuDiscover: value }),
    },
  ],
]);

function changed(socket: Socket, change: Partial<SocketOptions>): number {
  socket.changeOptions(change);
  return 0;
}

function isMapped(socket: Socket): boolean {
  return socket.family === AF_INET6 && socket.remoteFamily === AF_INET;
}

/** IP_MTU_DISCOVER or IPV6_MTU_DISCOVER, whichever counts towards the peer. */
export function mtuDiscoverOf(socket: Socket): number {
  return isMapped(socket) ? socket.options.mappedMtuDiscover : socket.options.mtuDiscover;
}

/** Whether packets go unfragmented with this IP_MTU_DISCOVER. */
export function discoversMtu(mtuDiscover: number): boolean {
  return mtuDiscover >= C.IP_PMTUDISC_WANT && mtuDiscover <= C.IP_PMTUDISC_PROBE;
}

/** The settings of a connection that is about to be made from this socket to `remote`. */
export function settingsTowards(socket: Socket, remote: IpAddress, settings: TcpSettings): TcpSettings {
  if (socket.family !== AF_INET6 || remote.family !== AF_INET) return settings;
  const { mappedTos, mappedMtuDiscover } = socket.options;
  return { ...settings, tos: mappedTos, dontFragment: discoversMtu(mappedMtuDiscover) };
}
