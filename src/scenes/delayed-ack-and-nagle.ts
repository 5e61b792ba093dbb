import { SOL_TCP, TCP_NODELAY } from '../socket/constants.ts';
import { calls, duration, Notes, outside, segments } from './observe.ts';
import { bytesOf, connect, introduce, listen, must, textOf } from './programs.ts';
import type { Scene } from './scene.ts';

/** Requests before TCP_NODELAY is set, and after. */
const REQUESTS = 3;

/** The famous 40 milliseconds: write, write, read. */
export const delayedAckAndNagle: Scene = {
  name: 'delayed-ack-and-nagle',
  summary: 'write, write, read costs 40 ms, since each side waits for the other',
  look:
    "A request is written in two small pieces. The first goes out at once. The second is held back by Nagle's " +
    'algorithm until the first is acknowledged. The server has nothing to answer to half a request, and it ' +
    'delays its ACK by 40 ms in the hope of an answer that could carry it. Each waits for the other. (The ' +
    'first requests are quick: at the start of a connection ACKs are sent at once.) Then TCP_NODELAY switches ' +
    'Nagle off. Better: one write for one request.',
  hosts: ['client', 'server'],

  build(world, network) {
    const client = world.host('client');
    const server = world.host('server');
    world.connect(client, server, { delayUs: 500 });
    introduce(client, server);

    const serve = async () => {
      const { sys } = server;
      const listener = listen(sys, network.any);
      const fd = must(await sys.wait.accept(listener));
      const buffer = new Uint8Array(100);
      for (let request = ''; ; ) {
        const length = await sys.wait.recv(fd, buffer);
        if (length === 0) break;
        request += textOf(buffer, length);
        if (!request.endsWith('\n')) continue; // half a request
        await sys.wait.send(fd, bytesOf('answer\n'));
        request = '';
      }
      sys.close(fd);
      sys.close(listener);
    };
    const ask = async () => {
      const { sys } = client;
      const fd = must(await connect(sys, network.server));
      const buffer = new Uint8Array(100);
      for (let i = 0; i < 2 * REQUESTS; i++) {
        if (i === REQUESTS) sys.setsockopt(fd, SOL_TCP, TCP_NODELAY, 1);
        await sys.wait.send(fd, bytesOf('GET '));
        await sys.wait.send(fd, bytesOf('/page\n'));
        await sys.wait.recv(fd, buffer);
      }
      sys.close(fd);
    };
    return () => Promise.all([serve(), ask()]);
  },

  tell(events) {
    const notes = new Notes();
    const sends = calls(events, 'client', 'send');
    const answers = calls(events, 'client', 'recv');
    const took = answers.map((answer, index) => answer.atUs - (sends[2 * index]?.atUs ?? 0));
    const slow = took.findIndex(us => us >= 40_000);
    notes.put(
      sends[2 * slow + 1],
      'Not sent: four bytes are on their way and not acknowledged (Nagle, RFC 9293 section 3.7.4).',
    );
    const ack = segments(events, 'server', 'out').find(
      ({ atUs, payload }) => payload.length === 0 && atUs > (sends[2 * slow]?.atUs ?? 0),
    );
    notes.put(ack?.event, 'No answer came that could carry it: the delayed ACK, 40 ms late.');
    const option = calls(events, 'client', 'setsockopt').find(
      ({ args }) => args['optname'] === 'TCP_NODELAY',
    );
    notes.put(option, 'No Nagle from here on: both pieces go out at once.');
    const slowest = (from: number, to: number): string => duration(Math.max(...took.slice(from, to)));
    const [connected] = calls(events, 'client', 'connect');
    return {
      notes,
      folds: outside(events, connected, answers.at(-1)),
      seen:
        `With Nagle a request took up to ${slowest(0, REQUESTS)}, with TCP_NODELAY up to ` +
        `${slowest(REQUESTS, 2 * REQUESTS)}; a round trip takes 1 ms.`,
    };
  },
};
