import type { Sysctl } from '../core/sysctl.ts';

/** When DF is set on datagrams (IP_MTU_DISCOVER): Linux's IP_PMTUDISC_*. */
export type MtuDiscover = 'dont' | 'want' | 'do' | 'probe';

/**
 * What setsockopt can change on a datagram socket. Shared by all sockets that never called setsockopt: to change one,
 * replace the object by a copy.
 */
export interface DatagramSettings {
  /** SO_REUSEADDR: others that set it too may bind the same address and port. */
  readonly reuseAddress: boolean;
  /** SO_REUSEPORT: the same, and datagrams are spread over the sockets. UDP only. */
  readonly reusePort: boolean;
  /** SO_BROADCAST: sending to a broadcast address is allowed. */
  readonly broadcast: boolean;
  /** SO_BINDTODEVICE: index of the one interface to send and receive by; 0 for any. */
  readonly device: number;
  /** IP_TTL and IP_TOS. */
  readonly ttl: number;
  readonly tos: number;
  /** SO_MARK. */
  readonly mark: number;
  /** IP_MULTICAST_TTL or IPV6_MULTICAST_HOPS: as `ttl`, of what is sent to a group. */
  readonly multicastTtl: number;
  /** IP_MULTICAST_LOOP: members of the group on this host get it, too. */
  readonly multicastLoop: boolean;
  /** IP_MULTICAST_IF: index of the interface by which it goes; 0 leaves it to the routes. */
  readonly multicastNetif: number;
  /** IP_MTU_DISCOVER. */
  readonly mtuDiscover: MtuDiscover;
  /** IP_RECVERR: every error is told, and its details wait in the error queue. */
  readonly recvErr: boolean;
  /** SO_SNDBUF as getsockopt shows it. Kept only: a datagram leaves at once or not at all. */
  readonly sndBuf: number;
  /** SO_RCVBUF as getsockopt shows it: bytes of memory that datagrams and errors which wait to be read may take. */
  readonly rcvBuf: number;
}

/** The settings of a fresh socket under these sysctls. */
export function defaultDatagramSettings(sysctl: Sysctl): DatagramSettings {
  return {
    reuseAddress: false,
    reusePort: false,
    broadcast: false,
    device: 0,
    ttl: sysctl.ip_default_ttl,
    tos: 0,
    mark: 0,
    multicastTtl: 1,
    multicastLoop: true,
    multicastNetif: 0,
    mtuDiscover: 'want',
    recvErr: false,
    sndBuf: sysctl.wmem_default,
    rcvBuf: sysctl.rmem_default,
  };
}

/** Whether DF is set on an IP packet of `length` bytes when the path takes `mtu`. */
export function setsDontFragment(settings: DatagramSettings, length: number, mtu: number): boolean {
  if (settings.mtuDiscover === 'want') return length <= mtu;
  return settings.mtuDiscover !== 'dont';
}
