import {
  EAFNOSUPPORT,
  EAGAIN,
  EALREADY,
  ECONNABORTED,
  ECONNRESET,
  EINPROGRESS,
  EINVAL,
  EISCONN,
  ENETUNREACH,
  ENOBUFS,
  ENOTCONN,
  EOPNOTSUPP,
  EPIPE,
} from '../base/errno.ts';
import { IPPROTO_TCP } from '../core/network.ts';
import { POLLHUP, POLLIN, POLLOUT, POLLRDHUP } from '../core/readiness.ts';
import { FAST_OPEN_CLIENT } from '../tcp/fast-open/fast-open.ts';
import { idleTcpInfo, type TcpInfo } from '../tcp/info.ts';
import { WRITE_GOES_ON, WRITE_ZEROCOPY } from '../tcp/send/write.ts';
import type { TcpSettings } from '../tcp/settings.ts';
import type { PortBinding, TcpEndpoint, TcpListenerEndpoint } from '../transport/tcp-layer.ts';
import { AF_INET, ANY_V4, ANY_V6, type IpAddress, LOOPBACK_V4, LOOPBACK_V6 } from '../wire/address.ts';
import {
  AF_INET6,
  AF_UNSPEC,
  MSG_ERRQUEUE,
  MSG_FASTOPEN,
  MSG_OOB,
  MSG_PEEK,
  MSG_ZEROCOPY,
  SOCK_STREAM,
  SOF_TIMESTAMPING_OPT_ID,
} from './constants.ts';
import { MessageOut } from './control.ts';
import { discoversMtu, mtuDiscoverOf, settingsTowards } from './mapped-options.ts';
import { inqControl, readNotice } from './notices.ts';
import { type Out, type Sockaddr, sockaddrOf } from './sockaddr.ts';
import { Socket, type SocketContext, type TransportSettings } from './socket.ts';
import { writeFlags } from './write-flags.ts';

/** Where connect(2) stands, Linux's SS_*: it decides what a second connect() says. */
type ConnectPhase = 'unconnected' | 'connecting' | 'connected';

/** A SOCK_STREAM socket: fresh or bound, then either a listener or one connection. */
export class TcpSocket extends Socket {
  private ownSettings: TcpSettings;
  private binding: PortBinding | null = null;
  private phase: ConnectPhase = 'unconnected';
  /** What disconnect() leaves to be told (sk_err). */
  private leftError = 0;
  listener: TcpListenerEndpoint | null = null;
  endpoint: TcpEndpoint | null = null;

  constructor(context: SocketContext, family: number) {
    super(context, family);
    this.ownSettings = family === AF_INET6 ? context.tcp.defaults6 : context.tcp.defaults;
  }

  override get type(): number {
    return SOCK_STREAM;
  }

  override get protocol(): number {
    return IPPROTO_TCP;
  }

  /** What setsockopt changes: of the connection, of the listener, or to be used by either later. */
  get settings(): TcpSettings {
    return (this.endpoint ?? this.listener)?.settings ?? this.ownSettings;
  }

  set settings(settings: TcpSettings) {
    this.ownSettings = settings;
    if (this.endpoint !== null) this.endpoint.settings = settings;
    else if (this.listener !== null) this.listener.settings = settings;
  }

  override get transport(): TransportSettings {
    return this.settings;
  }

  /** A socket that was never connected is ready to write and hung up, as Linux has it. */
  override poll(): number {
    if (this.endpoint !== null) return this.endpoint.poll();
    if (this.listener !== null) return this.listener.acceptQueueLength > 0 ? POLLIN : 0;
    return POLLOUT | POLLHUP;
  }

  override bind(address: Sockaddr): number {
    if (this.binding !== null || this.listener !== null || this.endpoint !== null) return -EINVAL;
    if (address.family === AF_UNSPEC && !address.address.isUnspecified) return -EAFNOSUPPORT;
    const { reuseAddress, reusePort } = this.options;
    if (!this.mayReach(address.address)) return -EINVAL;
    const local = address.address.toUnmapped();
    const { tcp } = this.context;
    const { freeBind } = this.options;
    const binding = tcp.bind(local, address.port, reuseAddress, reusePort, this.isDualStack, freeBind);
    if (typeof binding === 'number') return binding;
    this.binding = binding;
    return 0;
  }

