/**
 * What users of the stack import, as far as it needs no runtime. The entry points node/index.ts and web/index.ts add
 * the environment, and the World that goes with it.
 * @module
 */
export { Rng } from './base/rng.ts';
export { VERSION } from './base/version.ts';
export type { Env, Task } from './core/env.ts';
export type { Hook, HookPoint } from './core/hook.ts';
export type { Link, LinkPort, Medium, Offloads } from './core/link.ts';
export type { Mib } from './core/mib.ts';
export type { NameResolver } from './core/name-resolver.ts';
export type { Packet } from './core/packet.ts';
export { PacketPool, type PoolLimits } from './core/pool.ts';
export { DEFAULT_SYSCTL, type Sysctl } from './core/sysctl.ts';
export type { Dhcp6Server } from './dhcp/dhcp6-server.ts';
export type { DhcpClientOptions, Ipv4Settings } from './dhcp/ipv4-configuration.ts';
export type { DhcpLease } from './dhcp/lease.ts';
export type { TableEntry as ServerLease } from './dhcp/lease-table.ts';
export type { DhcpServer } from './dhcp/server.ts';
export type { DhcpServerOptions } from './dhcp/server-plan.ts';
export type { Dhcp6ServerOptions } from './dhcp/services.ts';
export { type BackoffLimits, DEFAULT_BACKOFF } from './link/backoff.ts';
export { type Cable, type CableEnd, type CableOptions, createCable } from './link/cable.ts';
export { type CaptureListener, capture } from './link/capture.ts';
export { type FaultyLink, type FaultyOptions, faulty } from './link/faulty.ts';
export type { BurstLoss, Fault, FaultCounters, Faults } from './link/lane.ts';
export { Loopback } from './link/loopback.ts';
export type { PipeOptions } from './link/pipe.ts';
export { createRemoteLink, type RemoteLink, type RemoteLinkOptions } from './link/remote.ts';
export type { Framing, RemoteEvents, RemoteOpener, RemoteTransport } from './link/remote-transport.ts';
export { LearningSwitch, type SwitchOptions } from './link/switch.ts';
export { createWebSocketLink, type WebSocketLike, type WebSocketLinkOptions } from './link/web-socket.ts';
export { createStreamLink, type StreamLinkOptions, type StreamPair } from './link/web-streams.ts';
export type { AdvertiseOptions } from './net/router-advertiser.ts';
export {
  ClockLimitError,
  type ClockLimits,
  VIRTUAL_EPOCH_US,
  VirtualClock,
  type VirtualClockOptions,
} from './sim/clock.ts';
export { TraceHash } from './sim/trace-hash.ts';
export type {
  Connection as WorldConnection,
  ConnectOptions as WorldConnectOptions,
  HostOptions,
  WorldOptions,
} from './sim/world.ts';
export { HostNotFoundError, type SocketAddress } from './socket/api/address.ts';
export type { ConnectOptions } from './socket/api/connect.ts';
export type { Datagram, DatagramSocket, UdpOptions } from './socket/api/datagram.ts';
export { SocketError } from './socket/api/errors.ts';
export { ConnectError } from './socket/api/happy-eyeballs.ts';
export type { BoundAddress, Listener, ListenOptions } from './socket/api/listen.ts';
export type { SocketInfo, TcpSocketStream } from './socket/api/tcp-stream.ts';
export {
  type ByteSource,
  type Delimiter,
  encodeDelimited,
  encodeLengthPrefixed,
  FramingError,
  type LengthPrefix,
  readDelimited,
  readLengthPrefixed,
} from './socket/framing.ts';
export type { RouterOptions } from './stack/router-options.ts';
export type { SocketRow } from './stack/sockets.ts';
export { type AttachOptions, Stack, type StackOptions } from './stack/stack.ts';
export {
  formatPingEvent,
  formatPingHeading,
  formatPingStatistics,
  type PingHeading,
} from './tools/format-ping.ts';
export {
  formatTracerouteHeading,
  formatTracerouteHop,
  type TracerouteHeading,
} from './tools/format-traceroute.ts';
export {
  type Ping,
  type PingError,
  type PingEvent,
  type PingOptions,
  type PingReply,
  type PingRequest,
  ping,
} from './tools/ping.ts';
export type { PingStatistics, RoundTrips } from './tools/ping-statistics.ts';
export {
  type Traceroute,
  type TracerouteAnswer,
  type TracerouteHop,
  type TracerouteOptions,
  traceroute,
} from './tools/traceroute.ts';
export * from './trace/events.ts';
export { TraceLog, type TraceSink, traceTee, traceTo } from './trace/sink.ts';
export { formatMac, IpAddress, parseCidr, parseMac } from './wire/address.ts';
