/**
 * An echo server and a client, each on a network stack of its own, joined by a cable in memory, in real time.
 *
 * Shows: making a stack, attaching it to a link, `listen` and `connect` with web streams, a half-close (FIN) that ends
 * the conversation, and `await using`: the stacks close, nothing is left behind, the process ends by itself.
 *
 * Run: npm run build:test && node build/examples/echo.js
 */
import { createCable, nodeEnv, Stack } from 'ethertype';

const env = nodeEnv();
const [left, right] = createCable(env, { delayUs: 500 });

await using server = new Stack({ env, name: 'server' });
server.attach(right, { address: '10.0.0.2/24' });

await using client = new Stack({ env, name: 'client' });
client.attach(left, { address: '10.0.0.1/24' });

const listener = server.listen({ port: 7 });
const serving = (async () => {
  for await (const connection of listener) {
    // What is read is written; the end of the one closes the other. A connection that breaks is the peer's affair.
    connection.readable.pipeTo(connection.writable).catch(() => {});
  }
})();

const socket = client.connect({ hostname: '10.0.0.2', port: 7 });
const { localAddress, remoteAddress } = await socket.opened;
console.log(`${localAddress} is connected to ${remoteAddress}`);

const writer = socket.writable.getWriter();
for (const line of ['one\n', 'two\n', 'three\n']) await writer.write(new TextEncoder().encode(line));
await writer.close();

// The client has said all it has to say, but it still listens.
const decoder = new TextDecoder();
let answer = '';
for await (const chunk of socket.readable) answer += decoder.decode(chunk, { stream: true });
console.log(`the answer: ${JSON.stringify(answer)}`);

await socket.closed;
listener.close();
await serving;
