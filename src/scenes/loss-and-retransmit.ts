import { calls, dataSegments, duration, faults, retransmits } from './observe.ts';
import { connect, introduce, listen, must, readAll } from './programs.ts';
import type { Scene } from './scene.ts';

/** An Ethernet frame with a full segment: 1500 bytes of IP and 14 of header. */
const FULL_FRAME = 1514;
/** Nine full segments, and one that is shorter. */
const BYTES = 9 * 1448 + 1000;

/** Two segments are lost: one in the middle, and the very last. */
export const lossAndRetransmit: Scene = {
  name: 'loss-and-retransmit',
  summary: 'a lost segment is noticed by three duplicate ACKs; the last one only by a time-out',
  look:
    'The client sends ten segments. The third is lost: the ones behind it arrive, and each makes the server repeat ' +
    'its ACK ("I still wait for the third") with SACK saying what it already has. That is enough to send the third ' +
    'again at once. The tenth is lost, too, but nothing comes behind it that could make the server speak: only the ' +
    'retransmission timer is left.',
  hosts: ['client 10.0.0.1', 'server 10.0.0.2'],

  build(world) {
    const client = world.host('client');
    const server = world.host('server');
    introduce(client, server);
    let full = 0;
    let tail = 0;
    world.connect(client, server, {
      delayUs: 10_000,
      there: {
        drop: packet =>
          packet.length === FULL_FRAME
            ? ++full === 3 // the third full segment, the first time
            : packet.length > 1000 && ++tail === 1, // the shorter one at the end, the first time
      },
    });
    const serve = async () => {
      const listener = listen(server.sys);
      const fd = must(await server.sys.wait.accept(listener));
      await readAll(server.sys, fd);
      server.sys.close(fd);
      server.sys.close(listener);
    };
    const send = async () => {
      const fd = must(await connect(client.sys));
      await client.sys.wait.send(fd, new Uint8Array(BYTES));
      client.sys.close(fd);
    };
    return () => Promise.all([serve(), send()]);
  },

  tell(events) {
    const lost = faults(events, 'drop');
    const fast = retransmits(events, 'client', 'fast')[0];
    const timeOut = retransmits(events, 'client', 'rto')[0];
    const read = calls(events, 'server', 'recv').reduce((sum, call) => sum + call.result, 0);
    const notes = new Map(lost.map(event => [event, 'This segment never arrives.']));
    const sentAt = (seq: number | undefined): number =>
      dataSegments(events, 'client', 'out').find(segment => segment.tcp.seq === seq)?.atUs ?? 0;
    const waited = (again: typeof fast): string => duration((again?.atUs ?? 0) - sentAt(again?.seq));
    const story = { notes: new Map<(typeof events)[number], string>(notes) };
    if (fast)
      story.notes.set(fast, 'Three segments behind it have arrived (SACK): fast retransmit (RFC 6675).');
    if (timeOut) story.notes.set(timeOut, 'Silence: the retransmission timer went off (RFC 6298).');
    return {
      ...story,
      seen:
        `The first loss was repaired ${waited(fast)} after it was sent, by fast retransmit; the loss of the last ` +
        `segment ${waited(timeOut)} after, by time-out. The server read ${read} bytes, all of them.`,
    };
  },
};
