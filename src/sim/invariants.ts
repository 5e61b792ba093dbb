/**
 * What must hold in a simulated world whatever happens to it. What a reader sees of a stream is checked where it is
 * read, in stream-end.ts.
 * @module
 */
import type { PacketPool } from '../core/pool.ts';
import type { Stack } from '../stack/stack.ts';
import { nextState, type TcpCause, type TcpState } from '../tcp/state.ts';
import { TRACE_QUEUE, TRACE_STATE, type TraceEvent } from '../trace/events.ts';
import type { TraceSink } from '../trace/sink.ts';
import { TcpEndpoint } from '../transport/tcp-layer.ts';
import type { Conversation, Side } from './conversation.ts';
import { demand, Violation } from './violation.ts';

/** Watches the events of a world: every queue within its limit, every change of state an arrow of the diagram. */
export class EventWatch implements TraceSink {
  readonly wants: number = TRACE_QUEUE | TRACE_STATE;
  /** The state of each connection, by host and addresses. */
  private readonly states = new Map<string, string>();

  emit(event: TraceEvent): void {
    if (event.type === 'queue') {
      const { host, queue, owner, length, limit } = event;
      demand(length <= limit, () => `${host}: the ${queue} queue of ${owner} has ${length} of ${limit}`);
    } else if (event.type === 'tcp:state') {
      this.follow(event);
    }
  }

  /** A host lost its memory: its connections with it. */
  forget(host: string): void {
    for (const key of [...this.states.keys()]) if (key.startsWith(`${host} `)) this.states.delete(key);
  }

  private follow(event: TraceEvent & { type: 'tcp:state' }): void {
    const { host, local, remote, from, to, cause } = event;
    const what = (): string => `${host} ${local} > ${remote}: ${from} -> ${to} (${cause})`;
    demand(
      nextState(from as TcpState, cause as TcpCause) === to,
      () => `${what()} is no arrow of the state diagram`,
    );
    if (remote === '*:*') return;
    const key = `${host} ${local} ${remote}`;
    const before = this.states.get(key) ?? 'CLOSED';
    // A connection begins CLOSED or, on the passive side, in LISTEN.
    const begins = before === 'CLOSED' && from === 'LISTEN';
    demand(before === from || begins, () => `${what()}, but it was in ${before}`);
    if (to === 'CLOSED') this.states.delete(key);
    else this.states.set(key, to);
  }
}

/** What no event tells: tables and buffers of one host within their limits. */
export function checkLimits(stack: Stack): void {
  const { host, tcp, ip, name } = stack;
  const { sysctl } = host;
  const within = (what: string, count: number, limit: number): void =>
    demand(count <= limit, () => `${name}: ${what}: ${count} of ${limit}`);
  within('TIME_WAIT entries', tcp.timeWaits.count, sysctl.tcp_max_tw_buckets);
  within('neighbours', ip.neighbors.size, sysctl.gc_thresh3);
  within('IPv6 neighbours', ip.ipv6.neighbors.size, sysctl.gc_thresh3);
  for (const netif of ip.netifs) {
    within(`ingress of ${netif.name}`, netif.ingress.length, sysctl.netdev_max_backlog);
    within(`egress of ${netif.name}`, netif.egress.length, sysctl.ethertype_txqueuelen);
  }
  for (const listener of tcp.allListeners()) {
    within('half-open connections', listener.synQueueLength, listener.backlog + 1);
    within('connections that wait for accept', listener.acceptQueueLength, listener.backlog + 1);
  }
  for (const flow of tcp.flows) {
    if (!(flow instanceof TcpEndpoint)) continue;
    const { receiveQueue, rcvBuf } = flow.connection;
    within(`${flow.local}: out-of-order ranges`, receiveQueue.rangeCount, sysctl.ethertype_ofo_ranges);
    within(`${flow.local}: receive buffer`, receiveQueue.readable, Math.max(rcvBuf, sysctl.tcp_rmem[2]));
  }
}

/** Both sides of a transfer came to an end, and what they saw of each other agrees. */
export function checkConversation(talk: Conversation, calm: boolean): void {
  const { id } = talk.plan;
  const { client, server } = talk;
  demand(client.outcome !== null, () => `transfer ${id}: the client neither ended nor reported an error`);
  if (server === null) {
    demand(!client.sawEnd, () => `transfer ${id}: the client read the end of a stream that nobody sent`);
  } else {
    demand(server.outcome !== null, () => `transfer ${id}: the server neither ended nor reported an error`);
    checkWhole(id, client, server);
    checkWhole(id, server, client);
  }
  if (!calm) return;
  const finished = client.outcome === 'finished' && server?.outcome === 'finished';
  demand(
    finished,
    () => `transfer ${id} did not finish in a calm world: ${client.outcome}, ${server?.outcome}`,
  );
}

/** Who finished has read all that the other sent, if that finished, too. */
function checkWhole(id: number, side: Side, other: Side): void {
  if (side.outcome !== 'finished') return;
  demand(side.read === other.written, () => `transfer ${id}: ${side.read} of ${other.written} bytes arrived`);
}

/** When all is over nothing is left of it. */
export function checkNothingLeft(stacks: Iterable<Stack>, pool: PacketPool): void {
  for (const stack of stacks) {
    const { host, tcp, ip, sys, name } = stack;
    const left: Record<string, number> = {
      timers: host.timers.size,
      connections: tcp.flows.size,
      'TIME_WAIT entries': tcp.timeWaits.count,
      ports: tcp.ports.size,
      listeners: [...tcp.allListeners()].length,
      blocks: tcp.context.blocks.inUse,
      'received packets': sum(ip.netifs.map(netif => netif.ingress.length)),
      'packets to send': sum(ip.netifs.map(netif => netif.egress.length)),
      'packets that wait for a neighbour': sum(
        [...ip.neighbors.list(), ...ip.ipv6.neighbors.list()].map(neighbor => neighbor.queued),
      ),
      descriptors: sys.ops.files.size,
    };
    for (const [what, count] of Object.entries(left)) {
      if (count !== 0) throw new Violation(`${name}: ${count} ${what} left`);
    }
  }
  demand(pool.inUse === 0, () => `${pool.inUse} packets left`);
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
