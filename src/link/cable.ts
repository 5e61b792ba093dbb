import { Rng } from '../base/rng.ts';
import type { Env, Task } from '../core/env.ts';
import type { Link, LinkPort, Medium, Offloads } from '../core/link.ts';
import { NO_OFFLOADS } from '../core/link.ts';
import { CHECKSUM_NONE, type Packet } from '../core/packet.ts';
import { completeChecksum } from '../core/partial-checksum.ts';
import type { FaultEvent } from '../trace/events.ts';
import type { TraceSink } from '../trace/sink.ts';
import { isTooBig, markFrame } from './frame.ts';
import { Pipe, type PipeOptions, type PipeSink } from './pipe.ts';
import { traceFault } from './trace-fault.ts';

/** What a cable is like. Delay, jitter, rate and queue limit hold for both directions unless one has its own. */
export interface CableOptions extends PipeOptions {
  /** Default 'ethernet'. */
  medium?: Medium | undefined;
  /** Bytes of the largest IP packet; a larger one is dropped, as on a real wire. Default 1500. */
  mtu?: number | undefined;
  /** The hardware addresses of the two ends; random ones when not given. */
  macs?: readonly [Uint8Array, Uint8Array] | undefined;
  /**
   * Work that the ends need not do, as on a virtual cable between two hosts of one machine. Default none: packets
   * are cut and checksums computed and verified as on a real wire. With offloads frames may arrive whose checksum
   * was never computed: a host or switch in between must have the same offloads on all its cables.
   */
  offloads?: Partial<Offloads> | undefined;
  /** From the first end to the second. */
  there?: PipeOptions | undefined;
  /** From the second end to the first. */
  back?: PipeOptions | undefined;
  /** The cable's name in fault events. Default 'cable'. */
  name?: string | undefined;
  trace?: TraceSink | null | undefined;
}

/** The default MTU of Ethernet, in bytes (RFC 894). */
export const ETHERNET_MTU = 1500;

/**
 * A cable between two ends. It never delivers from inside `send`: packets travel, themselves and not as copies,
 * through a task of `env`. An end that was closed leaves its peer without carrier once the wire is empty.
 * @example
 * const [a, b] = createCable(env, { delayUs: 10_000, rate: 100e6 });
 */
export function createCable(env: Env, options: CableOptions = {}): [CableEnd, CableEnd] {
  return new Cable(env, options).ends;
}

/** What the two ends of a cable share. */
export class Cable {
  readonly ends: [CableEnd, CableEnd];
  readonly name: string;
  private readonly env: Env;
  private readonly trace: TraceSink | null;
  private isPlugged = true;

  constructor(env: Env, options: CableOptions) {
    this.env = env;
    this.name = options.name ?? 'cable';
    this.trace = options.trace ?? null;
    const rng = new Rng(randomWord(env));
    this.ends = [
      new CableEnd(this, env, options, 0, rng.fork()),
      new CableEnd(this, env, options, 1, rng.fork()),
    ];
  }

  /** Whether it is plugged in. */
  get plugged(): boolean {
    return this.isPlugged;
  }

  /** Pulls the cable: what is on the wire is lost, both ports lose carrier (from a task). */
  pull(): void {
    if (!this.isPlugged) return;
    this.isPlugged = false;
    this.emit('cable-pulled', 0);
    for (const end of this.ends) end.loseFlight();
    for (const end of this.ends) end.carrierChanged();
  }

  /** Puts the cable back. */
  plug(): void {
    if (this.isPlugged) return;
    this.isPlugged = true;
    this.emit('cable-in', 0);
    for (const end of this.ends) end.carrierChanged();
  }

  /** Closes both ends. */
  close(): void {
    for (const end of this.ends) end.close();
  }

  emit(fault: FaultEvent['fault'], length: number): void {
    traceFault(this.trace, this.env, this.name, fault, length);
  }
}

/** One end of a cable. */
export class CableEnd implements Link {
  readonly medium: Medium;
  readonly mtu: number;
  readonly mac: Uint8Array | null;
  readonly offloads: Offloads;
  readonly cable: Cable;
  /** Frames that this end sent and the other end's port got. */
  delivered = 0;
  /** Frames that this end sent into a long queue and that were marked. */
  marked = 0;
  /** Frames that this end sent and nobody got: too big, cable pulled, or no port at the other end. */
  dropped = 0;
  private readonly carrierTask: Task;
  private readonly pipe: Pipe;
  private port: LinkPort | null = null;
  private isClosed = false;
  /** What the port knows. */
  private carrierSaid = true;

