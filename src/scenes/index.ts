/**
 * Scenes: small worlds that each show one thing a network does, by its events.
 * @module
 */
import { delayedAckAndNagle } from './delayed-ack-and-nagle.ts';
import { lossAndRetransmit } from './loss-and-retransmit.ts';
import { outOfOrder } from './out-of-order.ts';
import type { Scene } from './scene.ts';
import { slowStart } from './slow-start.ts';
import { zeroWindow } from './zero-window.ts';

export { type Played, type PlayOptions, type Plot, play, type Scene, type Story } from './scene.ts';

/** Every scene, in the order in which to look at them. */
export const SCENES: readonly Scene[] = [
  lossAndRetransmit,
  outOfOrder,
  zeroWindow,
  delayedAckAndNagle,
  slowStart,
];
