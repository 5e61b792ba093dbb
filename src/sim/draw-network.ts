import type { Rng } from '../base/rng.ts';
import type { Sysctl } from '../core/sysctl.ts';
import type { Faults } from '../link/lane.ts';
import { addressAt, drawFamilies, type Families, routesBetween } from './draw-addresses.ts';
import type { CablePlan, HostAddress, HostPlan, NetworkPlan, RoutePlan } from './world-plan.ts';

/** How many hosts a world has, beside its routers. */
const HOST_COUNTS = [2, 2, 2, 2, 3, 3, 4, 5, 6, 8, 12, 20] as const;
/** Networks in a row, each joined to the next by a router. */
const NETWORK_COUNTS = [1, 1, 1, 1, 2, 2, 3] as const;
/** The numbers of a router on the lower and on the higher one of the two networks that it joins. */
const LOW = 254;
const HIGH = 253;
const MTUS = [1500, 1500, 1500, 1500, 9000, 1280, 576] as const;
/** IPv6 does not run over less than 1280 bytes (RFC 8200 section 5). */
const MTUS_IPV6 = [1500, 1500, 1500, 1500, 9000, 1280, 1280] as const;

/** Draws hosts, switches, routers and cables, and what goes wrong on them. */
export function drawNetwork(rng: Rng, calm: boolean): NetworkPlan {
  const hostCount = rng.pick(HOST_COUNTS);
  const weather = drawWeather(rng, calm);
  const offloads = rng.chance(0.15);
  const packets = !calm && rng.chance(0.04) ? rng.between(20, 200) : null;
  const shape = { rng, calm, weather, families: drawFamilies(rng) };
  const network =
    hostCount === 2 && rng.chance(0.4)
      ? drawCable(shape)
      : drawNetworks(shape, hostCount, rng.pick(NETWORK_COUNTS));
  return { ...network, offloads, packets };
}

interface Shape {
  readonly rng: Rng;
  readonly calm: boolean;
  /** What goes wrong where an end host sends. */
  readonly weather: Faults;
  readonly families: Families;
}

type Drawn = Pick<NetworkPlan, 'hosts' | 'switches' | 'cables'>;

/** Two hosts with a cable between them. */
function drawCable(shape: Shape): Drawn {
  const { rng, families } = shape;
  const addresses = [addressAt(families, 0, 1), addressAt(families, 0, 2)] as const;
  const hosts = addresses.map((address, index) => drawHost(shape, `h${index + 1}`, address, []));
  const cable: CablePlan = {
    from: 'h1',
    to: 'h2',
    addresses,
    mtu: drawMtu(shape),
    there: { ...shape.weather, ...drawPhysics(rng, shape.calm) },
    back: { ...shape.weather, ...drawPhysics(rng, shape.calm) },
  };
  return { hosts, switches: [], cables: [cable] };
}

/** Networks in a row: each has one or two switches, and a router joins it to the next. */
function drawNetworks(shape: Shape, hostCount: number, networkCount: number): Drawn {
  const { rng, calm, families } = shape;
  const hosts: HostPlan[] = [];
  const switches: string[] = [];
  const cables: CablePlan[] = [];
  const mtus: number[] = [];
  const plain = (mtu: number): Pick<CablePlan, 'mtu' | 'there' | 'back'> => ({
    mtu,
    there: drawPhysics(rng, calm),
    back: drawPhysics(rng, calm),
  });
  for (let k = 0; k < networkCount; k++) {
    const mtu = drawMtu(shape);
    mtus.push(mtu);
    switches.push(`s${k}`);
    if (rng.chance(0.25)) {
      switches.push(`t${k}`);
      cables.push({ from: `s${k}`, to: `t${k}`, addresses: [null, null], ...plain(mtu) });
    }
  }
  for (let i = 0; i < hostCount; i++) {
    const k = i % networkCount;
    const address = addressAt(families, k, 1 + Math.floor(i / networkCount));
    const name = `h${i + 1}`;
    const mtu = mtus[k] as number;
    hosts.push(drawHost(shape, name, address, hostRoutes(families, k, networkCount)));
    const to = rng.pick(switches.filter(each => each.endsWith(String(k))));
    const physics = plain(mtu);
    // Only what an end host sends is lost, doubled or corrupted: so it happens once on each way.
    const there = { ...shape.weather, ...physics.there };
    cables.push({ from: name, to, addresses: [address, null], ...physics, there });
  }
  for (let k = 0; k + 1 < networkCount; k++) {
    const name = `r${k + 1}`;
    hosts.push({
      name,
      router: true,
      address: addressAt(families, k, LOW),
      routes: routerRoutes(families, k, networkCount),
      sysctl: { ip_forward: true, forwarding: true },
      edgeTriggered: false,
      wraps: false,
    });
    const low: CablePlan['addresses'] = [addressAt(families, k, LOW), null];
    const high: CablePlan['addresses'] = [addressAt(families, k + 1, HIGH), null];
    cables.push({ from: name, to: `s${k}`, addresses: low, ...plain(mtus[k] as number) });
    cables.push({ from: name, to: `s${k + 1}`, addresses: high, ...plain(mtus[k + 1] as number) });
  }
  return { hosts, switches, cables };
}

function drawMtu({ rng, families }: Shape): number {
  return rng.pick(families === 'IPv4' ? MTUS : MTUS_IPV6);
}

function drawHost(shape: Shape, name: string, address: HostAddress, routes: readonly RoutePlan[]): HostPlan {
  const { rng, calm } = shape;
  const sysctl = drawSysctl(rng, calm);
  return {
    name,
    router: false,
    address,
    routes,
    sysctl,
    edgeTriggered: rng.chance(0.3),
    wraps: rng.chance(0.3),
  };
}

