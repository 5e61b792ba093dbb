import assert from 'node:assert/strict';
import { Rng } from '../../src/base/rng.ts';
import type { World } from '../../src/sim/world.ts';
import { AF_INET, AF_INET6, SHUT_WR, SOCK_STREAM } from '../../src/socket/constants.ts';
import type { Stack } from '../../src/stack/stack.ts';
import { IpAddress } from '../../src/wire/address.ts';

/** Bytes handed to one call. */
const CHUNK = 65536;
/** Of the stream's bytes; a prime, so that a piece that is lost or doubled shows wherever it lies. */
const PERIOD = 1_000_003;

/** Two periods of random bytes: any chunk of the stream lies in one piece. */
const PATTERN = new Uint8Array(2 * PERIOD);
new Rng(1).fill(PATTERN.subarray(0, PERIOD));
PATTERN.copyWithin(PERIOD, 0, PERIOD);

/** What a receiver saw. */
export interface Received {
  bytes: number;
  /** Position of the first wrong byte; -1 when all were right. */
  wrongAt: number;
}

/** The stream's `length` bytes from `at`. Each side sends its own: `salt` shifts it. */
function piece(at: number, length: number, salt: number): Uint8Array {
  const start = (at + salt * 7919) % PERIOD;
  return PATTERN.subarray(start, start + length);
}

/** Sends `total` bytes of the stream and FIN. */
export async function sendStream(stack: Stack, fd: number, total: number, salt: number): Promise<void> {
  for (let at = 0; at < total; ) {
    const sent = await stack.sys.wait.send(fd, piece(at, Math.min(CHUNK, total - at), salt));
    assert.ok(sent > 0, `send returned ${sent} at ${at}`);
    at += sent;
  }
  assert.equal(stack.sys.shutdown(fd, SHUT_WR), 0);
}

/** Reads until the end and compares every byte with the stream. */
export async function receiveStream(stack: Stack, fd: number, salt: number): Promise<Received> {
  const buffer = Buffer.alloc(CHUNK);
  const received: Received = { bytes: 0, wrongAt: -1 };
  for (;;) {
    const length = await stack.sys.wait.recv(fd, buffer);
    assert.ok(length >= 0, `recv returned ${length} at ${received.bytes}`);
    if (length === 0) return received;
    const expected = piece(received.bytes, length, salt);
    if (received.wrongAt < 0 && buffer.compare(expected, 0, length, 0, length) !== 0) {
      received.wrongAt = received.bytes;
    }
    received.bytes += length;
  }
}

/** `bytes` each way at once over one connection of the BSD calls, checked byte by byte at both ends. */
export async function exchange(
  client: Stack,
  server: Stack,
  address: string,
  bytes: number,
  port = 5000,
): Promise<void> {
  const isIpv6 = address.includes(':');
  const family = isIpv6 ? AF_INET6 : AF_INET;
  const listener = server.sys.socket(family, SOCK_STREAM);
  assert.equal(server.sys.bind(listener, { address: isIpv6 ? '::' : '0.0.0.0', port }), 0);
  assert.equal(server.sys.listen(listener, 1), 0);
  const whole = { bytes, wrongAt: -1 };
  const serve = async (): Promise<void> => {
    const fd = await server.sys.wait.accept(listener);
    assert.ok(fd >= 0);
    const [received] = await Promise.all([receiveStream(server, fd, 1), sendStream(server, fd, bytes, 2)]);
    assert.deepEqual(received, whole);
    server.sys.close(fd);
    server.sys.close(listener);
  };
  const ask = async (): Promise<void> => {
    const fd = client.sys.socket(family, SOCK_STREAM);
    assert.equal(await client.sys.wait.connect(fd, { address, port }), 0);
    const [received] = await Promise.all([receiveStream(client, fd, 2), sendStream(client, fd, bytes, 1)]);
    assert.deepEqual(received, whole);
    client.sys.close(fd);
  };
  await Promise.all([serve(), ask()]);
}

/** An address from its text. */
export function ip(text: string): IpAddress {
  const address = IpAddress.parse(text);
  assert.ok(address !== null, text);
  return address;
}

/** What a stack still holds. All zero when nothing is going on and nobody listens. */
export function leftovers(stack: Stack): Record<string, number> {
  const { host, tcp } = stack;
  return {
    timers: host.timers.size,
    flows: tcp.flows.size,
    ports: tcp.ports.size,
    listeners: [...tcp.allListeners()].length,
    blocks: tcp.context.blocks.inUse,
  };
}

export const NOTHING = { timers: 0, flows: 0, ports: 0, listeners: 0, blocks: 0 };

/** Ten minutes later, TIME_WAIT and neighbours included, nothing of what was done is left; then the world ends. */
export async function assertNothingLeft(world: World, ...stacks: Stack[]): Promise<void> {
  await world.runFor(600_000_000);
  for (const stack of stacks) assert.deepEqual(leftovers(stack), NOTHING, stack.name);
  assert.equal(world.pool.inUse, 0, 'packets');
  world.close();
  assert.equal(world.clock.armed, 0, 'tasks after close()');
}
