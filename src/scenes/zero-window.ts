import { SO_RCVBUF, SOL_SOCKET } from '../socket/constants.ts';
import { calls, dataSegments, duration, fired, Notes, outside, segments } from './observe.ts';
import { alphabet, connect, introduce, listen, must, readAll, sleep } from './programs.ts';
import type { Scene } from './scene.ts';

/** Far more than the server's receive buffer holds. */
const BYTES = 40_000;

/** The server does not read; the client asks from time to time whether it does again. */
export const zeroWindow: Scene = {
  name: 'zero-window',
  summary: 'a receiver that is full, and the persist timer that asks until it reads',
  look:
    'The server program sleeps instead of reading. Its receive buffer fills, and its ACKs announce less and ' +
    'less window until "win 0": the client must not send any more. The ACK that opens the window again could ' +
    'get lost, and nobody would ever speak; so the client asks from time to time (a window probe), at growing ' +
    'intervals (persist timer, RFC 9293 section 3.8.6.1). TCP gives no time limit for this: a slow reader is ' +
    'not an error.',
  hosts: ['client', 'server'],

  build(world, network) {
    const client = world.host('client');
    const server = world.host('server');
    world.connect(client, server, { delayUs: 5_000 });
    introduce(client, server);

    const serve = async () => {
      const { sys } = server;
      const listener = listen(sys, network.any);
      // What a listener has, its connections inherit; it must be set before the window is first announced.
      sys.setsockopt(listener, SOL_SOCKET, SO_RCVBUF, 8192);
      const fd = must(await sys.wait.accept(listener));
      await sleep(sys, 5000);
      await readAll(sys, fd);
      sys.close(fd);
      sys.close(listener);
    };
    const send = async () => {
      const fd = must(await connect(client.sys, network.server));
      await client.sys.wait.send(fd, alphabet(BYTES));
      client.sys.close(fd);
    };
    return () => Promise.all([serve(), send()]);
  },

  tell(events) {
    const notes = new Notes();
    const acks = segments(events, 'server', 'out');
    const closed = acks.find(({ tcp }) => tcp.window === 0);
    notes.put(closed?.event, 'win 0: the buffer is full. From here on the client may only ask.');
    const timeouts = fired(events, 'client', 'persist');
    const probes = timeouts.filter(({ atUs }) => atUs > (closed?.atUs ?? 0));
    notes.put(
      timeouts.find(timeout => !probes.includes(timeout)),
      'What is left of the window is too small for a segment; after a while the client fills it all the same.',
    );
    notes.put(probes[0], 'A window probe: an old sequence number, so that the server must answer.');
    const opened = acks.find(({ tcp, atUs }) => tcp.window > 0 && atUs > (closed?.atUs ?? 0));
    notes.put(opened?.event, 'The program reads: a window update. The client goes on at once.');
    const openedUs = opened?.atUs ?? 0;
    const next = dataSegments(events, 'client', 'out').find(({ atUs }) => atUs > openedUs);
    const gaps = probes.map(({ atUs }, index) =>
      duration(atUs - (probes[index - 1] ?? closed ?? probes[0]!).atUs),
    );
    const read = calls(events, 'server', 'recv').reduce((sum, { result }) => sum + result, 0);
    const [connected] = calls(events, 'client', 'connect');
    const [, secondRead] = calls(events, 'server', 'recv');
    return {
      notes,
      folds: outside(events, connected, secondRead),
      seen:
        `The window was closed for ${duration(openedUs - (closed?.atUs ?? 0))}. The client probed ` +
        `${probes.length} ` +
        `times, after ${gaps.join(', ')}, and sent data again ${duration((next?.atUs ?? 0) - openedUs)} after ` +
        `the ` +
        `window opened. All ${read} bytes arrived.`,
    };
  },
};
