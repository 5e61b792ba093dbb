import type { Rng } from '../base/rng.ts';
import { drawPair, loopbackOf } from './draw-addresses.ts';
import type {
  ChatterPlan,
  Ending,
  EndPlan,
  HostPlan,
  NetworkPlan,
  ServerPlan,
  SocketPlan,
  TransferPlan,
  WorldPlan,
} from './world-plan.ts';

/** Bytes of all streams of a world together: what a world costs follows from it. */
const BYTES_PER_WORLD = [100_000, 1_000_000, 2_000_000, 4_000_000, 8_000_000] as const;
const TRANSFERS_MAX = 32;
const FIRST_PORT = 5000;
const SIMULTANEOUS_PORT = 7000;
const CHATTER_PORT = 9000;
const SECOND = 1_000_000;
/** Within this time all begins. */
const BEGIN_WITHIN_US = 20 * SECOND;
/** Pauses of one application together, at most. */
const PAUSES_US = 60 * SECOND;

type Traffic = Pick<WorldPlan, 'servers' | 'transfers' | 'chatters'>;

/** Draws who talks to whom, and how. */
export function drawTraffic(rng: Rng, network: NetworkPlan, calm: boolean): Traffic {
  const hosts = network.hosts.filter(host => !host.router);
  const servers = drawServers(rng, hosts, calm);
  const count = rng.between(2, Math.min(TRANSFERS_MAX, Math.max(4, 2 * hosts.length)));
  const shares = Array.from({ length: count }, () => rng.float() ** 3 + 0.001);
  const whole = shares.reduce((sum, share) => sum + share, 0);
  const bytesOfAll = rng.pick(BYTES_PER_WORLD);
  const transfers = shares.map((share, id) => {
    const bytes = Math.floor((share / whole) * bytesOfAll);
    return drawTransfer(rng, { id, bytes, hosts, servers, calm });
  });
  return { servers, transfers, chatters: drawChatters(rng, network, hosts) };
}

function drawServers(rng: Rng, hosts: readonly HostPlan[], calm: boolean): ServerPlan[] {
  return hosts.flatMap((host, index) => {
    const count = index === 0 ? rng.between(1, 2) : rng.below(3);
    return Array.from({ length: count }, (_, n) => ({
      host: host.name,
      address: host.address.ipv6 === null ? '0.0.0.0' : '::',
      port: FIRST_PORT + n,
      backlog: calm ? 64 : rng.pick([0, 1, 2, 8, 128]),
      acceptPauseUs: rng.pick([0, 0, 0, 1000, SECOND / 4]),
      toggleUs: calm || rng.chance(0.7) ? [] : drawToggles(rng),
      socket: drawSocket(rng, calm),
    }));
  });
}

function drawToggles(rng: Rng): number[] {
  const times = Array.from({ length: rng.between(1, 6) }, () => rng.below(BEGIN_WITHIN_US));
  return times.sort((a, b) => a - b);
}

interface TransferFrame {
  readonly id: number;
  readonly bytes: number;
  readonly hosts: readonly HostPlan[];
  readonly servers: readonly ServerPlan[];
  readonly calm: boolean;
}

function drawTransfer(rng: Rng, frame: TransferFrame): TransferPlan {
  const { id, bytes, hosts, servers, calm } = frame;
  const simultaneous = !calm && rng.chance(0.06);
  const client = rng.pick(hosts);
  const target = rng.pick(servers);
  const server = simultaneous
    ? rng.pick(hosts.filter(host => host !== client))
    : (hosts.find(host => host.name === target.host) as HostPlan);
  const toItself = server === client && rng.chance(0.5);
  const [clientAddress, address] = drawPair(rng, client.address, server.address);
  const upBytes = Math.floor(bytes * rng.pick([0, 0.02, 0.5, 0.98, 1]));
  const nobody = !calm && rng.chance(0.03);
  const up = drawEnd(rng, upBytes, bytes - upBytes, calm);
  const down = drawEnd(rng, bytes - upBytes, upBytes, calm);
  // Two that wait for each other's end would wait for ever.
  const answering = up.ending === 'answer' && down.ending === 'answer';
  return {
    id,
    kind: simultaneous ? 'simultaneous' : 'open',
    client: client.name,
    server: server.name,
    clientAddress,
    address: toItself ? loopbackOf(address) : address,
    port: simultaneous ? SIMULTANEOUS_PORT + id : target.port + (nobody ? 100 : 0),
    clientPort: simultaneous
      ? SIMULTANEOUS_PORT + 100 + id
      : !calm && rng.chance(0.1)
        ? 6000 + rng.below(3)
        : 0,
    startUs: rng.chance(0.5) ? rng.below(SECOND / 10) : rng.below(BEGIN_WITHIN_US),
    attempts: calm ? 20 : rng.pick([1, 2, 5]),
    retryUs: rng.pick([1000, SECOND / 2, 5 * SECOND]),
    up: answering ? { ...up, ending: 'half-close' } : up,
    down,
  };
}

