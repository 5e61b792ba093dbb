import { calls, Notes, states } from './observe.ts';
import { bytesOf, introduce, listen, must, PORT } from './programs.ts';
import type { Scene } from './scene.ts';

/** A socket that listens changes its mind and calls. */
export const listenToSynSent: Scene = {
  name: 'listen-to-syn-sent',
  summary: 'a listening socket sends: the rarest arrow of the diagram',
  look:
    'RFC 9293 (section 3.10.2) lets a program SEND on a connection in LISTEN: it then opens actively, from ' +
    'LISTEN to SYN_SENT. The BSD calls have no good word for it, and Linux and Windows leave the arrow out. ' +
    'Here it is sendto() with an address on a listening socket. What was given to sendto() goes out when the ' +
    'connection stands.',
  hosts: ['caller', 'server'],

  build(world, network) {
    const caller = world.host('caller');
    const server = world.host('server');
    world.connect(caller, server, { delayUs: 10_000 });
    introduce(caller, server);

    const serve = async () => {
      const { sys } = server;
      const listener = listen(sys, network.any);
      const fd = must(await sys.wait.accept(listener));
      await sys.wait.recv(fd, new Uint8Array(100));
      await sys.wait.send(fd, bytesOf('here I am'));
      sys.close(fd);
      sys.close(listener);
    };
    const call = async () => {
      const { sys } = caller;
      const fd = listen(sys, network.any);
      await sys.wait.sendto(fd, bytesOf('I could not wait'), 0, { address: network.server, port: PORT });
      await sys.wait.recv(fd, new Uint8Array(100)); // close() before the connection stands would give it up
      sys.close(fd);
    };
    return () => Promise.all([serve(), call()]);
  },

  tell(events) {
    const notes = new Notes();
    const [sent] = states(events, 'caller', 'SYN_SENT');
    notes.put(sent, 'The arrow that hardly any system has.');
    const [call] = calls(events, 'caller', 'sendto');
    notes.put(call, 'The socket that listened is now one that sends.');
    const read = calls(events, 'server', 'recv').find(({ result }) => result > 0);
    notes.put(read, 'The data has come through.');
    const path = states(events, 'caller').slice(0, 3);
    return {
      notes,
      seen:
        `The caller went ${[path[0]?.from, ...path.map(({ to }) => to)].join(', ')}, by '${sent?.cause}'; the ` +
        `server read ` +
        `${read?.result ?? 0} bytes.`,
    };
  },
};
