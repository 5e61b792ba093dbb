/**
 * Which connection a packet of a script, or a packet of ours, belongs to.
 * @module
 */
import { ACK, RST, SYN } from '../wire/tcp.ts';
import { Flow } from './flow.ts';
import type { Segment } from './segment.ts';
import type { PacketSpec, TcpSpec } from './syntax.ts';

/** The connections of a script. */
export interface Flows {
  /** The connection that a packet from the peer belongs to, made ready for it; a string says why there is none. */
  inbound(packet: PacketSpec): Flow | string;
  /** The connection that an expected packet of ours belongs to; a string says why there is none. */
  outbound(packet: TcpSpec): Flow | string;
  /** The connection that a segment of ours belongs to; null when the script does not know it. */
  ownerOf(live: Segment): Flow | null;
  /** Learns from the first part of what is expected: our initial sequence number, our port. */
  learn(flow: Flow, live: Segment, spec: TcpSpec): void;
  /** How a line about this connection begins. */
  tagOf(flow: Flow): string;
  /** The connection to tell about when something went wrong; null when there is none. */
  readonly current: Flow | null;
  /** The port that connect() goes to. */
  readonly connectPort: number;

  // --- what calls did; descriptors are the script's ---
  socket(fd: number): void;
  listen(fd: number): void;
  connecting(fd: number): void;
  disconnected(fd: number): void;
  /** False when no connection was there to accept. */
  accepted(fd: number): boolean;
  /** The descriptor whose tcpi_* are looked at; -1: that of a connection without one. Null: no socket at all. */
  readonly fdForCode: number | null;
}

type SocketState = 'new' | 'listening' | 'passive' | 'synAckSent' | 'connecting' | 'synSent' | 'open';

/** A socket as packetdrill follows it. */
interface Followed {
  state: SocketState;
  fd: number;
  flow: Flow | null;
  accepted: boolean;
}

/** The first port that a peer who connects to us comes from. */
const FIRST_PEER_PORT = 50_001;

/** Packetdrill's way: one socket is under test at a time, the one made last; what others send is not looked at. */
export class SocketUnderTest implements Flows {
  readonly connectPort: number;
  private readonly bindPort: number;
  /** The newest first. */
  private readonly sockets: Followed[] = [];
  private underTest: Followed | null = null;
  private nextPort = FIRST_PEER_PORT;

  constructor(bindPort: number, connectPort: number) {
    this.bindPort = bindPort;
    this.connectPort = connectPort;
  }

  get current(): Flow | null {
    return this.underTest?.flow ?? null;
  }

  get fdForCode(): number | null {
    return this.underTest === null ? null : this.underTest.fd;
  }

  inbound(packet: PacketSpec): Flow | string {
    if (packet.kind === 'icmp') return this.current ?? 'no matching socket for script packet';
    const under = this.underTest;
    if (under === null || under.state === 'listening') return this.newPassive(packet);
    const { flow } = under;
    if (flow === null) return 'no matching socket for script packet';
    if (under.state === 'synAckSent' && (packet.flags & ACK) !== 0) under.state = 'open';
    if (under.state === 'synSent' && (packet.flags & SYN) !== 0) {
      if ((packet.flags & ACK) !== 0) under.state = 'open';
      flow.remote.script = flow.remote.live = packet.seq;
    }
    return flow;
  }

  private newPassive(packet: TcpSpec): Flow {
    const flow = new Flow(this.nextPort++, this.bindPort, { script: packet.seq, live: packet.seq });
    this.follow({ state: 'passive', fd: -1, flow, accepted: false });
    return flow;
  }

  private follow(socket: Followed): void {
    this.sockets.unshift(socket);
    this.underTest = socket;
  }

  outbound(packet: TcpSpec): Flow | string {
    const under = this.underTest;
    if (under === null) return 'no matching socket for script packet';
    if (under.state === 'connecting' && (packet.flags & (SYN | ACK)) === SYN) under.state = 'synSent';
    return under.flow ?? 'no matching socket for script packet';
  }

