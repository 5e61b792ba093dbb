import { calls, drops, duration, Notes, outside, queue, retransmits, states } from './observe.ts';
import { connect, introduce, listen, must, sleep } from './programs.ts';
import type { Scene } from './scene.ts';

/** listen(fd, 2): the accept queue holds one more than the backlog (as on Linux). */
const BACKLOG = 2;

/** A server that does not call accept(). */
export const acceptQueueOverflow: Scene = {
  name: 'accept-queue-overflow',
  summary: 'a server slow to accept(): first ACKs are dropped, then SYNs',
  look:
    'The kernel finishes handshakes by itself and puts the connections into the accept queue, where they wait ' +
    'for accept(). The program is busy elsewhere, and the queue holds three. The fourth client gets its ' +
    'SYN-ACK and believes it is connected, but its ACK is dropped: for the server the handshake is not over. ' +
    'The fifth comes when the queue is full: its SYN is dropped, and it tries again after a second, as if the ' +
    'network had lost it.',
  hosts: ['client', 'server'],

  build(world, network) {
    const client = world.host('client');
    const server = world.host('server');
    world.connect(client, server, { delayUs: 5_000 });
    introduce(client, server);

    const serve = async () => {
      const { sys } = server;
      const listener = listen(sys, network.any, BACKLOG);
      await sleep(sys, 2_500); // busy elsewhere
      for (let i = 0; i < 5; i++) sys.close(must(await sys.wait.accept(listener)));
      sys.close(listener);
    };
    const call = async (afterMs: number) => {
      const { sys } = client;
      await sleep(sys, afterMs);
      const fd = must(await connect(sys, network.server));
      await sys.wait.recv(fd, new Uint8Array(1)); // the server has nothing to say, and closes
      sys.close(fd);
    };
    return () => Promise.all([serve(), call(10), call(20), call(30), call(35), call(500)]);
  },

  tell(events) {
    const notes = new Notes();
    const sizes = queue(events, 'server', 'accept');
    notes.put(
      sizes.find(({ length }) => length > BACKLOG),
      'The accept queue is full.',
    );
    const dropped = drops(events, 'server', 'TCP_LISTEN_OVERFLOW');
    const fourth = states(events, 'client', 'ESTABLISHED')[3];
    notes.put(fourth, 'The fourth client believes that it is connected ...');
    notes.put(dropped[0], '... but the server has no place for it and drops its ACK.');
    notes.put(
      retransmits(events, 'server', 'syn-ack')[0],
      'So the server repeats the SYN-ACK until there is a place.',
    );
    notes.put(
      dropped.find(({ atUs }) => atUs >= (events[0]?.atUs ?? 0) + 500_000),
      'The fifth: already its SYN is dropped.',
    );
    const again = retransmits(events, 'client', 'syn');
    const [accepted] = calls(events, 'server', 'accept');
    notes.put(accepted, 'The program accepts: the queue has places again.');
    const waits = calls(events, 'client', 'connect').map(({ waitedUs }) => waitedUs);
    const wait = Math.max(...waits);
    notes.put(again[0], 'Nobody said no: the client takes the SYN for lost.');
    return {
      notes,
      folds: outside(events, undefined, accepted),
      ports: true,
      seen:
        `Four clients were connected within ${duration(Math.max(...waits.filter(us => us < wait)))}, as far as ` +
        `they could see; the fifth waited ` +
        `${duration(wait)} and sent its SYN ${1 + again.length} times. ${dropped.length} segments were ` +
        `dropped, the ` +
        `queue never held more than ${Math.max(...sizes.map(({ length }) => length))}.`,
    };
  },
};
