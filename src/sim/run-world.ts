import { PacketPool } from '../core/pool.ts';
import type { Stack } from '../stack/stack.ts';
import { type TraceSink, traceTee } from '../trace/sink.ts';
import { Opener, Server } from './applications.ts';
import { type Machine, type MachineListener, PlannedWorld } from './build-world.ts';
import { Hearer, Talker } from './chatter.ts';
import { ClockLimitError } from './clock.ts';
import { Conversation, type Outcome } from './conversation.ts';
import { EventLoop } from './event-loop.ts';
import { checkConversation, checkLimits, checkNothingLeft, EventWatch } from './invariants.ts';
import { Pattern } from './pattern.ts';
import type { AppContext, StreamEnd } from './stream-end.ts';
import { demand, Violation } from './violation.ts';
import type { WorldPlan } from './world-plan.ts';

/**
 * Within so many microseconds of virtual time everything is over. Much for the timers of TCP, but with a fifth of the
 * packets lost a megabyte can take hours.
 */
const OVER_WITHIN_US = 100 * 3600e6;
/** Where nothing bad happens it is over within this time. */
const CALM_OVER_WITHIN_US = 3600e6;
/** A client whose host is down when it is to begin looks again after this time. */
const LOOK_AGAIN_US = 1_000_000;
/** Turns of an event loop between two looks at what no event tells. */
const TURNS_PER_CHECK = 32;
/** The largest datagram, and the largest read. */
const BUFFER = 65_536;

/** What became of a world. */
export interface WorldResult {
  readonly seed: number;
  readonly hosts: number;
  /** Connections that two applications talked over. */
  readonly connections: number;
  /** Bytes of streams that were read, and compared. */
  readonly bytes: number;
  readonly virtualSeconds: number;
  /** How often which side of a transfer ended how. */
  readonly outcomes: Readonly<Partial<Record<Outcome, number>>>;
  readonly ok: boolean;
  /** What must not happen and did; only when `ok` is false. */
  readonly violation?: string;
}

/** What worlds can share, so that the next one does not make it anew. */
export interface Workshop {
  pool: PacketPool;
  readonly pattern: Pattern;
  readonly buffer: Uint8Array;
}

/** Makes what `runWorld` works with; one is enough for any number of worlds, one after the other. */
export function createWorkshop(): Workshop {
  return { pool: new PacketPool(), pattern: new Pattern(), buffer: new Uint8Array(BUFFER) };
}

/** Plays a plan from its begin to the end of the last timer, in virtual time, and says whether all invariants held. */
export function runWorld(plan: WorldPlan, workshop: Workshop, trace: TraceSink | null = null): WorldResult {
  const run = new Run(plan, workshop, trace);
  let violation: string | null = null;
  try {
    run.play();
  } catch (error) {
    violation = describe(error);
    // What a broken world holds is not for the next one.
    workshop.pool = new PacketPool();
  }
  return { ...run.result(), ok: violation === null, ...(violation === null ? {} : { violation }) };
}

