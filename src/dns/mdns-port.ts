import { EBADF } from '../base/errno.ts';
import type { Netif } from '../net/netif.ts';
import { SocketError } from '../socket/api/errors.ts';
import type { Sys } from '../socket/calls.ts';
import * as C from '../socket/constants.ts';
import type { MsgHdr } from '../socket/ops.ts';
import type { OptionValue } from '../socket/options.ts';
import type { Sockaddr } from '../socket/sockaddr.ts';
import type { Stack } from '../stack/stack.ts';
import { type AddressFamily, AF_INET, AF_INET6, IpAddress } from '../wire/address.ts';
import { decodeMessage, encodeMessage, type Message } from './message.ts';

/** The port of multicast DNS, and its groups (RFC 6762 section 3). */
export const MDNS_PORT = 5353;
const GROUP_V4 = '224.0.0.251';
const GROUP_V6 = 'ff02::fb';
const HOPS = 255;
/** The longest message, in bytes (RFC 6762 section 17). */
const MESSAGE_MAX = 9000;

/** Who sent a message, and the socket that it came by. */
export interface MdnsPeer {
  readonly fd: number;
  readonly address: Sockaddr;
}

/** The sockets of multicast DNS on one interface, one a family. Throws SocketError when the port cannot be had. */
export class MdnsPort {
  readonly netif: Netif;
  private readonly sys: Sys;
  private readonly sockets: { readonly fd: number; readonly group: Sockaddr }[] = [];
  private readonly received: (message: Message, from: MdnsPeer) => void;

  /** `closed` is called when somebody closed a socket: the stack was. */
  constructor(
    stack: Stack,
    netif: Netif,
    received: (message: Message, from: MdnsPeer) => void,
    closed: () => void,
  ) {
    this.netif = netif;
    this.sys = stack.sys.as('mdns');
    this.received = received;
    try {
      this.open(AF_INET);
      if (!stack.host.sysctl.disable_ipv6 && netif.ipv6 !== null) this.open(AF_INET6);
    } catch (error) {
      this.close();
      throw error;
    }
    for (const { fd } of this.sockets) void this.listen(fd).then(closed);
  }

  /** To everybody on the link, by both families. */
  multicast(message: Message): void {
    const bytes = encodeMessage(message);
    // An address that is not there yet, or a full queue: what is sent is sent again, or asked for again.
    for (const { fd, group } of this.sockets) this.sys.sendmsg(fd, { msg_name: group, msg_iov: [bytes] });
  }

  /** To one host alone. */
  unicast(message: Message, { fd, address }: MdnsPeer): void {
    this.sys.sendmsg(fd, { msg_name: address, msg_iov: [encodeMessage(message)] });
  }

  close(): void {
    for (const { fd } of this.sockets.splice(0)) this.sys.close(fd);
  }

  private open(family: AddressFamily): void {
    const { sys, netif } = this;
    const v4 = family === AF_INET;
    const fd = sys.socket(family, C.SOCK_DGRAM | C.SOCK_CLOEXEC, 0);
    if (fd < 0) throw new SocketError('socket', fd);
    const address = (IpAddress.parse(v4 ? GROUP_V4 : GROUP_V6) as IpAddress).withZone(v4 ? 0 : netif.index);
    this.sockets.push({ fd, group: { family, address, port: MDNS_PORT } });
    const set = (option: number, value: OptionValue, level = v4 ? C.SOL_IP : C.SOL_IPV6): void => {
      const result = sys.setsockopt(fd, level, option, value);
      if (result < 0) throw new SocketError('setsockopt', result);
    };
    set(C.SO_REUSEADDR, 1, C.SOL_SOCKET);
    if (v4) {
      set(C.IP_PKTINFO, 1);
      set(C.IP_TTL, HOPS);
      set(C.IP_MULTICAST_TTL, HOPS);
      set(C.IP_MULTICAST_IF, { imr_ifindex: netif.index } as OptionValue);
      set(C.IP_ADD_MEMBERSHIP, { imr_multiaddr: GROUP_V4, imr_ifindex: netif.index });
    } else {
      set(C.IPV6_V6ONLY, 1);
      set(C.IPV6_RECVPKTINFO, 1);
      set(C.IPV6_UNICAST_HOPS, HOPS);
      set(C.IPV6_MULTICAST_HOPS, HOPS);
      set(C.IPV6_MULTICAST_IF, netif.index);
      set(C.IPV6_JOIN_GROUP, { ipv6mr_multiaddr: GROUP_V6, ipv6mr_interface: netif.index });
    }
    const result = sys.bind(fd, { address: v4 ? '0.0.0.0' : '::', port: MDNS_PORT });
    if (result < 0) throw new SocketError('bind', result, v4 ? '0.0.0.0' : '::', MDNS_PORT);
  }

  private async listen(fd: number): Promise<void> {
    const buffer = new Uint8Array(MESSAGE_MAX);
    for (;;) {
      const packet: MsgHdr = { msg_iov: [buffer] };
      const length = await this.sys.wait.recvmsg(fd, packet);
      if (length === -EBADF) return;
      const address = packet.msg_name;
      if (length < 0 || address === null || address === undefined) continue;
      const from = { fd, address: address as Sockaddr };
      if (!this.isOfLink(packet, from.address)) continue;
      const message = decodeMessage(buffer.slice(0, length), { multicast: true });
      if (message === null || message.opcode !== 'QUERY' || message.rcode !== 'NOERROR') continue;
      // Section 6: an answer from another port is none.
      if (message.response && from.address.port !== MDNS_PORT) continue;
      this.received(message, from);
    }
  }

  /** RFC 6762 section 11: what came to a group is of the link; else the sender must have an address of it. */
  private isOfLink({ msg_control: control = [] }: MsgHdr, { address }: Sockaddr): boolean {
    for (const { cmsg_data: data } of control) {
      if (typeof data !== 'object') continue;
      if (!('ipi_ifindex' in data || 'ipi6_ifindex' in data)) continue;
      const [index, to] =
        'ipi_ifindex' in data ? [data.ipi_ifindex, data.ipi_addr] : [data.ipi6_ifindex, data.ipi6_addr];
      const { netif } = this;
      // What this host says to itself may come by the loopback.
      if (index !== netif.index)
        return netif.addresses.some(own => address.inPrefix(own.address, address.byteLength * 8));
      return (
        to.isMulticast ||
        address.isLinkLocal ||
        netif.addresses.some(own => address.inPrefix(own.address, own.prefixLength))
      );
    }
    return false;
  }
}
