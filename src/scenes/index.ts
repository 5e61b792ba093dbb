/**
 * Scenes: small worlds that each show one thing a network does, by its events.
 * @module
 */
import { acceptQueueOverflow } from './accept-queue-overflow.ts';
import { arp } from './arp.ts';
import { cablePulled } from './cable-pulled.ts';
import { closeWaitPileUp } from './close-wait-pile-up.ts';
import { delayedAckAndNagle } from './delayed-ack-and-nagle.ts';
import { finWait2Stuck } from './fin-wait-2-stuck.ts';
import { fragmentation } from './fragmentation.ts';
import { listenToSynSent } from './listen-to-syn-sent.ts';
import { lossAndRetransmit } from './loss-and-retransmit.ts';
import { outOfOrder } from './out-of-order.ts';
import type { Scene } from './scene.ts';
import { simultaneousClose } from './simultaneous-close.ts';
import { simultaneousOpen } from './simultaneous-open.ts';
import { slowStart } from './slow-start.ts';
import { stickyPackets } from './sticky-packets.ts';
import { synFlood } from './syn-flood.ts';
import { timeWaitPileUp } from './time-wait-pile-up.ts';
import { zeroWindow } from './zero-window.ts';

export { type Played, type PlayOptions, type Plot, play, type Scene, type Story } from './scene.ts';

/** Every scene, in the order in which to look at them. */
export const SCENES: readonly Scene[] = [
  arp,
  fragmentation,
  lossAndRetransmit,
  outOfOrder,
  zeroWindow,
  delayedAckAndNagle,
  slowStart,
  stickyPackets,
  simultaneousOpen,
  simultaneousClose,
  listenToSynSent,
  synFlood,
  acceptQueueOverflow,
  closeWaitPileUp,
  finWait2Stuck,
  timeWaitPileUp,
  cablePulled,
];
