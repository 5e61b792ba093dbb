import { SOCK_DGRAM } from '../socket/constants.ts';
import type { Stack } from '../stack/stack.ts';
import { AF_INET6 } from '../wire/address.ts';
import { ICMP6_PACKET_TOO_BIG, ICMP6_TIME_EXCEEDED } from '../wire/icmp6.ts';
import { calls, drops, duration, faults, Notes, packets, type SeenPacket } from './observe.ts';
import { alphabet, must, routeBy, sleep } from './programs.ts';
import type { Scene } from './scene.ts';

const CLIENT = 'fd01::1';
const SERVER = 'fd02::2';
const PORT = 9;
/** The narrow part of the way, in bytes: the least that IPv6 may be given. */
const NARROW = 1280;

/** Datagrams that are too large for a part of the way, over IPv6. */
export const fragmentation6: Scene = {
  name: 'fragmentation',
  summary: 'only the sender cuts IPv6; "packet too big" tells it how small',
  look:
    'The way to the server leads over a router and has an MTU of 1500 bytes at first, then of 1280. A datagram ' +
    'of 2500 bytes is cut by the client, to what its own cable takes. No router cuts an IPv6 packet (RFC 8200 ' +
    'section 5): the first fragment is dropped with "packet too big", the second fits and waits for it in vain. ' +
    'The client remembers the path MTU, the next send() reports the error, and from then on it cuts smaller. ' +
    'At last one fragment of three is lost: after 60 s the server gives up, and says so.',
  hosts: ['client', 'server'],
  addresses: [CLIENT, SERVER],
  // The router stands between: what it sends by eth1 goes to the right.
  isLeft: event =>
    event.host === 'client' || (event.host === 'router' && event.type === 'packet' && event.netif === 'eth1'),

  build(world) {
    const client = world.host('client');
    const router = world.host('router', { sysctl: { forwarding: true } });
    const server = world.host('server');
    world.connect(client, router, { delayUs: 1_000, addresses6: [`${CLIENT}/64`, 'fd01::fe/64'] });
    const addresses6 = ['fd02::fe/64', `${SERVER}/64`] as const;
    const far = world.connect(router, server, { delayUs: 1_000, mtu: NARROW, addresses6 });
    routeBy(client, 'fd01::fe');
    routeBy(server, 'fd02::fe');

    const receive = async ({ sys }: Stack) => {
      const fd = must(sys.socket(AF_INET6, SOCK_DGRAM, 0));
      must(sys.bind(fd, { address: '::', port: PORT }));
      while ((await sys.wait.recv(fd, new Uint8Array(65536))) > 0);
    };
    const send = async ({ sys }: Stack) => {
      const fd = must(sys.socket(AF_INET6, SOCK_DGRAM, 0));
      must(sys.connect(fd, { address: SERVER, port: PORT }));
      must(await sys.wait.send(fd, alphabet(2500)));
      await sleep(sys, 1000);
      await sys.wait.send(fd, alphabet(2500)); // reports the error
      must(await sys.wait.send(fd, alphabet(2500)));
      await sleep(sys, 1000);

      let fragments = 0;
      const drop = ({ length }: { length: number }) => length > NARROW && ++fragments === 2;
      far.configure({ there: { delayUs: 1_000, drop } });
      must(await sys.wait.send(fd, alphabet(2500)));
      await sleep(sys, 65_000);
    };
    return () => {
      void receive(server);
      return send(client);
    };
  },

  tell(events) {
    const notes = new Notes();
    const sent = packets(events, 'client', 'out').filter(isFragment);
    notes.put(sent[0]?.event, 'Cut by the client to 1500 bytes.');
    const icmp = (type: number, host: string) =>
      packets(events, host, 'out').find(packet => packet.icmp6?.type === type);
    const tooBig = icmp(ICMP6_PACKET_TOO_BIG, 'router');
    notes.put(tooBig?.event, 'The router does not cut. It says which MTU would fit.');
    const smaller = sent.find(({ atUs }) => atUs > (tooBig?.atUs ?? 0) + 500_000);
    notes.put(smaller?.event, `The client knows the path MTU now, and cuts to ${NARROW} bytes.`);
    const [lost] = faults(events, 'drop');
    notes.put(lost, 'One fragment is lost.');
    const [alone] = drops(events, 'server', 'FRAG_REASM_TIMEOUT');
    notes.put(
      alone,
      'The rest of the first datagram is dropped without a word: its beginning, to be quoted, never came.',
    );
    const expired = icmp(ICMP6_TIME_EXCEEDED, 'server');
    notes.put(expired?.event, 'The server drops what it has, and says so: of this one it has the beginning.');
    const reads = calls(events, 'server', 'recv').map(({ result }) => result);
    return {
      notes,
      seen:
        `The client learned a path MTU of ${tooBig?.icmp6?.rest ?? 0}. Of ` +
        `${calls(events, 'client', 'send').filter(({ result }) => result > 0).length} datagrams sent the server ` +
        `read ${reads.length}, of ${reads.join(', ')} bytes; it gave up on the one with a lost fragment after ` +
        `${duration((expired?.atUs ?? 0) - (lost?.atUs ?? 0))}.`,
    };
  },
};

function isFragment({ fragment }: SeenPacket): boolean {
  return fragment !== null;
}
