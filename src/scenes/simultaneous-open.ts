import { SOCK_STREAM } from '../socket/constants.ts';
import type { Stack } from '../stack/stack.ts';
import { calls, Notes, segments, states } from './observe.ts';
import { bytesOf, introduce, must } from './programs.ts';
import type { Scene } from './scene.ts';

const PORT = 5000;

/** Two hosts call each other at the same moment: one connection, and no server. */
export const simultaneousOpen: Scene = {
  name: 'simultaneous-open',
  summary: 'both ends call connect() at once, and one connection comes of it',
  look:
    'Nobody listens. Both programs bind port 5000 and connect to port 5000 of the other at the same moment. ' +
    'The SYNs cross on the wire; each host gets a SYN where it expected a SYN-ACK, and takes the arrow of the ' +
    'diagram that is hardly ever taken: SYN_SENT to SYN_RCVD. It needs four segments instead of three, and ' +
    'makes ONE connection (RFC 9293 section 3.5, figure 7).',
  hosts: ['anna', 'ben'],

  build(world, network) {
    const anna = world.host('anna');
    const ben = world.host('ben');
    world.connect(anna, ben, { delayUs: 10_000 });
    introduce(anna, ben);

    const talk = async ({ sys }: Stack, peer: string, words: string) => {
      const fd = must(sys.socket(network.family, SOCK_STREAM, 0));
      must(sys.bind(fd, { address: network.any, port: PORT }));
      must(await sys.wait.connect(fd, { address: peer, port: PORT }));
      await sys.wait.send(fd, bytesOf(words));
      await sys.wait.recv(fd, new Uint8Array(100));
      sys.close(fd);
    };
    return () =>
      Promise.all([talk(anna, network.server, 'hello ben'), talk(ben, network.client, 'hello anna')]);
  },

  tell(events) {
    const notes = new Notes();
    for (const host of ['anna', 'ben']) {
      notes.put(states(events, host, 'SYN_RCVD')[0], 'A SYN where a SYN-ACK was expected: both have called.');
      notes.put(calls(events, host, 'connect')[0], 'One connection, the same for both.');
    }
    const path = states(events, 'anna')
      .slice(0, 3)
      .map(({ to }) => to);
    const heard = (host: string): string =>
      JSON.stringify(textRead(calls(events, host, 'recv')[0]?.args['buf']));
    const syns = ['anna', 'ben']
      .flatMap(host => segments(events, host, 'out'))
      .filter(({ tcp }) => (tcp.flags & 2) !== 0);
    return {
      notes,
      seen:
        `Both went ${path.join(', ')}, with ${syns.length} segments that carry SYN. Anna read ` +
        `${heard('anna')}, Ben ${heard('ben')}.`,
    };
  },
};

function textRead(buf: unknown): string {
  return (buf as { text?: string } | null)?.text ?? '';
}
