import type { PacketPool } from '../core/pool.ts';
import type { Faults } from '../link/lane.ts';
import type { LearningSwitch } from '../link/switch.ts';
import type { Stack } from '../stack/stack.ts';
import type { TraceSink } from '../trace/sink.ts';
import { IpAddress, parseCidr } from '../wire/address.ts';
import { PREFIX_IPV4, PREFIX_IPV6 } from './draw-addresses.ts';
import { demand } from './violation.ts';
import { type Connection, World } from './world.ts';
import type { CablePlan, HostPlan, IncidentPlan, WorldPlan } from './world-plan.ts';

/** A host of the plan: the one that runs now, or the one that crashed last. */
export interface Machine {
  readonly plan: HostPlan;
  stack: Stack;
  up: boolean;
}

/** Told when a machine begins to run, and just before it crashes. */
export interface MachineListener {
  booted(machine: Machine): void;
  crashing(machine: Machine): void;
}

/** Tasks at one instant: beyond it two parties wake each other endlessly. */
const TASKS_AT_ONE_INSTANT = 500_000;

/** Of 32 random bits so many are dropped: what is left is how many bytes before 2^32 a sequence begins. */
const WRAP_WITHIN_BITS = 15;

/** A world made from a plan: it can be broken and mended as the plan's incidents say. */
export class PlannedWorld {
  readonly world: World;
  readonly machines = new Map<string, Machine>();
  private readonly plan: WorldPlan;
  private readonly listener: MachineListener;
  private readonly switches = new Map<string, LearningSwitch>();
  /** By their place in the plan. */
  private readonly cables: Connection[] = [];
  /** What a cable does when nothing special is done to it. */
  private readonly faults: { there: Faults; back: Faults }[] = [];
  /** How many incidents hold a cable pulled, or silent, at present. */
  private readonly pulled: number[] = [];
  private readonly silent: { there: number; back: number }[] = [];

  /** `pool` is used unless the plan has one of its own. */
  constructor(plan: WorldPlan, pool: PacketPool, trace: TraceSink | null, listener: MachineListener) {
    this.plan = plan;
    this.listener = listener;
    const { packets } = plan.network;
    this.world = new World({
      seed: plan.seed,
      pool: packets === null ? pool : { smallSlots: packets, largeSlots: 2, overflowPackets: 0 },
      trace,
      limits: { tasksAtOneInstant: TASKS_AT_ONE_INSTANT },
    });
  }

  /** Builds everything, starts the machines and arranges the incidents. */
  begin(): void {
    const { world, plan } = this;
    const offloads = plan.network.offloads ? { gsoMaxSize: 65535, checksum: true } : {};
    for (const name of plan.network.switches) this.switches.set(name, world.switch(name, { offloads }));
    for (const host of plan.network.hosts) {
      const stack = world.host(host.name, { address: null, sysctl: host.sysctl });
      this.machines.set(host.name, { plan: host, stack, up: true });
    }
    plan.network.cables.forEach((cable, index) => {
      this.faults[index] = { there: cable.there, back: cable.back };
      this.pulled[index] = 0;
      this.silent[index] = { there: 0, back: 0 };
      this.lay(cable, index);
    });
    for (const machine of this.machines.values()) this.boot(machine);
    for (const incident of plan.incidents) this.arrange(incident);
  }

  /** Calls `run` so many microseconds from now. */
  after(us: number, run: () => void): void {
    this.world.clock
      .env(0)
      .task(run)
      .wakeAt(this.world.nowUs + us);
  }

