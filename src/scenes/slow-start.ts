import { SOL_TCP, TCP_CONGESTION } from '../socket/constants.ts';
import type { TcpCwndEvent, TraceEvent } from '../trace/events.ts';
import { calls, duration, faults, Notes, retransmits } from './observe.ts';
import { alphabet, connect, introduce, listen, must, readAll } from './programs.ts';
import type { Scene } from './scene.ts';

/** Of the bottleneck, in bits per second. */
const RATE = 2e6;
const BYTES = 1_000_000;

/** The congestion window feels its way: doubling, too much, half, and slowly up again. */
export const slowStart: Scene = {
  name: 'slow-start',
  summary: 'how the congestion window finds out what the network carries, as a plot',
  look:
    'Between client and server is a bottleneck of 2 Mbit/s with a queue of 12 packets; the round trip takes ' +
    '100 ms. Nobody tells the client: it begins with 10 segments and doubles every round trip (slow start), ' +
    'until the queue at the bottleneck overflows. Then it halves its window and goes on by one segment a ' +
    'round trip (congestion avoidance), until the queue overflows again: the saw-tooth of Reno (RFC 5681).',
  hosts: ['client', 'server'],

  build(world, network) {
    const client = world.host('client');
    const server = world.host('server');
    const bottleneck = world.switch('bottleneck');
    world.connect(client, bottleneck, { delayUs: 10_000 });
    world.connect(bottleneck, server, { delayUs: 40_000, there: { rate: RATE, queueLimit: 12 } });
    introduce(client, server);

    const serve = async () => {
      const listener = listen(server.sys, network.any);
      const fd = must(await server.sys.wait.accept(listener));
      await readAll(server.sys, fd);
      server.sys.close(fd);
      server.sys.close(listener);
    };
    const send = async () => {
      const { sys } = client;
      const fd = must(await connect(sys, network.server));
      sys.setsockopt(fd, SOL_TCP, TCP_CONGESTION, 'reno');
      await sys.wait.send(fd, alphabet(BYTES));
      sys.close(fd);
    };
    return () => Promise.all([serve(), send()]);
  },

  tell(events) {
    const notes = new Notes();
    const windows = events.filter(
      (event): event is TcpCwndEvent => event.type === 'tcp:cwnd' && event.host === 'client',
    );
    const startUs = events[0]?.atUs ?? 0;
    const lost = faults(events, 'queue-full');
    const lossUs = lost[0]?.atUs ?? 0;
    notes.put(lost[0], 'The queue at the bottleneck is full: the window has become too large.');
    const [fast] = retransmits(events, 'client', 'fast');
    notes.put(fast, 'The client hears of it a round trip later: it repeats, and halves its window.');
    const peak = Math.max(...windows.filter(({ atUs }) => atUs <= (fast?.atUs ?? 0)).map(({ cwnd }) => cwnd));
    const after = windows.find(({ atUs, caState }) => atUs > (fast?.atUs ?? 0) && caState === 'Open');
    const first = windows[0]?.cwnd ?? 0;
    const seconds = ((calls(events, 'server', 'recv').at(-1)?.atUs ?? 0) - startUs) / 1e6;
    const shown = new Set<TraceEvent>(events.slice(0, 60));
    return {
      notes,
      folds: event => !shown.has(event),
      plot: {
        title: 'Congestion window of the client',
        unit: 'KB',
        points: windows.map(({ atUs, cwnd }) => [atUs - startUs, cwnd / 1000] as const),
      },
      seen:
        `The window grew from ${first} to ${peak} bytes in ${duration(lossUs - startUs)}, fell to ` +
        `${after?.cwnd ?? 0} and rose again; ${lost.length} packets were lost. ${BYTES} bytes in ` +
        `${seconds.toFixed(1)} s: ` +
        `${((BYTES * 8) / seconds / 1e6).toFixed(2)} of ${RATE / 1e6} Mbit/s.`,
    };
  },
};
