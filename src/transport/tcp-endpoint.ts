import { EMSGSIZE, ENOBUFS } from '../base/errno.ts';
import { type Seq, seqGe, seqLe } from '../base/seq.ts';
import type { IcmpError, IpSendOptions, Route } from '../core/network.ts';
import { POLLHUP, type ReadyListener } from '../core/readiness.ts';
import type { ModelInfo } from '../tcp/congestion/congestion.ts';
import { TcpConnection } from '../tcp/connection.ts';
import { deferOpen, openFast } from '../tcp/fast-open/active.ts';
import type { FastOpenDestination } from '../tcp/fast-open/fast-open.ts';
import { outQueue, type TcpInfo, tcpInfo } from '../tcp/info.ts';
import { mayZeroCopy, type Notice, noteZeroCopyWrite, setTimestamping, takeNotice } from '../tcp/notices.ts';
import type { OutSegment, Segment } from '../tcp/segment.ts';
import type { TcpSettings } from '../tcp/settings.ts';
import { isSynchronized } from '../tcp/state.ts';
import type { TcpOutput } from '../tcp/tcb.ts';
import { formatEndpoint, type IpAddress } from '../wire/address.ts';
import { ECT_0 } from '../wire/ecn.ts';
import type { Flow } from './flow.ts';
import type { TcpLayer } from './tcp-layer.ts';
import type { PortBinding } from './tcp-ports.ts';
import { sendSegment } from './tcp-segments.ts';

/** More bytes than any turn has; a small integer, which costs no memory of its own. */
const NO_TURNS = 0x3fffffff;
/** The most bytes that are handed down at once: what a super-segment holds. */
const BURST_MAX = 65279;
const NO_BYTES: Uint8Array = new Uint8Array(0);

/** One TCP connection with its addresses: what a socket holds, and what the flow table finds. */
export class TcpEndpoint implements Flow, TcpOutput {
  readonly localAddress: IpAddress;
  readonly localPort: number;
  readonly remoteAddress: IpAddress;
  readonly remotePort: number;
  flowHash = 0;
  /** Who is told of readiness; null for an orphan. */
  user: ReadyListener | null = null;
  readonly connection: TcpConnection;
  private readonly layer: TcpLayer;
  private readonly binding: PortBinding;
  /** The route in use. */
  path: Route;
  /** Its socket was closed, and it is not over. Written by the TCP layer. */
  orphan = false;
  private over = false;
  private ectMade: IpSendOptions | null = null;
  /** Bytes that are left of its turn at a busy interface; NO_TURNS while nobody has to take turns. */
  private turnLeft = NO_TURNS;

  constructor(
    layer: TcpLayer,
    binding: PortBinding,
    route: Route,
    localAddress: IpAddress,
    localPort: number,
    remoteAddress: IpAddress,
    remotePort: number,
    settings: TcpSettings,
    iss: Seq,
    tsOffset: number,
  ) {
    this.layer = layer;
    this.binding = binding;
    this.path = route;
    this.localAddress = localAddress;
    this.localPort = localPort;
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
    const ipHeaderLength = remoteAddress.byteLength === 4 ? 20 : 40;
    this.connection = new TcpConnection(layer.context, this, settings, iss, tsOffset, ipHeaderLength);
    this.applyRoute(route);
  }

  // --- for the socket -------------------------------------------------------------------------------------------

  get settings(): TcpSettings {
    return this.connection.settings;
  }

  /** Applies at once what changed: Nagle off flushes, keepalive on starts its timer. */
  set settings(settings: TcpSettings) {
    this.ectMade = null;
    this.connection.applySettings(settings);
  }

  /** The state's name (RFC 9293). */
  get stateName(): string {
    return this.connection.state;
  }

  /** The handshake is under way, and the connection of no use yet. */
  get connecting(): boolean {
    return this.handshaking && !this.connection.isFastOpenChild;
  }

  /** The connection may be used: the handshake is done, or goes on beside it (Fast Open); and it has not ended. */
  get connected(): boolean {
    const { state, isFastOpenChild } = this.connection;
    return (isSynchronized(state) && state !== 'TIME_WAIT') || isFastOpenChild;
  }

  /** Sends the SYN. */
  open(): void {
    this.connection.open();
  }

  /** Leaves it to the first write to send the SYN. False when no cookie is known: `openFast` asks for one. */
  deferOpen(): boolean {
    return deferOpen(this.connection, this.destination);
  }

  /** Whether the SYN waits for the first write. */
  get deferred(): boolean {
    return this.connection.fastOpen?.deferred === true;
  }

