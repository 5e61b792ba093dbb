/**
 * What a scene is, and how it is played: a small world in virtual time, and what its events tell.
 * @module
 */
import { World } from '../sim/world.ts';
import type { TraceEvent } from '../trace/events.ts';
import { TraceLog, traceTo } from '../trace/sink.ts';

/** One lesson of the network, played by real hosts in virtual time. */
export interface Scene {
  /** As the command line takes it: 'slow-start'. */
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** What to look at: a few sentences, before the events. */
  readonly look: string;
  /** Names of the hosts at the left, and at the right, with what to say of them: 'client 10.0.0.1'. */
  readonly hosts: readonly [left: string, right: string];
  /** Whether an event is shown at the left, and a packet from left to right; by default those of the left host. */
  readonly isLeft?: (event: TraceEvent) => boolean;
  /** Builds hosts and cables; returns what then happens on them. */
  readonly build: (world: World) => () => Promise<unknown>;
  /** What the events tell. */
  readonly tell: (events: readonly TraceEvent[]) => Story;
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
  /** Whether ARP is shown; otherwise it is in the events alone. */
  readonly showsArp?: boolean;
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
  /** A macrotask turn of the event loop: `turn` of node/turn.ts or web/turn.ts. */
  readonly turn: () => Promise<void>;
}

/** How long the hosts are up before the scene begins, in microseconds: their announcements are no part of it. */
const BOOT_US = 1_000_000;
/** Every timer of a scene is over by then, in microseconds after the end of its programs. */
const SETTLE_US = 600_000_000;

/** Plays a scene to its end. */
export async function play(scene: Scene, { seed = 1, turn }: PlayOptions): Promise<Played> {
  const log = new TraceLog();
  let recording = false;
  const trace = traceTo(event => {
    if (recording) log.emit(event);
  });
  const world = new World({ seed, turn, trace });
  try {
    const program = scene.build(world);
    await world.runFor(BOOT_US);
    recording = true;
    const startUs = world.nowUs;
    await world.run(program());
    const { clock } = world;
    await clock.run({ untilUs: world.nowUs + SETTLE_US, until: () => clock.armed === 0 });
    recording = false;
    const { events } = log;
    return {
      events,
      startUs,
      story: scene.tell(events),
      timersLeft: clock.armed,
      packetsLeft: world.pool.inUse,
    };
  } finally {
    recording = false;
    world.close();
  }
}
