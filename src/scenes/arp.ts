import { EHOSTUNREACH } from '../base/errno.ts';
import { SOCK_DGRAM } from '../socket/constants.ts';
import type { NeighborEvent } from '../trace/events.ts';
import { AF_INET } from '../wire/address.ts';
import { ND_NEIGHBOR_SOLICIT } from '../wire/icmp6.ts';
import { calls, duration, Notes, packets, queue, type SeenPacket } from './observe.ts';
import { bytesOf, connect, must, sleep } from './programs.ts';
import type { Scene } from './scene.ts';

const PORT = 9;

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
  look6:
    'Over IPv6 it is called neighbour discovery, and is a part of ICMPv6. The client wants to send to fd00::2 ' +
    'and knows only the IP address. It asks the group that the owner of this address is in (a multicast that ' +
    'few others hear: neighbor solicitation), the datagram waits; the owner answers to the asker alone ' +
    '(neighbor advertisement). The entry is REACHABLE for a while (15 to 45 s, at random), then STALE: used ' +
    'all the same, but after 5 s of use without a sign of life (DELAY) it is verified by a question to the ' +
    'known address (PROBE). Then the client connects to an address that nobody has: three questions, a second ' +
    'apart, then its SYN is dropped, and connect() fails with EHOSTUNREACH.',
  hosts: ['client', 'server'],

  build(world, network) {
    const client = world.host('client');
    const server = world.host('server');
    world.connect(client, server, { delayUs: 100 });

    const serve = async () => {
      const { sys } = server;
      const fd = must(sys.socket(network.family, SOCK_DGRAM, 0));
      must(sys.bind(fd, { address: network.any, port: PORT }));
      while ((await sys.wait.recv(fd, new Uint8Array(100))) > 0); // takes what comes and never answers
    };
    const send = async () => {
      const { sys } = client;
      const fd = must(sys.socket(network.family, SOCK_DGRAM, 0));
      must(sys.connect(fd, { address: network.server, port: PORT }));
      must(await sys.wait.send(fd, bytesOf('first')));
      must(await sys.wait.send(fd, bytesOf('second')));
      await sleep(sys, 60_000);
      must(await sys.wait.send(fd, bytesOf('a minute later')));
      await sleep(sys, 10_000);

      await connect(sys, network.nobody);
    };
    return () => {
      void serve();
      return send();
    };
  },

  tell(events, network) {
    const { server, nobody, family } = network;
    const notes = new Notes();
    const asked = packets(events, 'client', 'out').filter(isQuestion);
    notes.put(
      asked[0]?.event,
      family === AF_INET ? 'To everybody: who has this address?' : 'To the group of the address: who has it?',
    );
    notes.put(queue(events, 'client', 'neighbor')[0], 'The datagram waits for the answer.');
    const changes = events.filter(
      (event): event is NeighborEvent => event.type === 'neighbor' && event.host === 'client',
    );
    const entry = (address: string, to: string) =>
      changes.find(change => change.address === address && change.to === to);
    notes.put(entry(server, 'REACHABLE'), 'Known: what waited goes out.');
    notes.put(entry(server, 'STALE'), 'Not confirmed for a while: perhaps no longer true.');
    notes.put(entry(server, 'DELAY'), 'Used all the same; somebody may confirm it within 5 s.');
    notes.put(entry(server, 'PROBE'), 'Nobody did: the client asks again, this time only the server.');
    const failed = entry(nobody, 'FAILED');
    notes.put(failed, 'Three questions, no answer.');
    const unreachable = calls(events, 'client', 'connect').find(({ result }) => result === -EHOSTUNREACH);
    notes.put(unreachable, 'What waited is dropped, and connect() says so.');
    const first = entry(server, 'INCOMPLETE')?.atUs ?? 0;
    const vain = asked.filter(question => askedFor(question) === nobody);
    return {
      notes,
      showsNeighbors: true,
      seen:
        `The first answer took ${duration((entry(server, 'REACHABLE')?.atUs ?? 0) - first)}. The client asked ` +
        `${vain.length} times for ` +
        `${nobody} and gave up after ${duration((failed?.atUs ?? 0) - (vain[0]?.atUs ?? 0))}.`,
    };
  },
};

function isQuestion({ arp: message, ndp }: SeenPacket): boolean {
  return message?.operation === 1 || ndp?.type === ND_NEIGHBOR_SOLICIT;
}

/** The address whose owner is asked for. */
function askedFor({ arp: message, ndp }: SeenPacket): string {
  return String(message?.targetIp ?? (ndp?.type === ND_NEIGHBOR_SOLICIT ? ndp.target : ''));
}
