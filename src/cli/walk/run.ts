import type { FileStore } from '../../http/files.ts';
import { turn } from '../../node/turn.ts';
import { World } from '../../sim/world.ts';
import type { TraceEvent } from '../../trace/events.ts';
import { TraceLog } from '../../trace/sink.ts';
import type { CounterGroups } from '../../view/netstat.ts';
import type { SocketRow } from '../../view/ss.ts';
import { CLIENT_NAME, PATH, SERVER_NAME, SERVER_PORT, type WalkNetwork } from './addresses.ts';
import { runCurl } from './curl-program.ts';
import { startServer } from './server-program.ts';

/** The cable between the hosts: 100 µs each way, so that the order of things can be told by their times. */
const CABLE = { delayUs: 100 };
/** TIME_WAIT is over long before; what is still armed then was forgotten. Microseconds. */
const SETTLE_US = 600_000_000;

/** What a walk left behind. */
export interface WalkResult {
  readonly network: WalkNetwork;
  readonly events: readonly TraceEvent[];
  readonly client: CounterGroups;
  readonly server: CounterGroups;
  /** The sockets of both hosts when the answer had arrived. */
  readonly clientSockets: readonly SocketRow[];
  readonly serverSockets: readonly SocketRow[];
  /** Timers armed when both hosts had nothing left to do. */
  readonly timersLeft: number;
  /** When the last thing happened, in microseconds of virtual time since the beginning. */
  readonly lastedUs: number;
}

/** Takes one request from the application to the wire and back, on virtual time. */
export async function runWalk(network: WalkNetwork, seed: number, files: FileStore): Promise<WalkResult> {
  const address = network.server;
  const log = new TraceLog();
  const world = new World({ seed, trace: log, turn, family: network.family });
  try {
    const client = world.host(CLIENT_NAME);
    const server = world.host(SERVER_NAME);
    world.connect(client, server, CABLE);
    const startUs = world.nowUs;
    const running = startServer(server.sys.as('httpd'), server.host.env, address, SERVER_PORT, files);
    // Both hosts have just announced their addresses; what follows is of the request alone.
    await world.runFor(network.bootUs);
    let sockets: Pick<WalkResult, 'clientSockets' | 'serverSockets'> = {
      clientSockets: [],
      serverSockets: [],
    };
    const request = runCurl(client.sys.as('curl', 5), { address, port: SERVER_PORT, path: PATH }, () => {
      sockets = { clientSockets: client.sockets(), serverSockets: server.sockets() };
    });
    await world.run(request);
    await world.clock.run({ untilUs: world.nowUs + SETTLE_US, until: () => world.clock.armed === 0 });
    const timersLeft = world.clock.armed;
    running.stop();
    await world.run(running.finished);
    const { events } = log;
    return {
      network,
      events,
      client: client.host.mib,
      server: server.host.mib,
      ...sockets,
      timersLeft,
      lastedUs: (events.at(-1)?.atUs ?? startUs) - startUs,
    };
  } finally {
    world.close();
  }
}