  /** Sends the SYN with what it takes of bytes[start, end), and returns how many that is. `zeroCopy`: MSG_ZEROCOPY. */
  openFast(bytes: Uint8Array, start: number, end: number, zeroCopy = false): number {
    const { connection } = this;
    const taken = openFast(connection, this.destination, bytes, start, end);
    if (taken > 0 && zeroCopy) noteZeroCopyWrite(connection, taken);
    return taken;
  }

  /** connect(2) where a cookie is not known: sends the SYN that asks for it. */
  requestCookie(): void {
    this.openFast(NO_BYTES, 0, 0);
    if (this.connection.fastOpen !== null) this.connection.fastOpen.byConnect = true;
  }

  /** Whether `requestCookie` has opened the connection. */
  get hasRequestedCookie(): boolean {
    return this.connection.fastOpen?.byConnect === true;
  }

  private get destination(): FastOpenDestination {
    const { layer, localAddress, remoteAddress } = this;
    return layer.fastOpenCache.destination(localAddress, remoteAddress, layer.ip.isLocal(remoteAddress));
  }

  /** A write waits for the handshake: its data may carry the last ACK of that. */
  writerWaits(): void {
    this.connection.writeBlocked = true;
  }

  /** poll(2)'s bits now. */
  poll(): number {
    return this.connection.poll();
  }

  /** Bytes that `read` can return now. */
  get readable(): number {
    return this.connection.readable;
  }

  /** Whether `write` takes something now. */
  get writable(): boolean {
    return this.connection.writable;
  }

  /** A read would find the end of the stream. */
  get eof(): boolean {
    return this.connection.eof;
  }

  /** Our side was shut down for writing. */
  get writeShut(): boolean {
    return this.connection.finQueued;
  }

  private get handshaking(): boolean {
    const { state } = this.connection;
    return state === 'SYN_SENT' || state === 'SYN_RCVD';
  }

  /** Bytes that are not acknowledged (SIOCOUTQ); none before the handshake is done. */
  get outq(): number {
    return this.handshaking ? 0 : outQueue(this.connection);
  }

  /** Bytes that were not sent even once (SIOCOUTQNSD). */
  get outqNotSent(): number {
    return this.handshaking ? 0 : this.connection.unsent;
  }

  /** Queues bytes[start, end); returns how many were taken, 0 when full. `flags`, `cuts`: as `write` of tcp/send/write.ts. */
  write(
    bytes: Uint8Array,
    start: number,
    end: number,
    flags: number,
    cuts: readonly number[] | null = null,
  ): number {
    return this.connection.write(bytes, start, end, flags, cuts);
  }

  /** Copies received data into into[start, end); returns how many bytes, 0 when there are none. */
  read(into: Uint8Array, start: number, end: number, peek: boolean): number {
    return this.connection.read(into, start, end, peek);
  }

  /** The urgent byte, or -errno: see TcpConnection. */
  readUrgent(peek: boolean): number {
    return this.connection.readUrgent(peek);
  }

  /** The peer's FIN has come. */
  get finReceived(): boolean {
    return this.connection.finReceived;
  }

  /** An error waits to be told, or the connection is over. */
  get isFinished(): boolean {
    const { connection } = this;
    return connection.error !== 0 || (connection.poll() & POLLHUP) !== 0;
  }

  /** The pending error (SO_ERROR), positive; clears it. */
  takeError(): number {
    return this.connection.takeError();
  }

  /** The errno of the network's last hint, or 0; clears it. */
  takeSoftError(): number {
    return this.connection.takeSoftError();
  }

  /** Whether one more write may ask for MSG_ZEROCOPY. */
  get mayZeroCopy(): boolean {
    return mayZeroCopy(this.connection);
  }

  /** SO_TIMESTAMPING. */
  setTimestamping(flags: number): void {
    setTimestamping(this.connection, flags);
  }

  /** The oldest entry of the error queue; null when it is empty. */
  takeNotice(): Notice | null {
    return takeNotice(this.connection);
  }

  /** What Nagle's rule or a cork held back goes out: TCP_NODELAY was set, be it again. */
  push(): void {
    this.connection.push();
  }

  /** TCP_QUICKACK. */
  setQuickAck(on: boolean): void {
    this.connection.setQuickAck(on);
  }

  shutdown(read: boolean, write: boolean): void {
    if (read) this.connection.readShut = true;
    if (write) this.connection.shutdownWrite();
  }