  override listen(backlog: number): number {
    const { tcp } = this.context;
    if (this.listener !== null) {
      tcp.setBacklog(this.listener, backlog);
      return 0;
    }
    if (this.phase !== 'unconnected') return -EINVAL;
    const binding = this.binding ?? tcp.bind(this.any, 0, false, false, this.isDualStack);
    if (typeof binding === 'number') return binding;
    const listener = tcp.listen(binding, backlog, this.settings, this);
    if (typeof listener === 'number') {
      if (this.binding === null) binding.release();
      return listener;
    }
    this.binding = null;
    this.listener = listener;
    return 0;
  }

  override accept(peer: Out<Sockaddr> | null): TcpSocket | number {
    if (this.listener === null) return -EINVAL;
    const endpoint = this.listener.accept();
    if (endpoint === null) return -EAGAIN;
    const socket = new TcpSocket(this.context, this.family);
    socket.options = this.options;
    socket.adopt(endpoint);
    if (this.options.timestamping !== 0) endpoint.setTimestamping(this.options.timestamping);
    socket.phase = 'connected';
    if (peer !== null) {
      peer.value = sockaddrOf(this.family, endpoint.remoteAddress, endpoint.remotePort);
    }
    return socket;
  }

  override connect(address: Sockaddr): number {
    if (address.family === AF_UNSPEC) return this.disconnect();
    if (this.listener !== null || this.phase === 'connected') return -EISCONN;
    if (this.phase === 'connecting') return this.connectAgain();
    const endpoint = this.prepare(address);
    if (typeof endpoint === 'number') return endpoint;
    if (!this.settings.fastOpenConnect) {
      endpoint.open();
      return -EINPROGRESS;
    }
    if (endpoint.deferOpen()) return 0;
    endpoint.requestCookie();
    return -EINPROGRESS;
  }

  /** The way to a peer, without a word to it yet. */
  private prepare(address: Sockaddr): TcpEndpoint | number {
    if (!this.mayReach(address.address)) return -ENETUNREACH;
    const remote = hereIfAny(address.address.toUnmapped());
    const settings = settingsTowards(this, remote, this.settings);
    const endpoint = this.context.tcp.prepare(this.binding, remote, address.port, settings);
    if (typeof endpoint === 'number') return endpoint;
    this.binding = null;
    this.leftError = 0;
    this.adopt(endpoint);
    if (this.options.timestamping !== 0) endpoint.setTimestamping(this.options.timestamping);
    this.phase = 'connecting';
    return endpoint;
  }

  /** connect(2) after connect(2): how the first one went. -EALREADY while it goes on, -EISCONN before it began. */
  connectAgain(): number {
    const endpoint = this.endpoint as TcpEndpoint;
    if (endpoint.deferred) return -EISCONN;
    if (endpoint.connecting) return -EALREADY;
    const error = endpoint.takeError();
    if (error === 0 && endpoint.connected) {
      this.phase = 'connected';
      return 0;
    }
    this.dropEndpoint();
    return -(error || ECONNABORTED);
  }

  /** connect(2) with AF_UNSPEC, and shutdown(2) of a socket that listens or connects: back to the beginning. */
  private disconnect(): number {
    this.listener?.close();
    if (this.endpoint?.connected === true || this.endpoint?.connecting === true) this.leftError = ECONNRESET;
    this.endpoint?.abort();
    if (this.listener !== null) this.listener.user = null;
    this.listener = null;
    this.dropEndpoint();
    this.ready(POLLIN | POLLOUT | POLLHUP);
    return 0;
  }

  private adopt(endpoint: TcpEndpoint): void {
    endpoint.user = this;
    this.endpoint = endpoint;
  }