/** From a host in network `k`: what lies behind the router at either side. */
function hostRoutes(families: Families, k: number, networkCount: number): RoutePlan[] {
  const routes: RoutePlan[] = [];
  for (let other = 0; other < networkCount; other++) {
    if (other === k) continue;
    routes.push(...routesBetween(families, other, k, other > k ? LOW : HIGH));
  }
  return routes;
}

/** From the router between networks `k` and `k + 1`: what lies behind the next routers. */
function routerRoutes(families: Families, k: number, networkCount: number): RoutePlan[] {
  const routes: RoutePlan[] = [];
  for (let other = 0; other < networkCount; other++) {
    if (other === k || other === k + 1) continue;
    routes.push(
      ...(other < k ? routesBetween(families, other, k, HIGH) : routesBetween(families, other, k + 1, LOW)),
    );
  }
  return routes;
}

/** Loss, duplicates, reordering and corruption. In a calm world they are bearable. */
export function drawWeather(rng: Rng, calm: boolean): Faults {
  const loss = rng.pick(calm ? [0, 0, 0.001, 0.01, 0.03] : [0, 0, 0.001, 0.01, 0.02, 0.05, 0.1, 0.2]);
  const burst = !calm && rng.chance(0.25);
  return {
    loss,
    ...(burst ? { burst: { enter: rng.pick([0.002, 0.01, 0.03]), leave: rng.pick([0.1, 0.3, 0.6]) } } : {}),
    duplicate: rng.pick([0, 0, 0, 0.01, 0.1]),
    reorder: rng.pick([0, 0, 0, 0.01, 0.05, 0.2]),
    reorderBehind: rng.between(1, 8),
    reorderHoldUs: rng.pick([1000, 10_000, 100_000]),
    // A corrupted ARP reply, which has no checksum, can keep a host from another for longer than TCP waits.
    corrupt: calm ? 0 : rng.pick([0, 0, 0.001, 0.01, 0.05]),
  };
}

/** Delay, jitter, rate and queue of one direction of a cable. */
function drawPhysics(rng: Rng, calm: boolean): Faults {
  const delayUs = rng.pick([0, 0, 10, 100, 1000, 1000, 10_000, 50_000, calm ? 50_000 : 200_000]);
  const rate = rng.pick([0, 0, 0, 1e9, 100e6, 10e6, calm ? 10e6 : 1e6, calm ? 10e6 : 256e3]);
  return {
    delayUs,
    jitterUs: rng.chance(0.3) ? Math.floor(delayUs / 2) : 0,
    rate,
    queueLimit: rate === 0 ? 1000 : rng.pick([calm ? 8 : 1, 16, 100, 1000]),
  };
}

/** Settings that differ from the defaults here and there. */
const HARMLESS: readonly Partial<Sysctl>[] = [
  { tcp_sack: false },
  { tcp_timestamps: 0 },
  { tcp_timestamps: 2 },
  { tcp_window_scaling: false },
  { tcp_dsack: false },
  { tcp_congestion_control: 'reno' },
  { tcp_shrink_window: true },
  { tcp_rmem: [4096, 16384, 65536] },
  { tcp_wmem: [4096, 8192, 16384] },
  { tcp_rmem: [4096, 1048576, 6291456] },
  { tcp_moderate_rcvbuf: false },
  { tcp_slow_start_after_idle: false },
  { tcp_reordering: 10 },
  // The patience with an orphan is counted in doublings of it: 80 s instead of 10.
  { tcp_rto_min_us: 20_000, tcp_orphan_retries: 11 },
  { tcp_rfc1337: true },
  { ethertype_gso_max_size: 0 },
  { ethertype_init_cwnd: 1 },
  { ethertype_ofo_ranges: 4 },
  { ethertype_txqueuelen: 4 },
  { netdev_max_backlog: 32 },
  { unres_qlen: 3 },
  // Two hosts whose questions are answered by questions (the answer uses a neighbour, too) come to rest.
  { base_reachable_time_ms: 20_000 },
  { dad_transmits: 0 },
];

/** Settings with which connections fail that could have worked. */
const HARMFUL: readonly Partial<Sysctl>[] = [
  { tcp_abort_on_overflow: true },
  { tcp_syncookies: 0 },
  // Data that overtakes the handshake's last ACK answers no cookie: it is reset, as on Linux.
  { tcp_syncookies: 2 },
  { somaxconn: 1 },
  { tcp_max_syn_backlog: 1 },
  { ethertype_time_wait_ms: 1000 },
  { tcp_max_tw_buckets: 1 },
  { tcp_tw_reuse: 1 },
  { ip_local_port_range: [40_000, 40_003] },
  { gc_thresh3: 4 },
  { netdev_max_backlog: 2 },
  { tcp_fin_timeout: 2 },
  { tcp_retries2: 4 },
  { tcp_syn_retries: 1, tcp_synack_retries: 1 },
  { tcp_orphan_retries: 1 },
  { tcp_rto_max_ms: 2000 },
  { tcp_challenge_ack_limit: 1 },
  { optimistic_dad: false },
];

function drawSysctl(rng: Rng, calm: boolean): Partial<Sysctl> {
  let sysctl: Partial<Sysctl> = {};
  for (let n = rng.pick([0, 0, 1, 2, 4]); n > 0; n--) sysctl = { ...sysctl, ...rng.pick(HARMLESS) };
  if (calm) return sysctl;
  for (let n = rng.pick([0, 0, 1, 2]); n > 0; n--) sysctl = { ...sysctl, ...rng.pick(HARMFUL) };
  return sysctl;
}
