/**
 * A process that is started by tests: a switch which processes join over TCP or WebSockets, and a host on it that
 * exchanges bytes with whoever connects. Arguments: `tcp` or `ws`, a port (0: any), bytes each way (0: no host).
 * Prints the port it listens on, and what its host received; ends when it is killed, or when its host is done and
 * everybody has left.
 */
import { type AddressInfo, createServer } from 'node:net';
import { WebSocketServer } from 'ws';
import type { Link } from '../../src/core/link.ts';
import { LearningSwitch } from '../../src/link/switch.ts';
import { createWebSocketLink } from '../../src/link/web-socket.ts';
import { createDuplexLink } from '../../src/node/duplex.ts';
import { nodeEnv } from '../../src/node/env.ts';
import { Stack } from '../../src/stack/stack.ts';
import { accept, talk } from './talk.ts';

const [kind = 'tcp', port = '0', bytes = '0'] = process.argv.slice(2);
const env = nodeEnv();
const lan = new LearningSwitch(env);
const join = (link: Link): void => lan.attach(link);

function listen(): { address(): unknown; close(): void } {
  if (kind === 'tcp') {
    return createServer(socket => join(createDuplexLink(env, socket))).listen(
      Number(port),
      '127.0.0.1',
      announce,
    );
  }
  const server = new WebSocketServer({ port: Number(port), host: '127.0.0.1' }, announce);
  return server.on('connection', socket => join(createWebSocketLink(env, socket)));
}

function announce(): void {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
}

const server = listen();
if (bytes !== '0') {
  const stack = new Stack({ env, name: 'there' });
  stack.attach(lan.port(), { address: '10.9.0.2/24' });
  const received = await talk(stack, await accept(stack, 5000), Number(bytes), 2, 1);
  process.stdout.write(`${JSON.stringify(received)}\n`);
  while (lan.portCount > 1) await new Promise(resolve => setTimeout(resolve, 1));
  stack.close();
  lan.close();
  server.close();
}
