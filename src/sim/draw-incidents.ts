import type { Rng } from '../base/rng.ts';
import { drawWeather } from './draw-network.ts';
import type { IncidentPlan, NetworkPlan } from './world-plan.ts';

const SECOND = 1_000_000;
/** Most of what happens, happens within this time: while there is traffic. */
const WITHIN_US = 25 * SECOND;

/** Draws what is done to the network while it is in use: nothing in a calm world. */
export function drawIncidents(rng: Rng, network: NetworkPlan, calm: boolean): IncidentPlan[] {
  if (calm) return [];
  const count = rng.pick([0, 0, 1, 2, 4]);
  const incidents = Array.from({ length: count }, () => drawIncident(rng, network));
  return incidents.sort((a, b) => a.atUs - b.atUs);
}

function drawIncident(rng: Rng, network: NetworkPlan): IncidentPlan {
  const atUs = rng.chance(0.5) ? rng.below(SECOND) : rng.below(WITHIN_US);
  const forUs = rng.pick([SECOND / 10, SECOND, 5 * SECOND, 30 * SECOND, 1200 * SECOND]);
  const cable = rng.below(network.cables.length);
  const some = network.cables.map((_, index) => index).filter(index => index === cable || rng.chance(0.3));
  // On a bare cable a host that comes back would need a second interface at the other end.
  const kinds = [
    'pull',
    'silence',
    'weather',
    ...(network.switches.length > 0 ? ['restart', 'restart'] : []),
  ];
  switch (rng.pick(kinds)) {
    case 'pull':
      return { kind: 'pull', atUs, forUs, cables: rng.chance(0.7) ? [cable] : some };
    case 'silence':
      return {
        kind: 'silence',
        atUs,
        forUs,
        cables: rng.chance(0.4) ? [cable] : some,
        direction: rng.pick(['there', 'back', 'both']),
      };
    case 'restart':
      return { kind: 'restart', atUs, forUs, host: rng.pick(network.hosts).name };
    default: {
      // Corruption only where an end host sends, as drawNetwork has it: two corrupted bits can cancel out.
      const { corrupt, ...faults } = drawWeather(rng, false);
      return { kind: 'weather', atUs, cable, faults };
    }
  }
}
