import assert from 'node:assert/strict';
import type { Faults } from '../../src/link/lane.ts';
import { turn } from '../../src/node/turn.ts';
import { World } from '../../src/sim/world.ts';
import type { Sys } from '../../src/socket/calls.ts';
import { AF_INET, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET } from '../../src/socket/constants.ts';
import type { Stack } from '../../src/stack/stack.ts';
import { TRACE_CALL } from '../../src/trace/events.ts';
import { TraceLog } from '../../src/trace/sink.ts';

/** Where the server of these tests listens. */
export const SERVER = { address: '10.0.0.2', port: 80 };

/** Two hosts on a cable, 10.0.0.1 and 10.0.0.2, with their calls. */
export interface TcpPair {
  readonly world: World;
  readonly log: TraceLog;
  readonly a: Stack;
  readonly b: Stack;
  readonly sysA: Sys;
  readonly sysB: Sys;
  /** Runs the world for so many milliseconds. */
  run(ms: number): Promise<void>;
  /** Pulls the cable. */
  pull(): void;
}

/** The hosts have these sysctls, and the cable, if it is to have any, these faults. */
export function tcpPair(sysctl = {}, faults: Faults = {}, seed = 1): TcpPair {
  // A promise that is never settled fails its test instead of running for years of virtual time.
  const limits = { tasksPerRun: 2_000_000 };
  const log = new TraceLog(TRACE_CALL);
  const world = new World({ turn, trace: log, sysctl, limits, seed });
  const a = world.host('a');
  const b = world.host('b');
  const cable = world.connect(a, b, { delayUs: 1000, ...faults });
  return {
    world,
    log,
    a,
    b,
    sysA: a.sys,
    sysB: b.sys,
    run: ms => world.runFor(ms * 1000),
    pull: () => cable.pull(),
  };
}

/** A stream socket. */
export function stream(sys: Sys, flags = 0): number {
  const fd = sys.socket(AF_INET, SOCK_STREAM | flags);
  assert.ok(fd >= 0);
  return fd;
}

/** A listening socket. */
export function listening(sys: Sys, port = SERVER.port, backlog = 5): number {
  const fd = stream(sys);
  sys.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  assert.equal(sys.bind(fd, { address: '0.0.0.0', port }), 0);
  assert.equal(sys.listen(fd, backlog), 0);
  return fd;
}

/** A pair with a connection between them: the client's and the server's descriptor. */
export async function established(
  sysctl = {},
): Promise<TcpPair & { listener: number; client: number; server: number }> {
  const pair = tcpPair(sysctl);
  const { sysA, sysB } = pair;
  const listener = listening(sysB);
  const client = stream(sysA);
  const connected = sysA.wait.connect(client, SERVER);
  const accepted = sysB.wait.accept(listener);
  assert.equal(await pair.world.run(connected), 0);
  const server = await pair.world.run(accepted);
  assert.ok(server >= 0);
  return { ...pair, listener, client, server };
}

/** The text in a buffer. */
export function text(buffer: Uint8Array, length: number): string {
  return new TextDecoder().decode(buffer.subarray(0, length));
}
