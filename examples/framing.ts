/**
 * Messages over TCP. TCP carries a stream of bytes: three sends may arrive as one piece, one as three. Whoever wants
 * messages marks where each one ends.
 *
 * Shows: what arrives without framing, a length in front of each message, and a delimiter behind it.
 *
 * Run: npm run build:test && node build/examples/framing.js
 */
import { encodeDelimited, encodeLengthPrefixed, readDelimited, readLengthPrefixed, World } from 'ethertype';

const MESSAGES = ['to be', 'or not to be', 'that is the question'];
const encoder = new TextEncoder();
const decoder = new TextDecoder();

const world = new World({ seed: 3 });
const sender = world.host('sender');
const receiver = world.host('receiver');
world.connect(sender, receiver, { delayUs: 1_000, loss: 0.05 });

type Encode = (message: Uint8Array) => Uint8Array;
type Read = (source: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;

/** Sends the messages over a connection of their own and returns the pieces the receiver sees. */
async function transfer(port: number, encode: Encode, read: Read): Promise<string[]> {
  const listener = receiver.listen({ port });
  const socket = sender.connect({ hostname: '10.0.0.2', port });
  const writer = socket.writable.getWriter();
  const sending = Promise.all(MESSAGES.map(text => writer.write(encode(encoder.encode(text))))).then(() =>
    writer.close(),
  );
  const pieces: string[] = [];
  const connection = await listener.accept();
  for await (const piece of read(connection.readable)) pieces.push(decoder.decode(piece));
  await Promise.all([sending, connection.close()]);
  listener.close();
  return pieces;
}

async function main() {
  const plain: Encode = message => message;
  console.log('no framing:      ', await transfer(1000, plain, source => source));
  console.log('length in front: ', await transfer(1001, m => encodeLengthPrefixed(m), readLengthPrefixed));
  console.log('delimiter behind:', await transfer(1002, m => encodeDelimited(m), readDelimited));
}

await world.run(main());
world.close();
