import * as S from '../socket/constants.ts';
import type { Stack } from '../stack/stack.ts';
import { ICMP4_FRAGMENTATION_NEEDED, ICMP4_TIME_EXCEEDED, ICMP4_UNREACHABLE } from '../wire/icmp4.ts';
import { fragmentation6 } from './fragmentation-ipv6.ts';
import { calls, faults, Notes, packets, type SeenPacket } from './observe.ts';
import { alphabet, must, routeBy, sleep } from './programs.ts';
import type { Scene } from './scene.ts';

const CLIENT = '10.0.1.1';
const SERVER = '10.0.2.2';
const PORT = 9;
/** The narrow part of the way, in bytes. */
const NARROW = 1000;

/** Datagrams that are too large for a part of the way. */
export const fragmentation: Scene = {
  name: 'fragmentation',
  summary: 'a datagram cut on its way; a lost fragment loses all; DF finds the path MTU',
  look:
    'The way to the server leads over a router and has an MTU of 1500 bytes at first, then of 1000. A ' +
    'datagram of 2500 bytes is cut by the client, and its first fragment once more by the router; only the ' +
    'server puts them together. The same again, but a fragment is lost: the rest waits 30 s in vain. Then ' +
    'with DF (do not fragment): the router must not cut, and says what fits (ICMP "need to frag"). The client ' +
    'remembers the path MTU. That is how TCP avoids all this.',
  hosts: ['client', 'server'],
  addresses: [CLIENT, SERVER],
  overIpv6: fragmentation6,
  // The router stands between: what it sends by eth1 goes to the right.
  isLeft: event =>
    event.host === 'client' || (event.host === 'router' && event.type === 'packet' && event.netif === 'eth1'),

  build(world) {
    const client = world.host('client');
    const router = world.host('router', { sysctl: { ip_forward: true } });
    const server = world.host('server');
    world.connect(client, router, { delayUs: 1_000, addresses: [`${CLIENT}/24`, '10.0.1.254/24'] });
    const addresses = ['10.0.2.254/24', `${SERVER}/24`] as const;
    const far = world.connect(router, server, { delayUs: 1_000, mtu: NARROW, addresses });
    routeBy(client, '10.0.1.254');
    routeBy(server, '10.0.2.254');

    const receive = async ({ sys }: Stack) => {
      const fd = must(sys.socket(S.AF_INET, S.SOCK_DGRAM, 0));
      must(sys.bind(fd, { address: '0.0.0.0', port: PORT }));
      while ((await sys.wait.recv(fd, new Uint8Array(65536))) > 0);
    };
    const send = async ({ sys }: Stack) => {
      const fd = must(sys.socket(S.AF_INET, S.SOCK_DGRAM, 0));
      must(sys.connect(fd, { address: SERVER, port: PORT }));
      must(sys.setsockopt(fd, S.IPPROTO_IP, S.IP_MTU_DISCOVER, S.IP_PMTUDISC_DONT));
      must(await sys.wait.send(fd, alphabet(2500)));
      await sleep(sys, 1000);

      let fragments = 0;
      far.configure({ there: { delayUs: 1_000, drop: () => ++fragments === 2 } });
      must(await sys.wait.send(fd, alphabet(2500)));
      await sleep(sys, 35_000);

      far.configure({ there: { delayUs: 1_000 } });
      sys.setsockopt(fd, S.IPPROTO_IP, S.IP_MTU_DISCOVER, S.IP_PMTUDISC_WANT);
      must(await sys.wait.send(fd, alphabet(1400))); // fits the first cable, not the second
      await sleep(sys, 100);
      await sys.wait.send(fd, alphabet(1400)); // reports the error, or goes by the path MTU
      await sys.wait.send(fd, alphabet(1400));
    };
    return () => {
      void receive(server);
      return send(client);
    };
  },

  tell(events) {
    const notes = new Notes();
    const sent = packets(events, 'client', 'out');
    notes.put(sent.find(isFragment)?.event, 'Cut by the client to 1500 bytes.');
    notes.put(
      packets(events, 'router', 'out').find(isFragment)?.event,
      `Cut again by the router to ${NARROW} bytes.`,
    );
    notes.put(faults(events, 'drop')[0], 'One fragment is lost.');
    const icmp = (type: number, host: string) =>
      packets(events, host, 'out').find(packet => packet.icmp?.type === type);
    const expired = icmp(ICMP4_TIME_EXCEEDED, 'server');
    notes.put(expired?.event, 'After 30 s the server drops what it has, and says so.');
    const needed = icmp(ICMP4_UNREACHABLE, 'router');
    notes.put(needed?.event, 'DF was set: the router may not cut. It says which MTU would fit.');
    const mtu = needed?.icmp?.code === ICMP4_FRAGMENTATION_NEEDED ? needed.icmp.rest & 0xffff : 0;
    const after = sent.find(packet => isFragment(packet) && packet.atUs > (needed?.atUs ?? 0));
    notes.put(after?.event, 'The client knows the path MTU now, and cuts to it at once.');
    const reads = calls(events, 'server', 'recv').map(({ result }) => result);
    return {
      notes,
      seen:
        `The router made fragments of ${NARROW} bytes at most; the server read datagrams of ` +
        `${reads.join(', ')} bytes, and of the one ` +
        `with a lost fragment nothing. With DF the client learned a path MTU of ${mtu}.`,
    };
  },
};

function isFragment({ fragment }: SeenPacket): boolean {
  return fragment !== null;
}