function describe(error: unknown): string {
  if (error instanceof Violation || error instanceof ClockLimitError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** The programs of one host, from its boot to its end. */
interface Programs {
  readonly app: AppContext;
  readonly servers: Server[];
  readonly ends: Set<StreamEnd>;
  readonly openers: Set<Opener>;
}

class Run implements MachineListener {
  private readonly plan: WorldPlan;
  private readonly workshop: Workshop;
  private readonly planned: PlannedWorld;
  private readonly watch = new EventWatch();
  private readonly programs = new Map<Machine, Programs>();
  private readonly talks: Conversation[];
  private readonly startUs: number;
  /** Every client has come to an end: servers need not wait for more. */
  private allOver = false;

  constructor(plan: WorldPlan, workshop: Workshop, trace: TraceSink | null) {
    this.plan = plan;
    this.workshop = workshop;
    const sink = trace === null ? this.watch : traceTee(trace, this.watch);
    this.planned = new PlannedWorld(plan, workshop.pool, sink, this);
    this.talks = plan.transfers.map(transfer => new Conversation(transfer));
    this.startUs = this.planned.world.nowUs;
  }

  play(): void {
    const { plan, planned } = this;
    const { world } = planned;
    planned.begin();
    for (const talk of this.talks) {
      planned.after(talk.plan.startUs, () => this.beginTransfer(talk, true));
      if (talk.plan.kind === 'simultaneous') {
        planned.after(talk.plan.startUs, () => this.beginTransfer(talk, false));
      }
    }
    this.finishIfOver();
    world.clock.runUntilIdle(plan.calm ? CALM_OVER_WITHIN_US : OVER_WITHIN_US);
    for (const talk of this.talks) checkConversation(talk, plan.calm);
    for (const { app, ends } of this.programs.values()) {
      demand(ends.size === 0, () => `${ends.size} accepted connections neither ended nor reported an error`);
      app.loop.stop();
    }
    checkNothingLeft(this.stacks(), world.pool);
    world.close();
    demand(world.clock.armed === 0, () => `${world.clock.armed} tasks are armed after all was closed`);
    demand(world.pool.inUse === 0, () => `${world.pool.inUse} packets left after all was closed`);
  }

  result(): Omit<WorldResult, 'ok' | 'violation'> {
    const { plan } = this;
    const sides = this.talks.flatMap(talk => [talk.client, ...(talk.server === null ? [] : [talk.server])]);
    const outcomes: Partial<Record<Outcome, number>> = {};
    for (const { outcome } of sides) if (outcome !== null) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    return {
      seed: plan.seed,
      hosts: plan.network.hosts.length,
      connections: this.talks.filter(talk => talk.server !== null && talk.client.local !== '').length,
      bytes: sides.reduce((total, side) => total + side.read, 0),
      virtualSeconds: (this.planned.world.nowUs - this.startUs) / 1e6,
      outcomes,
    };
  }

  // --- machines -----------------------------------------------------------------------------------------------------

  booted(machine: Machine): void {
    const { stack, plan } = machine;
    this.watch.forget(plan.name);
    if (plan.router) return;
    const loop = new EventLoop(stack, plan.edgeTriggered);
    const ends = new Set<StreamEnd>();
    const app: AppContext = {
      loop,
      pattern: this.workshop.pattern,
      buffer: this.workshop.buffer,
      calm: this.plan.calm,
      ended: end => {
        if (end !== null) ends.delete(end);
        this.finishIfOver();
      },
      identify: (id, local, remote) => this.identify(id, local, remote),
    };
    let turns = 0;
    loop.onTurn = () => {
      if (turns++ % TURNS_PER_CHECK === 0) checkLimits(stack);
    };
    const programs: Programs = { app, servers: [], ends, openers: new Set() };
    this.programs.set(machine, programs);
    if (!this.allOver) this.startServers(machine, programs);
    this.startChatters(machine, app);
  }

  crashing(machine: Machine): void {
    const programs = this.programs.get(machine);
    if (programs === undefined) return;
    this.programs.delete(machine);
    programs.app.loop.stop();
    for (const end of programs.ends) end.crash();
    for (const opener of programs.openers) opener.crash();
    this.finishIfOver();
  }

  private startServers(machine: Machine, programs: Programs): void {
    for (const plan of this.plan.servers) {
      if (plan.host !== machine.plan.name) continue;
      programs.servers.push(new Server(programs.app, plan, this.startUs, end => programs.ends.add(end)));
    }
  }

  /** Datagrams are sent once: a host that comes back has nothing to say, and hears no more. */
  private startChatters(machine: Machine, app: AppContext): void {
    if (this.planned.world.nowUs > this.startUs) return;
    for (const plan of this.plan.chatters) {
      if (plan.to === machine.plan.name) new Hearer(app, plan);
      if (plan.from === machine.plan.name) new Talker(app, plan);
    }
  }

  private stacks(): Stack[] {
    return [...this.planned.machines.values()].map(machine => machine.stack);
  }

  // --- transfers ----------------------------------------------------------------------------------------------------

  private beginTransfer(talk: Conversation, isClient: boolean): void {
    const { plan } = talk;
    const machine = this.planned.machines.get(isClient ? plan.client : plan.server) as Machine;
    const programs = this.programs.get(machine);
    if (programs === undefined) {
      this.planned.after(LOOK_AGAIN_US, () => this.beginTransfer(talk, isClient));
      return;
    }
    const opener = new Opener(programs.app, talk, isClient, end => programs.ends.add(end));
    programs.openers.add(opener);
    opener.open();
  }

  /** Finds the transfer a client spoke of, and checks that it is the one at the other end of this connection. */
  private identify(id: number, local: string, remote: string): Conversation {
    const talk = this.talks[id];
    demand(talk !== undefined, () => `${local} read the number ${id} from ${remote}: no transfer has it`);
    const { client } = talk;
    demand(
      client.local === remote || talk.plan.kind === 'simultaneous',
      () =>
        `transfer ${id} came from ${remote} to ${local}, but its client is at ${client.local || 'no address'}`,
    );
    return talk;
  }

  private finishIfOver(): void {
    if (this.allOver || this.talks.some(talk => !isOver(talk))) return;
    this.allOver = true;
    for (const { servers } of [...this.programs.values()]) for (const server of servers) server.finish();
  }
}

/** The client has nothing more to ask of a server. */
function isOver(talk: Conversation): boolean {
  return talk.client.outcome !== null;
}