  private dropEndpoint(): void {
    if (this.endpoint !== null) {
      this.ownSettings = this.endpoint.settings;
      // Also gives back what a connection that was reset at once had already received.
      this.endpoint.close();
    }
    this.endpoint = null;
    this.phase = 'unconnected';
  }

  // --- Fast Open ------------------------------------------------------------------------------------------------

  /** Whether a sending call with these flags opens the connection. */
  opensWith(flags: number): boolean {
    return (flags & MSG_FASTOPEN) !== 0 || this.endpoint?.deferred === true;
  }

  /**
   * A sending call that opens the connection, up to where it would wait (Linux's tcp_sendmsg_fastopen). While the
   * handshake goes on, how many bytes went with the SYN, or -EINPROGRESS for none, -EALREADY when it had begun before;
   * 0 when the connection stands.
   */
  openFast(bytes: Uint8Array, start: number, end: number, to: Sockaddr | null, zeroCopy = false): number {
    const { sysctl } = this.context.host;
    if ((sysctl.tcp_fastopen & FAST_OPEN_CLIENT) === 0 || to?.family === AF_UNSPEC) return -EOPNOTSUPP;
    // Linux's answer for as long as the socket lives.
    if (this.endpoint?.hasRequestedCookie === true) return -EALREADY;
    if (this.listener !== null || this.phase === 'connected') return -EISCONN;
    let { endpoint } = this;
    if (endpoint === null) {
      if (to === null) return -EINVAL;
      const prepared = this.prepare(to);
      if (typeof prepared === 'number') return prepared;
      endpoint = prepared;
    } else if (!endpoint.deferred) {
      return this.connectAgain();
    }
    return endpoint.openFast(bytes, start, end, zeroCopy) || -EINPROGRESS;
  }

  /** A writer that waits during the handshake will have data to send as soon as that is done. */
  override writerWaits(): void {
    if (this.endpoint?.connecting === true) this.endpoint.writerWaits();
  }

  /** MSG_ZEROCOPY counts only with SO_ZEROCOPY. */
  isZeroCopy(flags: number): boolean {
    return (flags & MSG_ZEROCOPY) !== 0 && this.options.zeroCopy;
  }

  override send(
    bytes: Uint8Array,
    start: number,
    end: number,
    flags: number,
    to: Sockaddr | null,
    cuts: readonly number[] = [],
  ): number {
    if (this.listener !== null && to !== null) {
      const result = this.sendOnListener(this.listener, to);
      if (result < 0) return result;
    }
    if (this.opensWith(flags)) {
      const result = this.openFast(bytes, start, end, to, this.isZeroCopy(flags));
      if (result !== 0) return result;
    }
    const { endpoint } = this;
    if (endpoint === null) return -(this.takeError() || EPIPE);
    // A connecting stream takes no data (Linux), but that of the SEND which made it connect.
    if (endpoint.connecting && to === null) return -EAGAIN;
    if (endpoint.writeShut || !(endpoint.connected || endpoint.connecting)) {
      return -(endpoint.takeError() || EPIPE);
    }
    if (endpoint.connection.error !== 0) return -endpoint.takeError();
    if (end === start) return 0;
    const zeroCopy = this.isZeroCopy(flags);
    if (zeroCopy && !endpoint.mayZeroCopy) return -ENOBUFS;
    const how = writeFlags(flags) | (zeroCopy ? WRITE_ZEROCOPY : 0) | (start > 0 ? WRITE_GOES_ON : 0);
    const count = endpoint.write(bytes, start, end, how, zeroCopy && cuts.length > 0 ? cuts : null);
    return count > 0 ? count : -EAGAIN;
  }

  /** RFC 9293 section 3.10.2: SEND in LISTEN changes the passive open into an active one. */
  private sendOnListener(listener: TcpListenerEndpoint, to: Sockaddr): number {
    if (!this.mayReach(to.address)) return -ENETUNREACH;
    const endpoint = listener.connect(to.address.toUnmapped(), to.port);
    if (typeof endpoint === 'number') return endpoint;
    listener.user = null;
    this.listener = null;
    this.adopt(endpoint);
    this.phase = 'connecting';
    return 0;
  }

