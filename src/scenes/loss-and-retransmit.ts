import { MSG_WAITALL } from '../socket/constants.ts';
import { calls, dataSegments, duration, faults, Notes, outside, retransmits } from './observe.ts';
import { alphabet, bytesOf, connect, introduce, listen, must, sleep } from './programs.ts';
import type { Scene } from './scene.ts';

/** An Ethernet frame with a full segment: 1500 bytes of IP and 14 of header. */
const FULL_FRAME = 1514;
/** A few last words, each in one short segment. */
const FAREWELL = 100;
/** Its frame is longer than this: Ethernet and IP alone need that, and nothing else is as long. */
const FAREWELL_FRAME = FAREWELL + 14 + 20;

/** Three ways in which a loss is found: by what arrives behind it, by a probe, and by the timer. */
export const lossAndRetransmit: Scene = {
  name: 'loss-and-retransmit',
  summary: 'SACK tells of a loss, a probe of a lost tail; last comes the time-out',
  look:
    'The client sends ten segments, and the third is lost. Those behind it arrive, and each makes the server ' +
    'repeat its ACK ("I still wait for the third") with SACK saying what it already has: enough to send the ' +
    'third again at once. Of the next ten the last is lost. Nothing comes behind it that could make the server ' +
    'speak; so after two round trips of silence the client sends it again as a probe. At last one short segment ' +
    'is lost, and its probe, too: only the retransmission timer is left.',
  hosts: ['client', 'server'],

  build(world, network) {
    const client = world.host('client');
    const server = world.host('server');
    // Nine full segments, and one that is shorter.
    const ten = 9 * network.segment + 1000;
    const words = [ten, ten, FAREWELL, FAREWELL];
    let full = 0;
    let tails = 0;
    let farewells = 0;
    world.connect(client, server, {
      delayUs: 10_000,
      there: {
        drop: packet => {
          if (packet.length === FULL_FRAME) return ++full === 3;
          if (packet.length > 1000) return ++tails === 2; // the second ten's last, the first time it is sent
          if (packet.length < FAREWELL_FRAME) return false;
          return ++farewells === 2 || farewells === 3; // the second farewell, and its probe
        },
      },
    });
    introduce(client, server);

    const serve = async () => {
      const { sys } = server;
      const listener = listen(sys, network.any);
      const fd = must(await sys.wait.accept(listener));
      for (const length of words) {
        await sys.wait.recv(fd, new Uint8Array(length), MSG_WAITALL);
        await sys.wait.send(fd, bytesOf('thank you'));
      }
      sys.close(fd);
      sys.close(listener);
    };
    const send = async () => {
      const { sys } = client;
      const fd = must(await connect(sys, network.server));
      for (const length of words) {
        await sys.wait.send(fd, alphabet(length));
        await sys.wait.recv(fd, new Uint8Array(100));
        await sleep(sys, 100);
      }
      sys.close(fd);
    };
    return () => Promise.all([serve(), send()]);
  },

  tell(events) {
    const notes = new Notes();
    const lost = faults(events, 'drop');
    notes.put(lost[0], 'The third segment never arrives.');
    notes.put(lost[1], 'The last of the ten never arrives, and nothing is sent behind it.');
    const [fast] = retransmits(events, 'client', 'fast');
    notes.put(fast, 'SACK says that three segments behind it have arrived: fast retransmit (RFC 8985).');
    const [probe, lostProbe] = retransmits(events, 'client', 'probe');
    notes.put(probe, 'Silence for two round trips: a tail loss probe (RFC 8985 section 7).');
    notes.put(
      lostProbe,
      'One segment alone: the server may be holding its ACK back, so the probe comes late, and is lost, too.',
    );
    const [timeOut] = retransmits(events, 'client', 'rto');
    notes.put(timeOut, 'Now the retransmission timer (RFC 6298). The next time-out would be twice as long.');
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
        `The third segment was sent again after ${waited(fast)}, one round trip; the tail of the next ten after ` +
        `${waited(probe)}, by a probe; the last segment arrived with the time-out, ${waited(timeOut)} after it ` +
        `was first sent. Of ${sent.length} segments sent ${sent.length - 22} were repetitions.`,
    };
  },
};
