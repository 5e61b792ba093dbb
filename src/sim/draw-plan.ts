import { Rng } from '../base/rng.ts';
import { drawCongestion } from './draw-congestion.ts';
import { drawIncidents } from './draw-incidents.ts';
import { drawNetwork } from './draw-network.ts';
import { drawTraffic } from './draw-traffic.ts';
import type { WorldPlan } from './world-plan.ts';

/** One world in so many is calm. */
const CALM_ONE_IN = 4;

/** The plan that follows from `seed` (0 .. 2^32-1), the same one for ever. */
export function drawPlan(seed: number): WorldPlan {
  const rng = new Rng(seed);
  const calm = rng.below(CALM_ONE_IN) === 0;
  const network = drawNetwork(rng.fork(), calm);
  const traffic = drawTraffic(rng.fork(), network, calm);
  const incidents = drawIncidents(rng.fork(), network, calm);
  return { seed, calm, network: drawCongestion(rng.fork(), network), ...traffic, incidents };
}