  constructor(cable: Cable, env: Env, options: CableOptions, side: 0 | 1, rng: Rng) {
    this.cable = cable;
    this.medium = options.medium ?? 'ethernet';
    this.mtu = options.mtu ?? ETHERNET_MTU;
    this.mac = this.medium === 'ip' ? null : (options.macs?.[side] ?? randomMac(env));
    this.offloads = { ...NO_OFFLOADS, ...options.offloads };
    this.carrierTask = env.task(() => this.sayCarrier());
    const direction = side === 0 ? options.there : options.back;
    this.pipe = new Pipe(env, rng, { ...options, ...direction }, this.sink(), false);
  }

  /** Whether this end was closed. */
  get closed(): boolean {
    return this.isClosed;
  }

  /** Whether the other end was closed: nothing comes from there again. */
  get peerClosed(): boolean {
    return this.peer.isClosed;
  }

  /** Frames that this end has sent and that wait for the line. */
  get queued(): number {
    return this.pipe.queued;
  }

  /** Whether the other end can be reached. */
  get carrier(): boolean {
    const { peer } = this;
    // A closed peer is there until the last of what it sent has arrived.
    return this.cable.plugged && !this.isClosed && (!peer.isClosed || peer.pipe.length > 0);
  }

  attach(port: LinkPort): void {
    this.port = port;
    this.carrierChanged();
  }

  send(packet: Packet): boolean {
    if (this.isClosed || this.peer.isClosed || !this.cable.plugged) return this.drop(packet, 'drop');
    if (isTooBig(packet, this.medium, this.mtu, this.offloads.gsoMaxSize))
      return this.drop(packet, 'too-big');
    if (this.pipe.full()) return false;
    // With the offload a checksum that is not there yet stays so: whoever sends the packet on must know.
    if (!this.offloads.checksum) {
      // A wire carries bytes, not what is known of them.
      completeChecksum(packet);
      packet.checksumState = CHECKSUM_NONE;
    }
    packet.mark = 0;
    this.pipe.push(packet);
    return true;
  }

  /** Changes delay, jitter, rate and queue limit for what this end sends from now on. */
  configure(physics: PipeOptions): void {
    this.pipe.configure(physics);
  }

  /** What this end has sent still arrives, then the peer loses carrier; what is on its way to this end is dropped. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.carrierTask.cancel();
    this.peer.loseFlight();
    if (this.peer.isClosed) {
      this.pipe.close();
      this.peer.pipe.close();
    } else {
      this.peer.carrierChanged();
    }
  }

  /** Drops what this end has on the wire. */
  loseFlight(): void {
    this.dropped += this.pipe.clear();
  }

  /** Tells the port, from a task, when the carrier is not what it was told last. */
  carrierChanged(): void {
    if (this.carrier !== this.carrierSaid) this.carrierTask.wakeAt(0);
  }

  private get peer(): CableEnd {
    const [first, second] = this.cable.ends;
    return this === first ? second : first;
  }

  private sink(): PipeSink {
    return {
      take: packet => {
        const { peer } = this;
        if (peer.isClosed || peer.port === null) {
          this.dropped++;
          packet.release();
        } else {
          this.delivered++;
          peer.port.receive(packet);
        }
        return true;
      },
      mark: packet => {
        if (!markFrame(packet, this.medium)) return;
        this.marked++;
        this.cable.emit('mark', packet.length);
      },
      room: () => this.port?.writable(),
      drained: () => {
        if (this.isClosed) this.peer.carrierChanged();
      },
    };
  }

  private drop(packet: Packet, fault: 'drop' | 'too-big'): true {
    this.dropped++;
    this.cable.emit(fault, packet.length);
    packet.release();
    return true;
  }

  private sayCarrier(): void {
    if (this.carrier === this.carrierSaid || this.isClosed || this.port === null) return;
    this.carrierSaid = this.carrier;
    this.port.carrier(this.carrierSaid);
  }
}

/** A random unicast MAC address of the range for local use (IEEE 802: the second bit of the first byte). */
export function randomMac(env: Env): Uint8Array {
  const mac = new Uint8Array(6);
  env.fillRandom(mac);
  mac[0] = 0x02;
  return mac;
}

function randomWord(env: Env): number {
  const bytes = new Uint8Array(4);
  env.fillRandom(bytes);
  return new DataView(bytes.buffer).getUint32(0);
}
