import { PacketPool } from '../../core/pool.ts';
import { DEFAULT_SYSCTL, type Sysctl } from '../../core/sysctl.ts';
import { defaultTcpSettings, type TcpSettings } from '../../tcp/settings.ts';
import { demand } from '../violation.ts';
import { Machine } from './machine.ts';
import { Party } from './party.ts';
import type { Scenario } from './scenarios.ts';
import { formatWire } from './wire-segment.ts';

/** Bytes of headers without options. */
const HEADERS = 40;
/** Initial sequence numbers; B's wrap around after two bytes. */
const ISS_A = 1000;
const ISS_B = -3;

/** Steps of a calm end after which something goes round in circles. */
const CALM_STEPS_MAX = 400;

/** What can happen next; the low bits of a choice say to whom, and to which segment under way. */
const STEP = 0;
const TIMER = 1;
const DELIVER = 2;
const DROP = 3;
const DUPLICATE = 4;
const KIND_SHIFT = 8;
const PARTY_SHIFT = 7;
const SLOT_MASK = 0x7f;

/** One thing that happens: kind, party and segment in one number. */
export type Choice = number;

/** What all replays of a scenario share. */
export interface Workshop {
  readonly scenario: Scenario;
  readonly settingsOfA: TcpSettings;
  readonly settingsOfB: TcpSettings;
  readonly machineA: Machine;
  readonly machineB: Machine;
}

/** The hosts of a scenario. */
export function createWorkshop(scenario: Scenario): Workshop {
  const sysctl = sysctlFor(scenario);
  // No packet is ever made.
  const pool = new PacketPool({ smallSlots: 4, largeSlots: 0 });
  const settings = { ...defaultTcpSettings(sysctl), congestion: 'reno', noDelay: true };
  return {
    scenario,
    settingsOfA: settings,
    settingsOfB: { ...settings, windowClamp: scenario.windowOfB },
    machineA: new Machine('A', pool, sysctl),
    machineB: new Machine('B', pool, sysctl),
  };
}

/**
 * Two hosts and the network between them, in one state that a sequence of choices has led to. Of a workshop only the
 * newest pair may be used.
 */
export class Pair {
  readonly a: Party;
  readonly b: Party;
  dropsLeft: number;
  duplicatesLeft: number;

  constructor(workshop: Workshop) {
    const { scenario } = workshop;
    const mtu = scenario.mss + HEADERS;
    const script = scenario.established ? (['connect', ...scenario.a] as const) : scenario.a;
    const a = { name: 'A', iss: ISS_A, mtu, script, settings: workshop.settingsOfA };
    const b = { name: 'B', iss: ISS_B, mtu, script: scenario.b, settings: workshop.settingsOfB };
    this.a = new Party(a, workshop.machineA);
    this.b = new Party(b, workshop.machineB);
    this.dropsLeft = scenario.drops;
    this.duplicatesLeft = scenario.duplicates;
    if (scenario.established) this.open();
  }

  /** Everything that can happen now, without the choices that come to the same. */
  choices(): Choice[] {
    const choices: Choice[] = [];
    for (const [side, party] of [this.a, this.b].entries()) {
      const at = side << PARTY_SHIFT;
      if (party.canStep) choices.push((STEP << KIND_SHIFT) | at);
      if (party.nextTimerUs !== Number.POSITIVE_INFINITY) choices.push((TIMER << KIND_SHIFT) | at);
      for (const [slot, { key }] of party.channel.entries()) {
        if (slot > SLOT_MASK || party.channel.findIndex(other => other.key === key) < slot) continue;
        choices.push((DELIVER << KIND_SHIFT) | at | slot);
        if (this.dropsLeft > 0) choices.push((DROP << KIND_SHIFT) | at | slot);
        if (this.duplicatesLeft > 0) choices.push((DUPLICATE << KIND_SHIFT) | at | slot);
      }
    }
    return choices;
  }

