import { SHUT_WR } from '../socket/constants.ts';
import { calls, duration, Notes, states } from './observe.ts';
import { connect, introduce, listen, must, sleep } from './programs.ts';
import type { Scene } from './scene.ts';

const HOUR_MS = 3_600_000;

/** Two clients whose server never closes: the one has closed its socket, the other only its sending half. */
export const finWait2Stuck: Scene = {
  name: 'fin-wait-2-stuck',
  summary: 'the peer does not close: a minute after close(), for ever after shutdown()',
  look:
    'The server never closes. One client calls close(): nobody can read what might still come, so the system ' +
    'gives the peer a minute (tcp_fin_timeout) in FIN_WAIT_2 and then forgets the connection. The other calls ' +
    'shutdown(SHUT_WR): "I have no more to say, but I listen". That is a half-closed connection, good for as ' +
    'long as the program wants, and it stays in FIN_WAIT_2 until the program closes it.',
  hosts: ['client', 'server'],

  build(world, network) {
    const client = world.host('client');
    const server = world.host('server');
    world.connect(client, server, { delayUs: 5_000 });
    introduce(client, server);

    const serve = async () => {
      const { sys } = server;
      const listener = listen(sys, network.any);
      for (let i = 0; i < 2; i++) must(await sys.wait.accept(listener)); // and never close()
    };
    const closes = async () => {
      client.sys.close(must(await connect(client.sys, network.server)));
    };
    const shutsDown = async () => {
      const { sys } = client;
      const fd = must(await connect(sys, network.server));
      must(sys.shutdown(fd, SHUT_WR));
      await sleep(sys, HOUR_MS);
      sys.close(fd);
    };
    return () => Promise.all([serve(), closes(), shutsDown()]);
  },

  tell(events) {
    const notes = new Notes();
    const [closed] = calls(events, 'client', 'close');
    notes.put(closed, 'The first client: close(). The descriptor is gone, the connection is not.');
    const [half] = calls(events, 'client', 'shutdown');
    notes.put(half, 'The second: shutdown(). It keeps its descriptor and may read on.');
    const [first, second] = states(events, 'client', 'FIN_WAIT_2');
    notes.put(second, 'Both FINs are acknowledged. The server could answer with its own, but does not.');
    const ends = states(events, 'client', 'CLOSED');
    const endOf = (connection: typeof first) => ends.find(({ local }) => local === connection?.local);
    notes.put(endOf(first), 'The connection without an owner is forgotten: tcp_fin_timeout.');
    notes.put(
      calls(events, 'client', 'close')[1],
      'After an hour the other closes, too, and has a minute from here.',
    );
    const lasted = (connection: typeof first): string =>
      duration((endOf(connection)?.atUs ?? 0) - (connection?.atUs ?? 0));
    return {
      notes,
      ports: true,
      seen:
        `In FIN_WAIT_2: the closed connection for ${lasted(first)}, the half-closed one for ${lasted(second)}, ` +
        'of which the program wanted an hour.',
    };
  },
};
