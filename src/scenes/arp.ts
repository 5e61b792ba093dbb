import { EHOSTUNREACH } from '../base/errno.ts';
import { AF_INET, SOCK_DGRAM } from '../socket/constants.ts';
import type { NeighborEvent } from '../trace/events.ts';
import { calls, duration, Notes, packets, queue, type SeenPacket } from './observe.ts';
import { bytesOf, connect, must, SERVER, sleep } from './programs.ts';
import type { Scene } from './scene.ts';

const PORT = 9;
/** On the network of the client, but nobody has it. */
const NOBODY = '10.0.0.99';

/** Which hardware address has an IP address? */
export const arp: Scene = {
  name: 'arp',
  summary: 'from IP address to hardware address: ask, remember, doubt, ask again',
  look:
    'The client wants to send to 10.0.0.2 and knows only the IP address. It asks everybody (broadcast), the ' +
    'datagram waits; the owner answers to the asker alone. The entry is REACHABLE for a while (15 to 45 s, at ' +
    'random), then STALE: used all the same, but after 5 s of use without a sign of life (DELAY) it is ' +
    'verified by a question to the known address (PROBE). Then the client connects to an address that nobody ' +
    'has: three questions, a second apart, then its SYN is dropped, and connect() fails with EHOSTUNREACH.',
  hosts: ['client 10.0.0.1', 'server 10.0.0.2'],

  build(world) {
    const client = world.host('client');
    const server = world.host('server');
    world.connect(client, server, { delayUs: 100 });

    const serve = async () => {
      const { sys } = server;
      const fd = must(sys.socket(AF_INET, SOCK_DGRAM, 0));
      must(sys.bind(fd, { address: '0.0.0.0', port: PORT }));
      while ((await sys.wait.recv(fd, new Uint8Array(100))) > 0); // takes what comes and never answers
    };
    const send = async () => {
      const { sys } = client;
      const fd = must(sys.socket(AF_INET, SOCK_DGRAM, 0));
      must(sys.connect(fd, { address: SERVER, port: PORT }));
      must(await sys.wait.send(fd, bytesOf('first')));
      must(await sys.wait.send(fd, bytesOf('second')));
      await sleep(sys, 60_000);
      must(await sys.wait.send(fd, bytesOf('a minute later')));
      await sleep(sys, 10_000);

      await connect(sys, NOBODY);
    };
    return () => {
      void serve();
      return send();
    };
  },

  tell(events) {
    const notes = new Notes();
    const asked = packets(events, 'client', 'out').filter(isQuestion);
    notes.put(asked[0]?.event, 'To everybody: who has this address?');
    notes.put(queue(events, 'client', 'neighbor')[0], 'The datagram waits for the answer.');
    const changes = events.filter(
      (event): event is NeighborEvent => event.type === 'neighbor' && event.host === 'client',
    );
    const entry = (address: string, to: string) =>
      changes.find(change => change.address === address && change.to === to);
    notes.put(entry(SERVER, 'REACHABLE'), 'Known: what waited goes out.');
    notes.put(entry(SERVER, 'STALE'), 'Not confirmed for a while: perhaps no longer true.');
    notes.put(entry(SERVER, 'DELAY'), 'Used all the same; somebody may confirm it within 5 s.');
    notes.put(entry(SERVER, 'PROBE'), 'Nobody did: the client asks again, this time only the server.');
    const failed = entry(NOBODY, 'FAILED');
    notes.put(failed, 'Three questions, no answer.');
    const unreachable = calls(events, 'client', 'connect').find(({ result }) => result === -EHOSTUNREACH);
    notes.put(unreachable, 'What waited is dropped, and connect() says so.');
    const first = entry(SERVER, 'INCOMPLETE')?.atUs ?? 0;
    const vain = asked.filter(({ arp: question }) => question?.targetIp.toString() === NOBODY);
    return {
      notes,
      showsArp: true,
      seen:
        `The first answer took ${duration((entry(SERVER, 'REACHABLE')?.atUs ?? 0) - first)}. The client asked ` +
        `${vain.length} times for ` +
        `${NOBODY} and gave up after ${duration((failed?.atUs ?? 0) - (vain[0]?.atUs ?? 0))}.`,
    };
  },
};

function isQuestion({ arp: message }: SeenPacket): boolean {
  return message?.operation === 1;
}
