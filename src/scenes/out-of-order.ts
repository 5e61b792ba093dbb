import { SOL_TCP, TCP_NODELAY } from '../socket/constants.ts';
import type { TcpCwndEvent } from '../trace/events.ts';
import {
  calls,
  dataSegments,
  faults,
  lateOnes,
  Notes,
  outside,
  retransmits,
  segments,
  states,
} from './observe.ts';
import { alphabet, connect, introduce, listen, must, readAll, sleep } from './programs.ts';
import type { Scene } from './scene.ts';

/** Sent together; the second one is held up on the way. */
const BURST = 10;

/** A segment is overtaken: by a few, by all within a short time, by all within a long one. */
export const outOfOrder: Scene = {
  name: 'out-of-order',
  summary: 'a segment is overtaken: in 3 ms that is no loss, in 15 ms it seems one',
  look:
    'Ten segments, and the second is held up on the way. The server keeps what comes early in its out-of-order ' +
    'queue, repeats its ACK, and hands the bytes to the program in order. First two overtake it: three would ' +
    'mean a loss, so the sender waits, and learns that this path reorders. Then all eight overtake it, within 3 ' +
    'ms: now the sender counts time instead, a quarter of a round trip, and waits again. At last it is held up ' +
    'for 15 ms. That is too long: it is repeated for nothing, and the sender slows down. But the ACK echoes the ' +
    'time of the first sending: it was late, not lost, and the window is what it was.',
  hosts: ['client', 'server'],

  build(world, network) {
    const client = world.host('client');
    const server = world.host('server');
    const cable = world.connect(client, server, { delayUs: 10_000 });
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
      must(sys.setsockopt(fd, SOL_TCP, TCP_NODELAY, 1));
      const burst = async (reorderBehind: number, reorderHoldUs: number): Promise<void> => {
        await sys.wait.send(fd, alphabet(network.segment));
        cable.configure({ there: { delayUs: 10_000, reorder: 1, reorderBehind, reorderHoldUs } });
        await sys.wait.send(fd, alphabet(network.segment));
        cable.configure({ there: { delayUs: 10_000 } });
        await sys.wait.send(fd, alphabet((BURST - 2) * network.segment));
        await sleep(sys, 100);
      };
      await burst(2, 3000);
      await burst(BURST, 3000);
      await burst(BURST, 15_000);
      sys.close(fd);
    };
    return () => Promise.all([serve(), send()]);
  },

  tell(events) {
    const notes = new Notes();
    const [byTwo, short, long] = faults(events, 'reorder');
    notes.put(byTwo, 'Two segments overtake this one.');
    notes.put(short, 'Eight overtake this one, but not for long.');
    notes.put(long, 'This one is held up for 15 ms.');
    const again = retransmits(events, 'client');
    notes.put(
      again[0],
      'The reordering timer went off (RFC 8985): taken for lost, and repeated for nothing.',
    );
    const duplicate = segments(events, 'server', 'out').find(({ atUs }) => atUs > (again[0]?.atUs ?? 0));
    notes.put(
      duplicate?.event,
      'D-SACK (RFC 2883): this came twice. The ACK before it echoed the time of the first sending (RFC 3522): ' +
        'late, not lost. The sender has its window back.',
    );
    const windows = events.filter(
      (event): event is TcpCwndEvent => event.type === 'tcp:cwnd' && event.host === 'client',
    );
    const recovery = windows.findIndex(({ caState }) => caState === 'Recovery');
    const shrunk = Math.min(...windows.slice(recovery).map(({ cwnd }) => cwnd));
    const late = lateOnes(dataSegments(events, 'server', 'in'));
    const read = calls(events, 'server', 'recv').reduce((sum, { result }) => sum + result, 0);
    return {
      notes,
      folds: outside(
        events,
        calls(events, 'client', 'connect')[0],
        states(events, 'client', 'FIN_WAIT_2')[0],
      ),
      seen:
        `${late.length} segments arrived late; ${again.length} of them was sent again, for nothing. The congestion ` +
        `window was ${windows[recovery - 1]?.cwnd} bytes before that, down to ${shrunk}, and ` +
        `${windows.at(-1)?.cwnd} afterwards. The program read all ${read} bytes, in order.`,
    };
  },
};
