import { calls, dataSegments, faults, lateOnes, Notes, outside, retransmits, states } from './observe.ts';
import { alphabet, connect, introduce, listen, must, readAll, sleep } from './programs.ts';
import type { Scene } from './scene.ts';

/** Twenty full segments. */
const BYTES = 20 * 1448;

/** Segments overtake each other: a little, then by far. */
export const outOfOrder: Scene = {
  name: 'out-of-order',
  summary: 'segments overtake each other: by two it is no loss, by six it seems one',
  look:
    'The way holds up every fourth or so segment, so that others overtake it. The server keeps what came ' +
    'early in its out-of-order queue, repeats its ACK, and hands the bytes to the program in order. First a ' +
    'segment is overtaken by two: the sender waits, as it must (RFC 5681: three duplicate ACKs). Then by six: ' +
    'that looks like a loss, and the sender repeats what was never lost.',
  hosts: ['client 10.0.0.1', 'server 10.0.0.2'],

  build(world) {
    const client = world.host('client');
    const server = world.host('server');
    const way = { delayUs: 10_000, reorder: 0.25 };
    const cable = world.connect(client, server, {
      ...way,
      back: { reorder: 0 },
      there: { reorderBehind: 2 },
    });
    introduce(client, server);

    const serve = async () => {
      const listener = listen(server.sys);
      const fd = must(await server.sys.wait.accept(listener));
      await readAll(server.sys, fd);
      server.sys.close(fd);
      server.sys.close(listener);
    };
    const send = async () => {
      const { sys } = client;
      const fd = must(await connect(sys));
      await sys.wait.send(fd, alphabet(BYTES));
      await sleep(sys, 1000);
      cable.configure({ there: { ...way, reorderBehind: 6 } });
      await sys.wait.send(fd, alphabet(BYTES));
      sys.close(fd);
    };
    return () => Promise.all([serve(), send()]);
  },

  tell(events) {
    const notes = new Notes();
    const secondUs = calls(events, 'client', 'poll')[0]?.atUs ?? 0;
    const held = faults(events, 'reorder');
    notes.put(
      held.find(({ atUs }) => atUs < secondUs),
      'Two segments overtake this one.',
    );
    notes.put(
      held.find(({ atUs }) => atUs >= secondUs),
      'From now on six overtake the one that is held up.',
    );
    const again = retransmits(events, 'client', 'fast');
    notes.put(
      again[0],
      'Three segments behind it have arrived (SACK): taken for lost, and repeated for nothing.',
    );
    const late = lateOnes(dataSegments(events, 'server', 'in'));
    const early = late.filter(({ atUs }) => atUs < secondUs);
    const read = calls(events, 'server', 'recv').reduce((sum, { result }) => sum + result, 0);
    return {
      notes,
      folds: outside(
        events,
        calls(events, 'client', 'connect')[0],
        states(events, 'client', 'FIN_WAIT_2')[0],
      ),
      seen:
        `${early.length} segments arrived behind two younger ones at most, and none was sent again; ` +
        `${late.length - early.length} arrived behind more, and ${again.length} were sent again for nothing. ` +
        `The program read all ${read} bytes, in order.`,
    };
  },
};
