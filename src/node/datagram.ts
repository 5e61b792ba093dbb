import type { RemoteInfo, Socket } from 'node:dgram';
import { isIP } from 'node:net';
import type { Env } from '../core/env.ts';
import { randomMac } from '../link/cable.ts';
import { createLinkOver, type RemoteLink, type RemoteLinkOptions } from '../link/remote.ts';
import type { RemoteEvents, RemoteTransport } from '../link/remote-transport.ts';

/** Where a link over datagrams leads. */
export interface DatagramLinkOptions extends RemoteLinkOptions {
  /**
   * Where frames are sent: the other end, or a multicast group that the socket has joined. An address, not a name.
   * From one end only its own datagrams are taken; in a group everyone's.
   */
  remote: { readonly address: string; readonly port: number };
}

/** Datagrams handed to the socket and not yet sent, above which the link waits. */
export const DATAGRAM_SENDS_MAX = 256;

/**
 * A link over UDP, one datagram a frame, as QEMU's `-netdev dgram` and `-netdev socket,mcast=` have it. Given a
 * function, it calls it for a new socket whenever there is none; given a socket, it ends with it. The socket must be
 * bound, is the link's from now on, and is never "down" just because nobody is at the other end.
 * Throws TypeError when `remote.address` is not an IP address.
 * @example
 * const socket = createSocket('udp4').bind(5001, '127.0.0.1');
 * const link = createDatagramLink(env, socket, { remote: { address: '127.0.0.1', port: 5000 } });
 */
export function createDatagramLink(
  env: Env,
  source: Socket | (() => Socket | Promise<Socket>),
  options: DatagramLinkOptions,
): RemoteLink {
  const { remote } = options;
  if (isIP(remote.address) === 0) throw new TypeError(`not an IP address: '${remote.address}'`);
  const mac = options.mac ?? randomMac(env);
  const own = options.medium === 'ip' ? null : mac;
  const make = (socket: Socket, events: RemoteEvents) => new DatagramTransport(socket, remote, own, events);
  return createLinkOver(env, 'message', source, make, { ...options, mac });
}

class DatagramTransport implements RemoteTransport {
  private readonly socket: Socket;
  private readonly remote: DatagramLinkOptions['remote'];
  private readonly isGroup: boolean;
  /** Our own hardware address: a group sends back what we sent. */
  private readonly own: Uint8Array | null;
  private readonly events: RemoteEvents;
  private sends = 0;
  private full = false;
  private closed = false;

  constructor(
    socket: Socket,
    remote: DatagramLinkOptions['remote'],
    own: Uint8Array | null,
    events: RemoteEvents,
  ) {
    this.socket = socket;
    this.remote = remote;
    this.isGroup = /^(?:22[4-9]|23\d)\.|^ff/i.test(remote.address);
    this.own = own;
    this.events = events;
    socket.on('error', error => events.down(error.message));
    socket.on('close', () => events.down('the socket is closed'));
    socket.on('message', this.onMessage);
    events.up();
  }

  write(frame: Uint8Array<ArrayBuffer>): boolean {
    this.sends++;
    // An error here is one lost frame, as it is on any wire.
    this.socket.send(frame, this.remote.port, this.remote.address, this.onSent);
    this.full = this.sends >= DATAGRAM_SENDS_MAX;
    return !this.full;
  }

  /** What the kernel's buffer cannot hold is lost: datagrams have no way to make the sender wait. */
  pause(): void {}

  resume(): void {}

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.socket.off('message', this.onMessage);
    try {
      this.socket.close();
    } catch {
      // Somebody else has closed it.
    }
  }

  private readonly onSent = (): void => {
    this.sends--;
    if (!this.full || this.sends > DATAGRAM_SENDS_MAX / 2) return;
    this.full = false;
    this.events.room();
  };

  private readonly onMessage = (frame: Uint8Array, from: RemoteInfo): void => {
    const { remote, own } = this;
    if (!this.isGroup && (from.port !== remote.port || from.address !== remote.address)) return;
    if (this.isGroup && own?.every((byte, n) => frame[6 + n] === byte)) return;
    this.events.received(frame);
  };
}
