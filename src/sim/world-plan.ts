/**
 * What happens in a seeded world, drawn before it begins: pure data, so that it can be printed, compared and replayed.
 * Times are microseconds from the world's begin.
 * @module
 */
import type { Sysctl } from '../core/sysctl.ts';
import type { Faults } from '../link/lane.ts';

/** The way to a network that is not on the host's own link. */
export interface RoutePlan {
  /** '10.0.2.0/24' or 'fd00:0:0:2::/64' */
  readonly network: string;
  readonly gateway: string;
}

/** Where a host is: '10.0.0.1', 'fd00::1'; null for a family that its world does not speak. */
export interface HostAddress {
  readonly ipv4: string | null;
  readonly ipv6: string | null;
}

/** A host, or a router, which is a host that forwards. */
export interface HostPlan {
  readonly name: string;
  readonly router: boolean;
  /** Its own addresses; of a router those on its first network. */
  readonly address: HostAddress;
  readonly routes: readonly RoutePlan[];
  readonly sysctl: Partial<Sysctl>;
  /** Its programs use epoll with EPOLLET. */
  readonly edgeTriggered: boolean;
  /** Its initial sequence numbers lie just below 2^32, so that the numbers of most streams wrap around. */
  readonly wraps: boolean;
}

/** A cable between two parties, by their names. */
export interface CablePlan {
  readonly from: string;
  readonly to: string;
  /** Of a host's interface at either end; null at a switch. */
  readonly addresses: readonly [HostAddress | null, HostAddress | null];
  readonly mtu: number;
  readonly there: Faults;
  readonly back: Faults;
}

/** The hosts and what is between them. */
export interface NetworkPlan {
  readonly hosts: readonly HostPlan[];
  readonly switches: readonly string[];
  readonly cables: readonly CablePlan[];
  /** Super-segments and no checksums, on every cable. */
  readonly offloads: boolean;
  /** Packets the whole world may have at once; beyond it they are dropped as on a host without memory. */
  readonly packets: number | null;
}

/** What setsockopt is to change; 0 and null leave it. */
export interface SocketPlan {
  readonly noDelay: boolean;
  readonly cork: boolean;
  /** Seconds of silence before the first keepalive probe; 0 without keepalive. */
  readonly keepIdle: number;
  readonly userTimeoutMs: number;
  readonly sndBuf: number;
  readonly rcvBuf: number;
  readonly maxSeg: number;
  readonly congestion: string | null;
}

/** How an application ends its connection. */
export type Ending =
  /** shutdown(SHUT_WR) when all is written, close(2) at the end of the other's stream. */
  | 'half-close'
  /** close(2) when all is written and the other's stream has ended. */
  | 'answer'
  /** close(2) as soon as all is written: what still comes is met by a reset. */
  | 'close'
  /** SO_LINGER 0 and close(2) after `abortAfter` bytes both ways together. */
  | 'abort';

/** What the application at one end of a connection does. */
export interface EndPlan {
  /** Bytes it sends. */
  readonly bytes: number;
  /** Bytes handed to one call. */
  readonly writeSize: number;
  readonly readSize: number;
  /** After so many bytes it does something else for a while; 0 never. */
  readonly writeBurst: number;
  readonly writePauseUs: number;
  readonly readBurst: number;
  readonly readPauseUs: number;
  /** It looks at what is to be read with MSG_PEEK before it reads; it writes all but the end with MSG_MORE. */
  readonly peeks: boolean;
  readonly more: boolean;
  readonly ending: Ending;
  readonly abortAfter: number;
  /** It gives up when for so long no byte came or went. */
  readonly patienceUs: number;
  readonly socket: SocketPlan;
}

/** A stream each way between two hosts. */
export interface TransferPlan {
  readonly id: number;
  /** 'open': a client connects to a server. 'simultaneous': both connect, from fixed ports. */
  readonly kind: 'open' | 'simultaneous';
  readonly client: string;
  readonly server: string;
  readonly clientAddress: string;
  /** The server's, or that of lo; `clientAddress` is of the same family. */
  readonly address: string;
  readonly port: number;
  /** The port the client binds; 0 leaves it to the system. */
  readonly clientPort: number;
  readonly startUs: number;
  /** How often it tries to connect, and how long it waits in between. */
  readonly attempts: number;
  readonly retryUs: number;
  readonly up: EndPlan;
  readonly down: EndPlan;
}

/** A program that listens. */
export interface ServerPlan {
  readonly host: string;
  /** '0.0.0.0', or '::' for both families. */
  readonly address: string;
  readonly port: number;
  readonly backlog: number;
  /** Between two calls of accept(2). */
  readonly acceptPauseUs: number;
  /** It listens from the world's begin; the listener is closed and opened again at these times, in turn. */
  readonly toggleUs: readonly number[];
  readonly socket: SocketPlan;
}

/** Datagrams from one host to another, some of them in fragments. */
export interface ChatterPlan {
  readonly id: number;
  readonly from: string;
  readonly to: string;
  readonly address: string;
  readonly port: number;
  readonly count: number;
  readonly size: number;
  readonly everyUs: number;
}

/** What is done to the network while it is in use. Cables are named by their place in the plan. */
export type IncidentPlan =
  /** Cables are pulled and put back: the ends lose carrier. */
  | {
      readonly kind: 'pull';
      readonly atUs: number;
      readonly forUs: number;
      readonly cables: readonly number[];
    }
  /** Nothing passes any more, and nobody is told: a partition. */
  | {
      readonly kind: 'silence';
      readonly atUs: number;
      readonly forUs: number;
      readonly cables: readonly number[];
      readonly direction: 'there' | 'back' | 'both';
    }
  /** What goes wrong on a cable changes. */
  | { readonly kind: 'weather'; readonly atUs: number; readonly cable: number; readonly faults: Faults }
  /** A host loses its power and its memory. */
  | { readonly kind: 'restart'; readonly atUs: number; readonly forUs: number; readonly host: string };

/** Everything that will happen in a world. */
export interface WorldPlan {
  readonly seed: number;
  /** Nothing is done that ends a connection before its time: every transfer must finish. */
  readonly calm: boolean;
  readonly network: NetworkPlan;
  readonly servers: readonly ServerPlan[];
  readonly transfers: readonly TransferPlan[];
  readonly chatters: readonly ChatterPlan[];
  readonly incidents: readonly IncidentPlan[];
}
