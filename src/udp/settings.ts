import type { Sysctl } from '../core/sysctl.ts';

/** When DF is set on datagrams (IP_MTU_DISCOVER): Linux's IP_PMTUDISC_*. */
export type MtuDiscover = 'dont' | 'want' | 'do' | 'probe';

/**
 * What setsockopt can change on a UDP socket. Shared by all sockets that never called setsockopt: to change one,
 * replace the object by a copy.
 */
export interface UdpSettings {
  /** SO_REUSEADDR: others that set it too may bind the same address and port. */
  readonly reuseAddress: boolean;
  /** SO_REUSEPORT: the same, and datagrams are spread over the sockets. */
  readonly reusePort: boolean;
  /** SO_BROADCAST: sending to a broadcast address is allowed. */
  readonly broadcast: boolean;
  /** IP_TTL and IP_TOS. */
  readonly ttl: number;
  readonly tos: number;
  /** IP_MTU_DISCOVER. */
  readonly mtuDiscover: MtuDiscover;
  /** SO_SNDBUF as getsockopt shows it. Kept only: a datagram leaves at once or not at all. */
  readonly sndBuf: number;
  /** SO_RCVBUF as getsockopt shows it: bytes of packet memory that may wait to be read. */
  readonly rcvBuf: number;
}

/** The settings of a fresh socket under these sysctls. */
export function defaultUdpSettings(sysctl: Sysctl): UdpSettings {
  return {
    reuseAddress: false,
    reusePort: false,
    broadcast: false,
    ttl: sysctl.ip_default_ttl,
    tos: 0,
    mtuDiscover: 'want',
    sndBuf: sysctl.wmem_default,
    rcvBuf: sysctl.rmem_default,
  };
}
