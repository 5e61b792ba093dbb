import { EMFILE } from '../base/errno.ts';
import { calls, duration, Notes, outside, states } from './observe.ts';
import { bytesOf, connect, introduce, listen, must, sleep } from './programs.ts';
import type { Scene } from './scene.ts';

/** Descriptors the server may have (ulimit -n): 0 to 7, of which the listener takes one. */
const DESCRIPTORS = 8;
const CLIENTS = 6;
const HOUR_MS = 3_600_000;

/** A server that forgets to close its sockets. */
export const closeWaitPileUp: Scene = {
  name: 'close-wait-pile-up',
  summary: 'a program forgets close(): CLOSE_WAIT for ever, and no descriptors left',
  look:
    'Each client asks, is answered and closes. The server program reads the end of the stream, returns 0 ' +
    'bytes, and forgets the descriptor. Its connections stay in CLOSE_WAIT: TCP has done its part and waits ' +
    'for the program, for which there is no timer. CLOSE_WAIT is never the fault of the network. In the end ' +
    'accept() fails with EMFILE.',
  hosts: ['client', 'server'],

  build(world, network) {
    const client = world.host('client');
    const server = world.host('server', { sysctl: { ethertype_nofile: DESCRIPTORS } });
    world.connect(client, server, { delayUs: 5_000 });
    introduce(client, server);

    const serve = async () => {
      const { sys } = server;
      const listener = listen(sys, network.any);
      for (;;) {
        const fd = await sys.wait.accept(listener);
        if (fd === -EMFILE) break;
        const buffer = new Uint8Array(100);
        while ((await sys.wait.recv(fd, buffer)) > 0) await sys.wait.send(fd, bytesOf('answer'));
        // The bug: here sys.close(fd) is missing.
      }
      await sleep(sys, HOUR_MS);
      for (let fd = 3; fd < DESCRIPTORS; fd++) sys.close(fd); // the process ends at last
    };
    const ask = async () => {
      const { sys } = client;
      for (let i = 0; i < CLIENTS; i++) {
        const fd = must(await connect(sys, network.server));
        await sys.wait.send(fd, bytesOf('question'));
        if (i < DESCRIPTORS - 4) await sys.wait.recv(fd, new Uint8Array(100));
        sys.close(fd);
      }
    };
    return () => Promise.all([serve(), ask()]);
  },

  tell(events) {
    const notes = new Notes();
    const waiting = states(events, 'server', 'CLOSE_WAIT');
    notes.put(waiting[0], 'The client has closed. Now it is the turn of the program, which forgets.');
    const failed = calls(events, 'server', 'accept').find(({ result }) => result === -EMFILE);
    notes.put(failed, 'Every descriptor is held by a connection that nobody needs any more.');
    const gone = states(events, 'client', 'CLOSED').find(({ from }) => from === 'FIN_WAIT_2');
    notes.put(
      gone,
      'The clients do not wait for ever: FIN_WAIT_2 without an owner ends after tcp_fin_timeout.',
    );
    const [last] = states(events, 'server', 'LAST_ACK');
    notes.put(last, 'An hour later the process ends, and the system closes what it forgot.');
    const [reset] = states(events, 'server', 'CLOSED').filter(({ cause }) => cause === 'receive RST');
    notes.put(reset, 'The client knows nothing of this connection any more, and says so.');
    const repeats = outside(events, calls(events, 'client', 'close')[1], failed);
    return {
      notes,
      folds: event => !repeats(event),
      ports: true,
      seen:
        `${waiting.length} connections went to CLOSE_WAIT, the first of them for ` +
        `${duration((last?.atUs ?? 0) - (waiting[0]?.atUs ?? 0))}, until the process ended. accept() failed ` +
        `after ` +
        `${calls(events, 'server', 'accept').length - 1} connections.`,
    };
  },
};
