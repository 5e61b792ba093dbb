/**
 * What a scene is, and how it is played: a small world in virtual time, and what its events tell.
 * @module
 */
import { World } from '../sim/world.ts';
import type { TraceEvent } from '../trace/events.ts';
import { TraceLog, traceTo } from '../trace/sink.ts';
import { SCENE_NETWORK4, SCENE_NETWORK6, type SceneNetwork } from './scene-network.ts';

/** One lesson of the network, played by real hosts in virtual time. */
export interface Scene {
  /** As the command line takes it: 'slow-start'. */
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** What to look at: a few sentences, before the events. */
  readonly look: string;
  /** The same over IPv6, when it is something else. */
  readonly look6?: string;
  /** Names of the hosts at the left, and at the right: the first and the second of the world. */
  readonly hosts: readonly [left: string, right: string];
  /** Their addresses, when they are not those of the network. */
  readonly addresses?: readonly [left: string, right: string];
  /** What is played over IPv6 instead, where that is another story. */
  readonly overIpv6?: Scene;
  /** Whether an event is shown at the left, and a packet from left to right; by default those of the left host. */
  readonly isLeft?: (event: TraceEvent) => boolean;
  /** Builds hosts and cables; returns what then happens on them. */
  readonly build: (world: World, network: SceneNetwork) => () => Promise<unknown>;
  /** What the events tell. */
  readonly tell: (events: readonly TraceEvent[], network: SceneNetwork) => Story;
}

/** What the events of a scene tell. Everything here is computed from the events. */
export interface Story {
  /** What was seen, in one or two sentences. */
  readonly seen: string;
  /** The events that matter, each with what it shows. */
  readonly notes: ReadonlyMap<TraceEvent, string>;
  /** Events that are counted instead of shown, of those that would be shown; events with a note always are. */
  readonly folds?: (event: TraceEvent) => boolean;
  /** Whether events are shown with the port that tells connections apart. */
  readonly ports?: boolean;
  /** Whether ARP or neighbour discovery is shown; otherwise it is in the events alone. */
  readonly showsNeighbors?: boolean;
  /** A line to draw. */
  readonly plot?: Plot;
}

/** A line to draw: a value over time. */
export interface Plot {
  readonly title: string;
  /** The unit of the values. */
  readonly unit: string;
  /** Microseconds since the beginning of the scene, and the value from then on; in the order of time. */
  readonly points: readonly (readonly [atUs: number, value: number])[];
}

/** A scene that was played. */
export interface Played {
  readonly network: SceneNetwork;
  readonly events: readonly TraceEvent[];
  /** When it began, in microseconds since the Unix epoch. */
  readonly startUs: number;
  readonly story: Story;
  /** Timers armed, and packets held, when nothing was left to do. */
  readonly timersLeft: number;
  readonly packetsLeft: number;
}

/** What a scene is played with. */
export interface PlayOptions {
  /** Everything random follows from it. Default 1. */
  readonly seed?: number;
  /** Over IPv6. Default: over IPv4. */
  readonly ipv6?: boolean;
  /** A macrotask turn of the event loop: `turn` of node/turn.ts or web/turn.ts. */
  readonly turn: () => Promise<void>;
}

/** Every timer of a scene is over by then, in microseconds after the end of its programs. */
const SETTLE_US = 600_000_000;

/** Plays a scene to its end. Over IPv6 it is `overIpv6` that is to be played, if there is one. */
export async function play(scene: Scene, { seed = 1, ipv6 = false, turn }: PlayOptions): Promise<Played> {
  const network = ipv6 ? SCENE_NETWORK6 : SCENE_NETWORK4;
  const log = new TraceLog();
  let recording = false;
  const trace = traceTo(event => {
    if (recording) log.emit(event);
  });
  const world = new World({ seed, turn, trace, family: network.family });
  try {
    const program = scene.build(world, network);
    await world.runFor(network.bootUs);
    recording = true;
    const startUs = world.nowUs;
    await world.run(program());
    const { clock } = world;
    await clock.run({ untilUs: world.nowUs + SETTLE_US, until: () => clock.armed === 0 });
    recording = false;
    const { events } = log;
    return {
      network,
      events,
      startUs,
      story: scene.tell(events, network),
      timersLeft: clock.armed,
      packetsLeft: world.pool.inUse,
    };
  } finally {
    recording = false;
    world.close();
  }
}
