/**
 * Several stacks in one process, on a switch, in real time. A stack is an object: it shares nothing with another one,
 * so two of them may even listen on the same port.
 *
 * Shows: a learning switch, UDP broadcast, two servers on one port number, and that closing one stack ends what belongs
 * to it and nothing else.
 *
 * Run: npm run build:test && node build/examples/two-stacks.js
 */
import { LearningSwitch, nodeEnv, Stack } from 'ethertype';

const env = nodeEnv();
const lan = new LearningSwitch(env);

function host(name: string, address: string): Stack {
  const stack = new Stack({ env, name });
  stack.attach(lan.port({ delayUs: 100 }), { address });
  return stack;
}
const a = host('a', '10.0.0.1/24');
const b = host('b', '10.0.0.2/24');
const c = host('c', '10.0.0.3/24');

/** Answers each connection with the name of the host. */
async function serveName(stack: Stack): Promise<void> {
  for await (const connection of stack.listen({ port: 80 })) {
    const writer = connection.writable.getWriter();
    await writer.write(new TextEncoder().encode(`this is ${stack.name}`));
    await writer.close();
    await connection.close();
  }
}

async function ask(hostname: string): Promise<string> {
  const socket = a.connect({ hostname, port: 80 });
  let text = '';
  for await (const chunk of socket.readable) text += new TextDecoder().decode(chunk);
  return text;
}

// Who is there? A broadcast finds out.
for (const stack of [b, c]) {
  const socket = stack.udp({ port: 9 });
  void socket.receive().then(({ hostname, port }) => {
    return socket.send(new TextEncoder().encode(stack.name), { hostname, port });
  });
}
const finder = a.udp({ broadcast: true });
await finder.send(new Uint8Array(1), { hostname: '10.0.0.255', port: 9 });
for (let answers = 0; answers < 2; answers++) {
  const { data, hostname } = await finder.receive();
  console.log(`${new TextDecoder().decode(data)} answers from ${hostname}`);
}

const servers = [serveName(b), serveName(c)];
console.log('port 80 of 10.0.0.2:', await ask('10.0.0.2'));
console.log('port 80 of 10.0.0.3:', await ask('10.0.0.3'));

b.close();
const signal = AbortSignal.timeout(300); // or it tries for two minutes, like any stack
await a.connect({ hostname: '10.0.0.2', port: 80 }, { signal }).opened.catch((error: Error) => {
  console.log('after b.close():    ', error.message);
});
console.log('port 80 of 10.0.0.3:', await ask('10.0.0.3'));

for (const stack of [a, c]) stack.close();
lan.close();
await Promise.all(servers);