  ownerOf(live: Segment): Flow | null {
    const { flow, state } = this.underTest ?? { flow: null, state: 'new' };
    if (flow === null || live.destination !== flow.remotePort) return null;
    if (live.source === flow.localPort) return flow;
    const opens = state === 'synSent' && (live.flags & (SYN | ACK)) === SYN;
    return opens && !this.sockets.some(other => other.flow?.localPort === live.source) ? flow : null;
  }

  learn(flow: Flow, live: Segment, spec: TcpSpec): void {
    const under = this.underTest;
    const handshake = live.flags & spec.flags & (SYN | ACK);
    if (under?.state === 'synSent' && handshake === SYN) {
      flow.localPort = live.source;
      flow.learn(live, spec);
    } else if (under?.state === 'passive' && (spec.flags & (SYN | ACK)) === (SYN | ACK)) {
      under.state = 'synAckSent';
      flow.learn(live, spec);
    }
  }

  tagOf(): string {
    return '';
  }

  socket(fd: number): void {
    this.follow({ state: 'new', fd, flow: null, accepted: false });
  }

  listen(fd: number): void {
    const socket = this.find(fd);
    if (socket !== undefined) socket.state = 'listening';
  }

  connecting(fd: number): void {
    const socket = this.find(fd);
    if (socket?.state !== 'new') return;
    socket.state = 'connecting';
    socket.flow = new Flow(this.connectPort, 0);
  }

  disconnected(fd: number): void {
    const socket = this.find(fd);
    if (socket !== undefined) socket.state = 'new';
  }

  accepted(fd: number): boolean {
    const waiting = this.sockets.find(
      ({ state, fd, accepted, flow }) =>
        !accepted && fd < 0 && flow !== null && (state === 'synAckSent' || state === 'open'),
    );
    if (waiting === undefined) return false;
    waiting.fd = fd;
    waiting.accepted = true;
    return true;
  }

  private find(fd: number): Followed | undefined {
    return this.sockets.find(socket => socket.fd === fd);
  }
}

/** Peer number n has port PEER_PORT + n. */
const PEER_PORT = 50_000;

/** The house's way: several peers, by number; every packet must be expected. */
export class NumberedPeers implements Flows {
  readonly connectPort = PEER_PORT + 1;
  private readonly bindPort: number;
  private readonly isn: number;
  private readonly peers = new Map<number, Flow>();
  private last: Flow | null = null;
  /** The connection that was made last; tcpi_* are its values. */
  private fd = -1;

  constructor(bindPort: number, isn: number) {
    this.bindPort = bindPort;
    this.isn = isn >>> 0;
  }

  get current(): Flow | null {
    return this.last;
  }

  get fdForCode(): number {
    return this.fd;
  }

  /** The port of peer `number`. */
  static portOf(number: number): number {
    return PEER_PORT + number;
  }

  private peer(number: number): Flow {
    let flow = this.peers.get(number);
    if (flow === undefined) {
      flow = new Flow(PEER_PORT + number, this.bindPort, { script: 0, live: this.isn });
      this.peers.set(number, flow);
    }
    this.last = flow;
    return flow;
  }

  inbound({ tags }: PacketSpec): Flow {
    const flow = this.peer(tags.peer);
    if (tags.isn !== null) flow.restart(tags.isn);
    return flow;
  }

  outbound({ tags }: TcpSpec): Flow {
    return this.peer(tags.peer);
  }

  ownerOf(live: Segment): Flow | null {
    return this.peers.get(live.destination - PEER_PORT) ?? null;
  }

  /** Our initial sequence number and port show in our first segment, or in a SYN. */
  learn(flow: Flow, live: Segment, spec: TcpSpec): void {
    if (!flow.localKnown && (spec.flags & RST) === 0) {
      flow.localPort = live.source;
      flow.learn(live, spec);
    }
    if ((live.flags & (SYN | ACK)) === SYN) flow.localPort = live.source;
  }

  tagOf(flow: Flow): string {
    return flow.remotePort === PEER_PORT + 1 ? '' : `[peer ${flow.remotePort - PEER_PORT}] `;
  }

  socket(): void {}
  listen(): void {}
  disconnected(): void {}

  connecting(fd: number): void {
    this.fd = fd;
  }

  accepted(fd: number): boolean {
    this.fd = fd;
    return true;
  }
}
