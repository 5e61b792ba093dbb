import { encodeLengthPrefixed, readLengthPrefixed } from '../socket/framing.ts';
import { calls, Notes, outside } from './observe.ts';
import { alphabet, bytesOf, connect, introduce, listen, must, PORT, textOf } from './programs.ts';
import type { Scene } from './scene.ts';

const MESSAGES = ['one', 'two', 'three'];

/** TCP knows no messages: sends and receives do not correspond. */
export const stickyPackets: Scene = {
  name: 'sticky-packets',
  summary: 'three sends in one recv, one send in several: framing makes messages',
  look:
    'TCP carries a stream of bytes. The client sends three messages; the server, which is slow to read, gets ' +
    'them as one piece, "stuck together". Then the client sends one large message; the server gets it in ' +
    'several pieces. Neither is an error. Whoever wants messages marks where each one ends: on the second ' +
    'connection each has its length in front, and the reader gets exactly what was written.',
  hosts: ['client', 'server'],

  build(world, network) {
    const client = world.host('client');
    const server = world.host('server');
    world.connect(client, server, { delayUs: 5_000, rate: 10e6 });
    introduce(client, server);

    const plain = async () => {
      const { sys } = server;
      const listener = listen(sys, network.any);
      const fd = must(await sys.wait.accept(listener));
      await sys.wait.poll([], 50); // slow to read
      const buffer = new Uint8Array(65536);
      while ((await sys.wait.recv(fd, buffer)) > 0);
      sys.close(fd);
      sys.close(listener);
    };
    const send = async () => {
      const { sys } = client;
      const fd = must(await connect(sys, network.server));
      for (const message of MESSAGES) await sys.wait.send(fd, bytesOf(message));
      await sys.wait.poll([], 100);
      await sys.wait.send(fd, alphabet(5000));
      sys.close(fd);
    };
    const framed = async () => {
      const listener = server.listen({ hostname: network.any, port: PORT });
      const socket = client.connect({ hostname: network.server, port: PORT });
      const writer = socket.writable.getWriter();
      for (const message of MESSAGES)
        void writer.write(encodeLengthPrefixed(bytesOf(message), { lengthBytes: 2 }));
      void writer.close();
      const connection = await listener.accept();
      const reply = connection.writable.getWriter();
      for await (const message of readLengthPrefixed(connection.readable, { lengthBytes: 2 })) {
        await reply.write(bytesOf(`got "${textOf(message)}"`)); // one answer for each message
      }
      await connection.close();
      listener.close();
      await socket.close();
    };
    return async () => {
      await Promise.all([plain(), send()]);
      await framed();
    };
  },

  tell(events) {
    const notes = new Notes();
    const reads = calls(events, 'server', 'recv').filter(({ result }) => result > 0);
    const text = (call: (typeof reads)[number]): string =>
      (call.args['buf'] as { text: string } | null)?.text ?? '';
    const stuck = reads.find(call => text(call) === MESSAGES.join(''));
    notes.put(stuck, 'Three sends, one recv: the borders are gone.');
    const large = calls(events, 'client', 'send').find(({ result }) => result === 5000);
    const parts = reads
      .filter(({ atUs }) => atUs > (stuck?.atUs ?? 0))
      .filter(call => /^[a-z]/.test(text(call)));
    notes.put(parts[0], 'One send of 5000 bytes: this is the first piece of it.');
    const answers = calls(events, 'server', 'send').filter(call => text(call).startsWith('got'));
    notes.put(answers[0], 'With a length in front the reader knows where each message ends.');
    return {
      notes,
      folds: outside(events, calls(events, 'client', 'connect')[0], answers.at(-1)),
      seen:
        `Without framing ${MESSAGES.length} sends came as ` +
        `${stuck === undefined ? 'several pieces' : '1 piece'}, and one send of ${large?.result} ` +
        `bytes came as ${parts.length} pieces. With framing the reader answered: ${answers.map(text).join(', ')}.`,
    };
  },
};
