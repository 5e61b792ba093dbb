import { MSG_WAITALL } from '../socket/constants.ts';
import { calls, dataSegments, duration, faults, Notes, outside, retransmits } from './observe.ts';
import { alphabet, bytesOf, connect, introduce, listen, must } from './programs.ts';
import type { Scene } from './scene.ts';

/** An Ethernet frame with a full segment: 1500 bytes of IP and 14 of header. */
const FULL_FRAME = 1514;
/** Nine full segments, and one that is shorter. */
const BYTES = 9 * 1448 + 1000;

/** Two segments are lost: one in the middle, and the very last. */
export const lossAndRetransmit: Scene = {
  name: 'loss-and-retransmit',
  summary: 'duplicate ACKs tell of a lost segment; the last one needs a time-out',
  look:
    'The client sends ten segments. The third is lost: the ones behind it arrive, and each makes the server ' +
    'repeat its ACK ("I still wait for the third") with SACK saying what it already has. That is enough to ' +
    'send the third again at once. The tenth is lost, too, but nothing comes behind it that could make the ' +
    'server speak: only the retransmission timer is left.',
  hosts: ['client 10.0.0.1', 'server 10.0.0.2'],

  build(world) {
    const client = world.host('client');
    const server = world.host('server');
    let full = 0;
    let last = 0;
    world.connect(client, server, {
      delayUs: 10_000,
      there: {
        drop: packet =>
          packet.length === FULL_FRAME
            ? ++full === 3 // the third full segment, the first time it is sent
            : packet.length > 1000 && ++last === 1, // the shorter one at the end, the first time
      },
    });
    introduce(client, server);

    const serve = async () => {
      const { sys } = server;
      const listener = listen(sys);
      const fd = must(await sys.wait.accept(listener));
      await sys.wait.recv(fd, new Uint8Array(BYTES), MSG_WAITALL);
      await sys.wait.send(fd, bytesOf('thank you'));
      sys.close(fd);
      sys.close(listener);
    };
    const send = async () => {
      const { sys } = client;
      const fd = must(await connect(sys));
      await sys.wait.send(fd, alphabet(BYTES));
      await sys.wait.recv(fd, new Uint8Array(100));
      sys.close(fd);
    };
    return () => Promise.all([serve(), send()]);
  },

  tell(events) {
    const notes = new Notes();
    const lost = faults(events, 'drop');
    notes.put(lost[0], 'The third segment never arrives.');
    notes.put(lost[1], 'The tenth never arrives, and nothing is sent behind it.');
    const [fast] = retransmits(events, 'client', 'fast');
    notes.put(
      fast,
      'The duplicate ACKs say that three segments behind it have arrived: fast retransmit (RFC 6675).',
    );
    const [timeOut] = retransmits(events, 'client', 'rto');
    notes.put(
      timeOut,
      'Silence until the retransmission timer goes off (RFC 6298). The next time-out would be twice as long.',
    );
    const sent = dataSegments(events, 'client', 'out');
    const waited = (again: typeof fast): string => {
      const first = sent.find(({ tcp }) => tcp.seq === again?.seq);
      return duration((again?.atUs ?? 0) - (first?.atUs ?? 0));
    };
    const [connected] = calls(events, 'client', 'connect');
    const [closes] = calls(events, 'server', 'close');
    return {
      notes,
      folds: outside(events, connected, closes),
      seen:
        `The third segment was sent again after ${waited(fast)}, one round trip; the last one only after ` +
        `${waited(timeOut)}, by time-out. Of ${sent.length} segments sent ${sent.length - 10} were ` +
        `repetitions, none too many.`,
    };
  },
};
