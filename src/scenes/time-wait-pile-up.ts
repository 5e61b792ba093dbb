import { EADDRNOTAVAIL } from '../base/errno.ts';
import { calls, duration, Notes, outside, states } from './observe.ts';
import { connect, introduce, listen, must, readAll, sleep } from './programs.ts';
import type { Scene } from './scene.ts';

/** A client with four ports to connect from; Linux has 28,232. */
const PORTS = [40_000, 40_003] as const;

/** A client that opens and closes one connection after the other. */
export const timeWaitPileUp: Scene = {
  name: 'time-wait-pile-up',
  summary: 'who closes first keeps the port for a minute; a busy client runs out',
  look:
    'The client opens a connection, closes it, and opens the next. Who closes first stays in TIME_WAIT for 60 ' +
    's (2 MSL): a late segment of the old connection must not get into a new one with the same addresses and ' +
    'ports. This client has only four ports, so the fifth connection fails with EADDRNOTAVAIL, though nothing ' +
    'is wrong. After a minute the ports are free. Or, with tcp_tw_reuse = 1, after a second: timestamps tell ' +
    'old segments from new (RFC 6191).',
  hosts: ['client', 'server'],

  build(world, network) {
    const client = world.host('client', { sysctl: { ip_local_port_range: PORTS } });
    const server = world.host('server');
    world.connect(client, server, { delayUs: 1_000 });
    introduce(client, server);

    const serve = async () => {
      const { sys } = server;
      const listener = listen(sys, network.any);
      for (;;) {
        const fd = await sys.wait.accept(listener);
        if (fd < 0) return;
        await readAll(sys, fd);
        sys.close(fd);
      }
    };
    const visit = async (): Promise<void> => {
      const { sys } = client;
      const fd = await connect(sys, network.server);
      if (fd === -EADDRNOTAVAIL) return;
      sys.close(must(fd));
      await sleep(sys, 10);
    };
    return async () => {
      void serve();
      for (let i = 0; i < 5; i++) await visit(); // four ports: the fifth fails
      await sleep(client.sys, 61_000);
      for (let i = 0; i < 5; i++) await visit(); // and again, after a minute
      client.host.sysctl.tcp_tw_reuse = 1;
      await sleep(client.sys, 1_500);
      await visit();
    };
  },

  tell(events) {
    const notes = new Notes();
    const waits = states(events, 'client', 'TIME_WAIT');
    notes.put(waits[0], 'The client has closed first: its port is taken for a minute.');
    const connects = calls(events, 'client', 'connect');
    const failed = connects.filter(({ result }) => result === -EADDRNOTAVAIL);
    notes.put(failed[0], 'All four ports are in TIME_WAIT.');
    const [over] = states(events, 'client', 'CLOSED').filter(({ from }) => from === 'TIME_WAIT');
    notes.put(over, '2 MSL are over: the port is free.');
    notes.put(
      connects.at(-1),
      'With tcp_tw_reuse = 1: a port in TIME_WAIT is taken over, since a newer timestamp is proof enough.',
    );
    const good = connects.filter(({ result }) => result === 0).length;
    const others = outside(events, waits[0], connects.at(-1));
    const shown = ['poll', 'connect'];
    return {
      notes,
      folds: event => !others(event) && !(event.type === 'call' && shown.includes(event.name)),
      ports: true,
      seen:
        `${good} of ${connects.length} connections were made from ${PORTS[1] - PORTS[0] + 1} ports; ` +
        `${failed.length} ` +
        `failed with EADDRNOTAVAIL. A port was in TIME_WAIT for ` +
        `${duration((over?.atUs ?? 0) - (waits[0]?.atUs ?? 0))}, ` +
        `the last one was used again after ${duration((connects.at(-1)?.atUs ?? 0) - (failed.at(-1)?.atUs ?? 0))}.`,
    };
  },
};
