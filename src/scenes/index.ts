/**
 * Scenes: small worlds that each show one thing a network does, by its events.
 * @module
 */
import { lossAndRetransmit } from './loss-and-retransmit.ts';
import type { Scene } from './scene.ts';

export { type Played, type PlayOptions, type Plot, play, type Scene, type Story } from './scene.ts';

/** Every scene, in the order in which to look at them. */
export const SCENES: readonly Scene[] = [lossAndRetransmit];
