/**
 * QEMU's framing against a program that others wrote: passt, which is what QEMU's `-netdev stream` is connected to
 * when a guest gets to the network without root. It turns the TCP connections of our stack into its own sockets.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect as connectUnix, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createDuplexLink } from '../../src/node/duplex.ts';
import { nodeEnv } from '../../src/node/env.ts';
import { Stack } from '../../src/stack/stack.ts';
import { connect } from './talk.ts';

const GUEST = '10.65.9.2';
const GATEWAY = '10.65.9.1';
const BYTES = 5_000_000;

/** Starts passt; null where there is none, or where it finds no network to take part in. */
async function startPasst(path: string): Promise<ChildProcess | null> {
  const args = ['-f', '-1', '-4', '-s', path, '-a', GUEST, '-n', '24', '-g', GATEWAY];
  const child = spawn('passt', args, { stdio: 'ignore' });
  const failed = Promise.race([once(child, 'error'), once(child, 'exit')]).then(
    () => true,
    () => true,
  );
  for (let tries = 0; tries < 500; tries++) {
    if (existsSync(path)) return child;
    if (await Promise.race([failed, new Promise<false>(resolve => setTimeout(resolve, 10, false))])) break;
  }
  child.kill('SIGKILL');
  return null;
}

/** Sends `BYTES` bytes and reads as many, which must be the same. Nobody closes before both have everything. */
async function echo(stack: Stack, fd: number): Promise<void> {
  const sent = Buffer.alloc(BYTES);
  for (let at = 0; at + 4 <= BYTES; at += 4) sent.writeUInt32LE(Math.imul(at, 2654435761) >>> 0, at);
  const send = async (): Promise<void> => {
    for (let at = 0; at < BYTES; ) {
      const length = await stack.sys.wait.send(fd, sent.subarray(at, at + 65_536));
      assert.ok(length > 0, `send returned ${length}`);
      at += length;
    }
  };
  const received = Buffer.alloc(BYTES);
  const receive = async (): Promise<void> => {
    for (let at = 0; at < BYTES; ) {
      const length = await stack.sys.wait.recv(fd, received.subarray(at));
      assert.ok(length > 0, `recv returned ${length} at ${at}`);
      at += length;
    }
  };
  await Promise.all([send(), receive()]);
  assert.ok(received.equals(sent));
}

const missing =
  spawnSync('passt', ['--version']).error !== undefined ? 'SKIPPED: passt is not installed' : false;

test('passt understands our frames and we its: 5 MB to a server of the kernel and back', {
  skip: missing,
}, async t => {
  // passt gives up root, and must still be able to make its socket here.
  const folder = mkdtempSync(join(tmpdir(), 'ethertype-passt-'));
  chmodSync(folder, 0o777);
  const path = join(folder, 'socket');
  const passt = await startPasst(path);
  const server = createServer((socket: Socket) => socket.on('error', () => {}).pipe(socket)).listen(
    0,
    '127.0.0.1',
  );
  try {
    if (passt === null) return t.skip('SKIPPED: passt finds no network here');
    await once(server, 'listening');
    const stack = new Stack({ env: nodeEnv() });
    const link = createDuplexLink(stack.host.env, () => connectUnix(path), { pool: stack.host.pool });
    stack.attach(link, { address: `${GUEST}/24`, gateway: GATEWAY });
    await link.whenUp();
    // Behind the gateway's address passt reaches the loopback of the machine it runs on.
    const fd = await connect(stack, GATEWAY, (server.address() as AddressInfo).port);
    await echo(stack, fd);
    stack.sys.close(fd);
    stack.close();
    assert.equal(stack.host.pool.inUse, 0);
  } finally {
    passt?.kill('SIGKILL');
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