  override receive(
    into: Uint8Array,
    start: number,
    end: number,
    flags: number,
    from: Out<Sockaddr> | null,
  ): number {
    if ((flags & MSG_OOB) !== 0) return this.receiveUrgent(into, start, end, (flags & MSG_PEEK) !== 0);
    if ((flags & MSG_ERRQUEUE) !== 0) {
      const notice = this.endpoint?.takeNotice() ?? null;
      return notice === null ? -EAGAIN : readNotice(notice, this.family, into, start, end, flags, from);
    }
    const result = this.receiveStream(into, start, end, flags, from);
    if (result >= 0 && this.options.inq && from instanceof MessageOut)
      from.control.push(inqControl(this.endpoint));
    return result;
  }

  /** The urgent byte by itself (tcp_recv_urg). */
  private receiveUrgent(into: Uint8Array, start: number, end: number, peek: boolean): number {
    const { endpoint } = this;
    if (endpoint === null) return this.listener === null ? -EINVAL : -ENOTCONN;
    const byte = endpoint.readUrgent(peek);
    if (byte === -EAGAIN && endpoint.eof) return 0;
    if (byte < 0 || end === start) return Math.min(byte, 0);
    into[start] = byte;
    return 1;
  }

  private receiveStream(
    into: Uint8Array,
    start: number,
    end: number,
    flags: number,
    from: Out<Sockaddr> | null,
  ): number {
    const { endpoint } = this;
    // A stream tells no sender (recv(2)): the caller's address stays as it is.
    if (from !== null) from.value = null;
    if (endpoint === null) return -ENOTCONN;
    if (end === start) return 0;
    const count = endpoint.read(into, start, end, (flags & MSG_PEEK) !== 0);
    if (count > 0) return count;
    // The end of the stream comes before what happened after it.
    if (endpoint.connection.finReceived) return 0;
    const error = endpoint.takeError();
    if (error !== 0) return -error;
    if (endpoint.eof || !(endpoint.connected || endpoint.connecting)) return 0;
    return -EAGAIN;
  }

  override get isFinished(): boolean {
    return this.endpoint?.isFinished ?? super.isFinished;
  }

  /** SO_TIMESTAMPING; bytes can be numbered only once there is a connection. */
  setTimestamping(flags: number): number {
    const numbered = (flags & ~this.options.timestamping & SOF_TIMESTAMPING_OPT_ID) !== 0;
    if (numbered && (this.endpoint === null || this.endpoint.stateName === 'CLOSED')) return -EINVAL;
    this.changeOptions({ timestamping: flags });
    this.endpoint?.setTimestamping(flags);
    return 0;
  }

  override shutdown(read: boolean, write: boolean): number {
    if (this.listener !== null) return read ? this.disconnect() : 0;
    const { endpoint } = this;
    if (endpoint === null) return -ENOTCONN;
    if (endpoint.connecting) return this.disconnect();
    if (!endpoint.connected) return -ENOTCONN;
    // A connect that nobody has asked about is over with that (Linux).
    if (this.phase === 'connecting') this.phase = 'connected';
    endpoint.shutdown(read, write);
    // Whoever waits to read or to write has waited enough.
    this.ready((read ? POLLIN | POLLRDHUP : 0) | (write ? POLLOUT : 0));
    return 0;
  }

  override localName(): Sockaddr {
    const holder = this.endpoint ?? this.listener;
    if (holder !== null) return this.name(holder.localAddress, holder.localPort);
    if (this.binding !== null) return this.name(this.binding.address, this.binding.port);
    return this.name(this.any, 0);
  }

  override peerName(): Sockaddr | null {
    const { endpoint } = this;
    if (endpoint === null || !endpoint.connected) return null;
    return this.name(endpoint.remoteAddress, endpoint.remotePort);
  }

  private name(address: Sockaddr['address'], port: number): Sockaddr {
    return sockaddrOf(this.family, address, port);
  }