/** `expected`: bytes that will come from the other end. */
function drawEnd(rng: Rng, bytes: number, expected: number, calm: boolean): EndPlan {
  const endings: readonly Ending[] = [
    'half-close',
    'half-close',
    'half-close',
    'answer',
    'answer',
    'close',
    'abort',
  ];
  const ending = rng.pick(calm ? endings.slice(0, 5) : endings);
  const tiny = rng.pick([1, 10, 100]);
  const sizes = [512, 1460, 4096, 65_536, 1 << 20];
  const writeSize = bytes <= 200 * tiny ? tiny : rng.pick(sizes);
  const readSize = expected <= 200 * tiny ? tiny : rng.pick(sizes.slice(0, 4));
  const readsSlowly = rng.chance(0.25);
  const writesSlowly = rng.chance(0.25);
  const socket = drawSocket(rng, calm);
  return {
    bytes,
    writeSize,
    readSize,
    ...(writesSlowly ? drawPauses(rng, bytes, 'write') : { writeBurst: 0, writePauseUs: 0 }),
    ...(readsSlowly ? drawPauses(rng, expected, 'read') : { readBurst: 0, readPauseUs: 0 }),
    peeks: rng.chance(0.1),
    more: rng.chance(0.1),
    ending,
    abortAfter: rng.below(bytes + expected + 1),
    patienceUs: calm ? 1200 * SECOND : rng.pick([60, 200, 1000, 3000]) * SECOND,
    socket,
  } as EndPlan;
}

/** Bursts and pauses that together last no longer than a minute. */
function drawPauses(rng: Rng, bytes: number, what: 'read' | 'write'): Record<string, number> {
  const times = rng.pick([1, 4, 20]);
  const pauseUs = Math.min(rng.pick([1000, 50_000, SECOND, 20 * SECOND]), Math.floor(PAUSES_US / times));
  return { [`${what}Burst`]: Math.max(1, Math.ceil(bytes / times)), [`${what}PauseUs`]: pauseUs };
}

function drawSocket(rng: Rng, calm: boolean): SocketPlan {
  return {
    noDelay: rng.chance(0.3),
    cork: rng.chance(0.05),
    keepIdle: rng.chance(0.3) ? rng.between(1, 60) : 0,
    userTimeoutMs: !calm && rng.chance(0.05) ? rng.between(60_000, 600_000) : 0,
    sndBuf: rng.chance(0.15) ? rng.between(1, 100_000) : 0,
    rcvBuf: rng.chance(0.15) ? rng.between(1, 200_000) : 0,
    maxSeg: rng.chance(0.1) ? rng.between(calm ? 536 : 88, 1460) : 0,
    congestion: rng.chance(0.2) ? rng.pick(['reno', 'cubic']) : null,
  };
}

function drawChatters(rng: Rng, network: NetworkPlan, hosts: readonly HostPlan[]): ChatterPlan[] {
  // Two fragments that are corrupted can have the checksum of none.
  const corrupt = network.cables.some(
    ({ there, back }) => (there.corrupt ?? 0) > 0 || (back.corrupt ?? 0) > 0,
  );
  return Array.from({ length: rng.pick([0, 0, 0, 1, 3]) }, (_, id) => {
    const [from, to] = [rng.pick(hosts), rng.pick(hosts)];
    return {
      id,
      from: from.name,
      to: to.name,
      address: drawPair(rng, from.address, to.address)[1],
      port: CHATTER_PORT + id,
      count: rng.between(1, 30),
      size: corrupt ? rng.between(8, 500) : rng.pick([8, 100, 1472, 4000, 20_000]),
      everyUs: rng.pick([100, 20_000, SECOND]),
    };
  });
}