  /**
   * close(2): FIN, or RST when data is unread. The endpoint lives on without a user until TCP is done with it, unless
   * there are tcp_max_orphans of these already: then it is reset.
   */
  close(): void {
    this.user = null;
    this.connection.close();
    if (!this.over) this.layer.adoptOrphan(this);
  }

  /** RST: close(2) with SO_LINGER 0. */
  abort(): void {
    this.connection.abort();
  }

  /** Everything that was written, and our FIN, is acknowledged; or the connection has ended. */
  get drained(): boolean {
    const { connection } = this;
    return this.over || connection.finAcked;
  }

  /** TCP_CC_INFO; null when the congestion control has nothing to tell. */
  modelInfo(): ModelInfo | null {
    const { connection } = this;
    return connection.congestion.model?.info(connection) ?? null;
  }

  /** TCP_INFO. */
  info(): TcpInfo {
    return tcpInfo(this.connection);
  }

  // --- Flow -----------------------------------------------------------------------------------------------------

  segment(segment: Segment): void {
    this.connection.segment(segment);
  }

  /** RFC 5927: an ICMP error counts only when it quotes something that is in flight. */
  icmp(error: IcmpError, seq: Seq): void {
    const { connection, layer } = this;
    const oldest = connection.isFastOpenChild ? connection.iss : connection.sndUna;
    if (!(seqGe(seq, oldest) && seqLe(seq, connection.sndNxt))) {
      layer.host.mib.TcpExt.OutOfWindowIcmps++;
      return;
    }
    if (error.errno === EMSGSIZE) {
      layer.ip.learnPathMtu(this.remoteAddress, error.mtu);
      this.refreshRoute();
      connection.retransmitTooBig();
    } else {
      connection.icmpError(error.errno, connection.fastOpen?.place?.accepted === true);
    }
  }

  destroy(): void {
    this.connection.destroy();
  }

  // --- TcpOutput ------------------------------------------------------------------------------------------------

  get local(): string {
    return formatEndpoint(this.localAddress, this.localPort);
  }

  get remote(): string {
    return formatEndpoint(this.remoteAddress, this.remotePort);
  }

  isBusy(): boolean {
    const busy = this.turnLeft <= 0 || this.layer.ip.isBusy(this.path);
    if (busy) this.layer.waitForRoom(this);
    return busy;
  }

  get burstMax(): number {
    return Math.min(BURST_MAX, this.turnLeft);
  }

  /** There is room again: its turn has come to send, and it may send this many bytes. */
  resume(turnBytes: number): void {
    this.turnLeft = Math.min(turnBytes, NO_TURNS);
    this.connection.resume();
    this.turnLeft = NO_TURNS;
  }

  emit(segment: OutSegment): boolean {
    const { layer } = this;
    if (this.turnLeft !== NO_TURNS) this.turnLeft -= segment.dataLength;
    if (this.path.generation !== layer.ip.generation) this.refreshRoute(true);
    const { settings } = this.connection;
    const options = segment.ect ? this.ectOptions(settings) : settings;
    const errno = -sendSegment(layer.host, layer.ip, segment, this, this.path, options);
    if (errno === EMSGSIZE) this.applyRoute(this.path);
    return errno !== ENOBUFS;
  }

  /** What IP is asked for with ECN-capable segments: made again only when the settings change. */
  private ectOptions(settings: TcpSettings): IpSendOptions {
    if (this.ectMade === null) {
      const { ttl, tos, dontFragment, mark } = settings;
      this.ectMade = { ttl, tos: tos | ECT_0, dontFragment, mark };
    }
    return this.ectMade;
  }

  ready(mask: number): void {
    this.user?.ready(mask);
  }

  ended(timeWait: boolean): void {
    this.over = true;
    this.layer.forget(this, timeWait ? this.binding : null);
    if (!timeWait) this.binding.release();
  }

  confirmed(): void {
    this.layer.ip.neighborConfirm(this.path);
  }

  private refreshRoute(sending = false): void {
    const route = this.layer.ip.route(this.remoteAddress, this.localAddress);
    // Without a route the old one is kept: what cannot be sent is lost, and TCP waits for better times.
    if (typeof route === 'number') return;
    this.path = route;
    this.applyRoute(route, sending);
  }

  private applyRoute({ mtu, advmss, gsoMaxSize }: Route, sending = false): void {
    const { connection } = this;
    const superSegment = Math.max(gsoMaxSize - connection.ipHeaderLength - 60, 0);
    if (sending) connection.notePath(mtu, superSegment, advmss);
    else connection.setPath(mtu, superSegment, advmss);
  }
}