  /** What it is bound to when it is bound to nothing. */
  private get any(): IpAddress {
    return this.family === AF_INET6 ? ANY_V6 : ANY_V4;
  }

  override get isBound(): boolean {
    return this.binding !== null || this.listener !== null || this.endpoint !== null;
  }

  override takeError(): number {
    if (this.endpoint !== null) return this.endpoint.takeError() || this.endpoint.takeSoftError();
    const { leftError } = this;
    this.leftError = 0;
    return leftError;
  }

  override readableBytes(): number {
    return this.listener !== null ? -EINVAL : (this.endpoint?.readable ?? 0);
  }

  override get remoteFamily(): number {
    return this.endpoint?.remoteAddress.family ?? 0;
  }

  override get atMark(): boolean {
    return this.endpoint?.connection.atMark ?? false;
  }

  override outq(): number {
    return this.listener !== null ? -EINVAL : (this.endpoint?.outq ?? 0);
  }

  override outqNotSent(): number {
    return this.listener !== null ? -EINVAL : (this.endpoint?.outqNotSent ?? 0);
  }

  /** Whether a connect that began is still under way. */
  get connecting(): boolean {
    return this.endpoint?.connecting ?? false;
  }

  override get pathMtu(): number {
    return this.endpoint?.connected === true ? this.endpoint.info().pmtu : 0;
  }

  override changeTransport(change: Partial<TransportSettings>): void {
    this.settings = { ...this.settings, ...change };
  }

  /** A connection tunes its buffers unless the user has set them. */
  override bufferSize(which: 'sndBuf' | 'rcvBuf'): number {
    return this.endpoint?.connection[which] ?? this.settings[which];
  }

  override setBuffer(which: 'sndBuf' | 'rcvBuf', bytes: number): void {
    this.settings =
      which === 'sndBuf'
        ? { ...this.settings, sndBuf: bytes, sndBufLocked: true }
        : { ...this.settings, rcvBuf: bytes, rcvBufLocked: true };
  }

  override optionsChanged(): void {
    const { settings } = this;
    const { keepAlive, oobInline, recvErr, rcvLowat } = this.options;
    const dontFragment = discoversMtu(mtuDiscoverOf(this));
    const same = settings.dontFragment === dontFragment && settings.keepAlive === keepAlive;
    const sameReading = settings.oobInline === oobInline && settings.rcvLowat === rcvLowat;
    if (!same || !sameReading || settings.recvErr !== recvErr)
      this.settings = { ...settings, dontFragment, keepAlive, oobInline, recvErr, rcvLowat };
  }

  protected override release(): void {
    const { l_onoff, l_linger } = this.options.linger;
    this.binding?.release();
    this.binding = null;
    this.listener?.close();
    if (this.endpoint === null) return;
    if (l_onoff !== 0 && l_linger === 0) this.endpoint.abort();
    else this.endpoint.close();
  }

  /** After close: news of the transport still wake who waits here. */
  stay(): void {
    if (this.endpoint !== null) this.endpoint.user = this;
  }

  /** TCP_INFO. */
  info(): TcpInfo {
    const { endpoint, context, settings, listener } = this;
    return endpoint?.info() ?? idleTcpInfo(context.tcp.context, settings, listener !== null);
  }

  /** For a blocking close with SO_LINGER: nothing is left to send and our FIN is acknowledged. */
  get drained(): boolean {
    return this.endpoint?.drained ?? true;
  }

  /** After close: the transport goes on without this socket. */
  detach(): void {
    if (this.endpoint !== null) this.endpoint.user = null;
    if (this.listener !== null) this.listener.user = null;
    this.endpoint = null;
    this.listener = null;
  }
}

/** The address that is meant: 0.0.0.0 and :: as a destination are this host, as on every Unix. */
function hereIfAny(address: IpAddress): IpAddress {
  if (!address.isUnspecified) return address;
  return address.family === AF_INET ? LOOPBACK_V4 : LOOPBACK_V6;
}