  private lay(cable: CablePlan, index: number): void {
    const { from, to, addresses, mtu } = cable;
    const party = (name: string): Stack | LearningSwitch =>
      this.switches.get(name) ?? (this.machines.get(name) as Machine).stack;
    this.cables[index] = this.world.connect(party(from), party(to), {
      addresses: [cidrOf(addresses[0]?.ipv4, PREFIX_IPV4), cidrOf(addresses[1]?.ipv4, PREFIX_IPV4)],
      addresses6: [cidrOf(addresses[0]?.ipv6, PREFIX_IPV6), cidrOf(addresses[1]?.ipv6, PREFIX_IPV6)],
      ...(this.plan.network.offloads ? { offloads: { gsoMaxSize: 65535, checksum: true } } : {}),
      mtu,
      ...this.faults[index],
      name: `${from}-${to}`,
    });
    if ((this.pulled[index] as number) > 0) this.cables[index]?.pull();
    this.applyFaults(index);
  }

  private boot(machine: Machine): void {
    machine.up = true;
    const { tcp, host } = machine.stack;
    if (machine.plan.wraps) tcp.chooseIss = () => -(host.random32() >>> WRAP_WITHIN_BITS);
    for (const { network, gateway } of machine.plan.routes) {
      const cidr = parseCidr(network);
      const via = IpAddress.parse(gateway);
      demand(cidr !== null && via !== null, () => `${network} via ${gateway} is no route`);
      const result = machine.stack.ip.routes.add({
        destination: cidr.address,
        prefixLength: cidr.prefixLength,
        gateway: via,
      });
      demand(result === 0, () => `the route to ${network} via ${gateway} was refused: ${result}`);
    }
    this.listener.booted(machine);
  }

  // --- incidents --------------------------------------------------------------------------------------------------

  private arrange(incident: IncidentPlan): void {
    this.after(incident.atUs, () => this.happen(incident));
  }

  private happen(incident: IncidentPlan): void {
    switch (incident.kind) {
      case 'pull':
        for (const cable of incident.cables) this.hold(cable, 1);
        this.after(incident.forUs, () => {
          for (const cable of incident.cables) this.hold(cable, -1);
        });
        return;
      case 'silence':
        this.silence(incident, 1);
        this.after(incident.forUs, () => this.silence(incident, -1));
        return;
      case 'weather': {
        const faults = this.faults[incident.cable] as { there: Faults; back: Faults };
        this.faults[incident.cable] = {
          there: { ...faults.there, ...incident.faults },
          back: { ...faults.back, ...incident.faults },
        };
        this.applyFaults(incident.cable);
        return;
      }
      case 'restart':
        this.restart(incident);
    }
  }

  private hold(cable: number, by: 1 | -1): void {
    const held = (this.pulled[cable] as number) + by;
    this.pulled[cable] = held;
    if (held > 0) this.cables[cable]?.pull();
    else this.cables[cable]?.plug();
  }

  private silence(incident: IncidentPlan & { kind: 'silence' }, by: 1 | -1): void {
    for (const cable of incident.cables) {
      const silent = this.silent[cable] as { there: number; back: number };
      if (incident.direction !== 'back') silent.there += by;
      if (incident.direction !== 'there') silent.back += by;
      this.applyFaults(cable);
    }
  }

  private applyFaults(index: number): void {
    const { there, back } = this.faults[index] as { there: Faults; back: Faults };
    const silent = this.silent[index] as { there: number; back: number };
    this.cables[index]?.configure({
      there: silent.there > 0 ? { ...there, loss: 1 } : there,
      back: silent.back > 0 ? { ...back, loss: 1 } : back,
    });
  }

  private restart({ host, forUs }: IncidentPlan & { kind: 'restart' }): void {
    const machine = this.machines.get(host) as Machine;
    if (!machine.up) return;
    machine.up = false;
    this.listener.crashing(machine);
    this.world.crash(machine.stack);
    this.after(forUs, () => {
      machine.stack = this.world.reboot(machine.stack);
      this.plan.network.cables.forEach((cable, index) => {
        if (cable.from === host || cable.to === host) this.lay(cable, index);
      });
      this.boot(machine);
    });
  }
}

function cidrOf(address: string | null | undefined, prefixLength: number): string | undefined {
  return address === null || address === undefined ? undefined : `${address}/${prefixLength}`;
}
