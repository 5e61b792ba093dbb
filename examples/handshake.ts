/**
 * A handshake and a close, captured and explained: the packets as tcpdump prints them, and beside each what the two
 * state machines did.
 *
 * Shows: one stream of trace events, which carries packets and state changes alike, and the tcpdump view of it.
 *
 * Run: npm run build:test && node build/examples/handshake.js
 */
import { type TraceEvent, TraceLog, World } from 'ethertype';
import { tcpdumpView } from 'ethertype/view';

const EXPLAINED: Record<string, string> = {
  'Flags [S],': 'SYN: "let us talk; my first sequence number is ..."',
  'Flags [S.],': 'SYN-ACK: "agreed; mine is ..., and I have yours"',
  'Flags [.],': 'ACK: "I have everything up to here"',
  'Flags [P.],': 'data',
  'Flags [F.],': 'FIN: "I have nothing more to say"',
};

const trace = new TraceLog();
const world = new World({ seed: 7, trace });
const client = world.host('client');
const server = world.host('server');
world.connect(client, server, { delayUs: 10_000 });

async function serve() {
  const connection = await server.listen({ port: 65500 }).accept();
  for await (const _ of connection.readable);
  await connection.close();
}
async function ask() {
  const socket = client.connect({ hostname: '10.0.0.2', port: 65500 });
  const writer = socket.writable.getWriter();
  await writer.write(new TextEncoder().encode('hello'));
  await writer.close();
  for await (const _ of socket.readable);
  await socket.closed;
}
await world.run(Promise.all([serve(), ask()]));
// TIME_WAIT lasts a minute; in virtual time nobody has to wait for it.
await world.runFor(61_000_000);
world.close();

/** The client's packets: what a capture at its network card shows. */
const tcpdump = tcpdumpView({ host: 'client' });
const startUs = trace.events[0]?.atUs ?? 0;

function describe(event: TraceEvent): string | null {
  const ms = `${((event.atUs - startUs) / 1000).toFixed(1).padStart(8)} ms`;
  if (event.type === 'tcp:state') {
    const indent = event.host === 'client' ? '' : ' '.repeat(40);
    return `${ms}  ${indent}${event.host}: ${event.from} -> ${event.to}  (${event.cause})`;
  }
  const [line] = tcpdump(event);
  if (line === undefined || !line.includes('Flags')) return null;
  const why = Object.entries(EXPLAINED).find(([flags]) => line.includes(flags))?.[1] ?? '';
  return `${ms}    ${line.slice(line.indexOf('10.'))}\n${' '.repeat(15)}${why}`;
}

for (const event of trace.events) {
  const text = describe(event);
  if (text !== null) console.log(text);
}