  /** Makes one of `choices` happen. Segments are those that its party has sent. */
  apply(choice: Choice): void {
    const party = this.partyOf(choice);
    const slot = choice & SLOT_MASK;
    switch (choice >> KIND_SHIFT) {
      case STEP:
        party.doStep();
        break;
      case TIMER:
        party.fireTimer();
        break;
      case DROP:
        this.dropsLeft--;
        party.channel.splice(slot, 1);
        break;
      default:
        this.deliver(party, slot, choice >> KIND_SHIFT === DUPLICATE);
    }
  }

  /** A choice for people, in the state in which it is about to be made. */
  describe(choice: Choice): string {
    const party = this.partyOf(choice);
    const wire = party.channel[choice & SLOT_MASK];
    const { name, iss } = party.plan;
    const peer = this.peerOf(party).plan;
    const segment = wire === undefined ? '' : ` ${name} > ${peer.name} ${formatWire(wire, iss, peer.iss)}`;
    const afterMs = (party.nextTimerUs - party.host.nowUs) / 1000;
    switch (choice >> KIND_SHIFT) {
      case STEP:
        return `${name} calls ${party.step}`;
      case TIMER:
        return `${name} ${party.nextTimerName} timer goes off after ${afterMs} ms`;
      case DELIVER:
        return `arrives${segment}`;
      case DROP:
        return `is lost${segment}`;
      default:
        return `arrives, and will arrive again${segment}`;
    }
  }

  peerOf(party: Party): Party {
    return party === this.a ? this.b : this.a;
  }

  /** From here on nothing is lost or late: what happens next then, or null when all is over. */
  calmChoice(): Choice | null {
    for (const [side, party] of [this.a, this.b].entries())
      if (party.channel.length > 0) return (DELIVER << KIND_SHIFT) | (side << PARTY_SHIFT);
    for (const [side, party] of [this.a, this.b].entries())
      if (party.canStep) return (STEP << KIND_SHIFT) | (side << PARTY_SHIFT);
    const waitA = this.a.nextTimerUs - this.a.host.nowUs;
    const waitB = this.b.nextTimerUs - this.b.host.nowUs;
    if (waitA === Number.POSITIVE_INFINITY && waitB === Number.POSITIVE_INFINITY) return null;
    return (TIMER << KIND_SHIFT) | ((waitA <= waitB ? 0 : 1) << PARTY_SHIFT);
  }

  /** Plays the calm end, noting the choices in `made`. Throws Violation when it finds none. */
  finish(made: Choice[], check: () => void): void {
    for (let choice = this.calmChoice(); choice !== null; choice = this.calmChoice()) {
      demand(made.length < CALM_STEPS_MAX, () => 'it goes on and on although nothing is lost any more');
      made.push(choice);
      this.apply(choice);
      check();
    }
  }

  private partyOf(choice: Choice): Party {
    return ((choice >> PARTY_SHIFT) & 1) === 0 ? this.a : this.b;
  }

  private deliver(from: Party, slot: number, again: boolean): void {
    const wire = from.channel[slot];
    if (wire === undefined) return;
    if (again) this.duplicatesLeft--;
    else from.channel.splice(slot, 1);
    this.peerOf(from).receive(wire);
  }

  /** A connects to B, and nothing goes wrong. */
  private open(): void {
    this.a.doStep();
    while (this.a.channel.length + this.b.channel.length > 0) {
      this.deliver(this.a, 0, false);
      this.deliver(this.b, 0, false);
    }
  }
}

function sysctlFor(scenario: Scenario): Sysctl {
  return {
    ...DEFAULT_SYSCTL,
    tcp_min_snd_mss: Math.min(scenario.mss, DEFAULT_SYSCTL.tcp_min_snd_mss),
    tcp_timestamps: 0,
    tcp_moderate_rcvbuf: false,
    // The limit counts over seconds of which the explorer knows nothing.
    tcp_challenge_ack_limit: 1_000_000,
  };
}
