import type { Rng } from '../base/rng.ts';
import type { Sysctl } from '../core/sysctl.ts';
import type { Faults } from '../link/lane.ts';
import type { NetworkPlan } from './world-plan.ts';

/** What a host may do about congestion that differs from the defaults. */
const MANNERS: readonly Partial<Sysctl>[] = [
  { tcp_congestion_control: 'bbr' },
  { tcp_congestion_control: 'bbr', tcp_ecn: 1 },
  { tcp_ecn: 1 },
  { tcp_ecn: 1, tcp_ecn_fallback: false },
  { tcp_ecn: 0 },
  { default_qdisc: 'fq' },
  { default_qdisc: 'fq', tcp_ecn: 1, tcp_congestion_control: 'reno' },
  {},
];

/** In half of the worlds hosts have BBR, ECN or pacing, and cables mark instead of letting their queues grow. */
export function drawCongestion(rng: Rng, network: NetworkPlan): NetworkPlan {
  if (rng.chance(0.5)) return network;
  const hosts = network.hosts.map(host =>
    host.router ? host : { ...host, sysctl: { ...host.sysctl, ...rng.pick(MANNERS) } },
  );
  const marks = rng.chance(0.7);
  const cables = network.cables.map(cable => ({
    ...cable,
    there: drawMarks(rng, cable.there, marks),
    back: drawMarks(rng, cable.back, marks),
  }));
  return { ...network, hosts, cables };
}

/** A threshold where there is a queue, and now and then a mark that nobody can explain. */
function drawMarks(rng: Rng, faults: Faults, marks: boolean): Faults {
  const { rate = 0, queueLimit = 0 } = faults;
  const markAt = rate > 0 && marks ? Math.max(1, Math.floor(queueLimit / rng.pick([1, 2, 8]))) : 0;
  const mark = marks && rng.chance(0.1) ? rng.pick([0.01, 0.2]) : 0;
  return { ...faults, markAt, mark };
}
