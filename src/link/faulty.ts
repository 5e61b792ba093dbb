import type { Rng } from '../base/rng.ts';
import type { Env, Task } from '../core/env.ts';
import type { Link, LinkPort, Medium, Offloads } from '../core/link.ts';
import type { Packet } from '../core/packet.ts';
import type { TraceSink } from '../trace/sink.ts';
import { type Fault, type FaultCounters, type Faults, Lane } from './lane.ts';
import { traceFault } from './trace-fault.ts';

/** What `faulty` is to do, and where it reports it. */
export interface FaultyOptions {
  /** What goes wrong with frames that the port sends. */
  up?: Faults | undefined;
  /** What goes wrong with frames that the port receives. */
  down?: Faults | undefined;
  /** The link's name in fault events. Default 'link'. */
  name?: string | undefined;
  trace?: TraceSink | null | undefined;
}

/**
 * A link on which things go wrong, the same things each time for the same `rng`: loss, duplicates, reordering,
 * corruption, delay, a narrow queue, a pulled cable. A direction in which nothing is to go wrong costs a call.
 * @example
 * stack.attach(faulty(link, env, new Rng(7), { up: { loss: 0.02 }, down: { drop: (_, index) => index === 3 } }));
 */
export function faulty(link: Link, env: Env, rng: Rng, options: FaultyOptions = {}): FaultyLink {
  return new FaultyLink(link, env, rng, options);
}

/** What `faulty` returns: a link, and the hand that breaks and mends it. */
export class FaultyLink implements Link {
  readonly medium: Medium;
  readonly mtu: number;
  readonly mac: Uint8Array | null;
  readonly offloads: Offloads;
  private readonly inner: Link;
  private readonly env: Env;
  private readonly name: string;
  private readonly trace: TraceSink | null;
  private readonly up: Lane;
  private readonly down: Lane;
  private readonly carrierTask: Task;
  private port: LinkPort | null = null;
  private pulled = false;
  private closed = false;
  private innerCarrier = true;
  /** What the port knows. */
  private carrierSaid = true;

  constructor(inner: Link, env: Env, rng: Rng, options: FaultyOptions) {
    this.inner = inner;
    this.env = env;
    this.medium = inner.medium;
    this.mtu = inner.mtu;
    this.mac = inner.mac;
    this.offloads = inner.offloads;
    this.name = options.name ?? 'link';
    this.trace = options.trace ?? null;
    const report = (fault: Fault, length: number): void => this.emit(fault, length);
    this.carrierTask = env.task(() => this.sayCarrier());
    const toLink = {
      take: (packet: Packet) => inner.send(packet),
      room: () => this.port?.writable(),
      drained: () => this.closeWhenDrained(),
    };
    const toPort = {
      take: (packet: Packet) => this.deliver(packet),
      room: () => {},
      drained: () => {},
    };
    this.up = new Lane(env, rng.fork(), inner.medium, options.up ?? {}, toLink, report);
    this.down = new Lane(env, rng.fork(), inner.medium, options.down ?? {}, toPort, report);
    inner.attach({
      receive: packet => this.receive(packet),
      writable: () => this.up.resume(),
      carrier: isUp => {
        this.innerCarrier = isUp;
        this.carrierTask.wakeAt(0);
      },
    });
  }

  /** How often what happened, in each direction. */
  get counters(): { readonly up: FaultCounters; readonly down: FaultCounters } {
    return { up: this.up.counters, down: this.down.counters };
  }

  /** Changes what goes wrong from the next frame on; a direction that is not named stays as it is. */
  configure(faults: { up?: Faults; down?: Faults }): void {
    if (faults.up !== undefined) this.up.configure(faults.up);
    if (faults.down !== undefined) this.down.configure(faults.down);
  }

  /** Pulls the cable at this end: frames under way are lost, and the port loses carrier (from a task). */
  pull(): void {
    if (this.pulled) return;
    this.pulled = true;
    this.up.counters['cable-pulled']++;
    this.emit('cable-pulled', 0);
    this.up.clear();
    this.down.clear();
    this.carrierTask.wakeAt(0);
  }

  /** Puts the cable back. */
  plug(): void {
    if (!this.pulled) return;
    this.pulled = false;
    this.up.counters['cable-in']++;
    this.emit('cable-in', 0);
    this.carrierTask.wakeAt(0);
  }

  attach(port: LinkPort): void {
    this.port = port;
  }

  send(packet: Packet): boolean {
    if (this.pulled || this.closed) {
      this.up.lose(packet, 'loss');
      return true;
    }
    return this.up.offer(packet);
  }

  /** What was sent still goes out, with its delay; what is on its way in is dropped. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.carrierTask.cancel();
    this.down.close();
    this.up.flush();
    this.closeWhenDrained();
  }

  private closeWhenDrained(): void {
    if (!this.closed || this.up.length > 0) return;
    this.up.close();
    this.inner.close();
  }

  private receive(packet: Packet): void {
    if (this.pulled || this.closed) this.down.lose(packet, 'loss');
    else if (!this.down.offer(packet)) this.down.lose(packet, 'queue-full');
  }

  private deliver(packet: Packet): boolean {
    if (this.port === null) packet.release();
    else this.port.receive(packet);
    return true;
  }

  private sayCarrier(): void {
    const carrier = this.innerCarrier && !this.pulled;
    if (carrier === this.carrierSaid || this.port === null) return;
    this.carrierSaid = carrier;
    this.port.carrier(carrier);
  }

  private emit(fault: Fault, length: number): void {
    traceFault(this.trace, this.env, this.name, fault, length);
  }
}
