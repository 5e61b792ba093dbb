/**
 * netcat, at either end of a connection: each side ends on its own, and much goes both ways at once.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ByteStream } from '../../src/http/stream.ts';
import { Pattern, PIECE_MAX } from '../../src/sim/pattern.ts';
import { enterNetns } from '../node/linux/kernel.ts';
import { FAMILIES } from './support/family.ts';
import { Host, readAll } from './support/host.ts';
import { bytesOf, digestOf, writePattern } from './support/pattern.ts';
import { start, startShell } from './support/programs.ts';
import { skipUnless } from './support/skip.ts';

const skip = skipUnless('nc', 'b2sum');
const BULK = 100_000_000;
const ANSWER = bytesOf(0, 300_000);

for (const family of FAMILIES) {
  describe(`netcat over ${family.name}`, { skip, timeout: 60_000 }, () => {
    const { kernel, ours } = family;
    let folder: string;
    let file: string;
    let host: Host;

    before(() => {
      enterNetns();
      host = new Host({ family });
      folder = mkdtempSync(join(tmpdir(), 'ethertype-'));
      file = join(folder, 'bulk');
      writePattern(file, BULK);
    });
    after(() => {
      host?.close();
      rmSync(folder, { recursive: true });
    });

    it('asks and ends its side; our answer still reaches it', async () => {
      const listener = host.listen(7001);
      const nc = start('nc', ['-n', '-N', ours, '7001'], { input: 'the question' });
      const stream = await host.accept(listener);
      assert.equal((await readAll(stream)).toString(), 'the question');
      await stream.write(ANSWER);
      stream.close();
      assert.equal(await nc.ended, 0, nc.report);
      assert.deepEqual(nc.output, ANSWER);
      host.stack.sys.close(listener);
      await host.idle();
    });

    it('goes on sending to us when we have ended our side', async () => {
      const listener = host.listen(7002);
      const nc = startShell(`nc -n -N ${ours} 7002 <${file}`);
      const stream = await host.accept(listener);
      await stream.write(Buffer.from('the answer'));
      await stream.end();
      assert.equal(await digestOfStream(stream), digestOf(BULK));
      stream.close();
      assert.equal(await nc.ended, 0, nc.report);
      assert.equal(nc.stdout, 'the answer');
      host.stack.sys.close(listener);
      await host.idle();
    });

    it('listens, and ends its side first; what we send still reaches it', async () => {
      const nc = start('nc', ['-n', '-v', '-N', '-l', kernel, '7003'], { input: 'the question' });
      await nc.says(/Listening/);
      const stream = await host.connect(7003);
      assert.equal((await readAll(stream)).toString(), 'the question');
      await stream.write(ANSWER);
      stream.close();
      assert.equal(await nc.ended, 0, nc.report);
      assert.deepEqual(nc.output, ANSWER);
      await host.idle();
    });

    it('connects, and 100 MB go each way at once', async () => {
      const listener = host.listen(7004);
      const nc = startShell(`nc -n -N ${ours} 7004 <${file} | b2sum`);
      await exchange(await host.accept(listener));
      assert.equal(await nc.ended, 0, nc.report);
      assert.equal(nc.stdout.split(' ')[0], digestOf(BULK));
      host.stack.sys.close(listener);
      await host.idle();
    });

    it('listens, and 100 MB go each way at once', async () => {
      const nc = startShell(`nc -n -v -N -l ${kernel} 7005 <${file} | b2sum`);
      await nc.says(/Listening/);
      await exchange(await host.connect(7005));
      assert.equal(await nc.ended, 0, nc.report);
      assert.equal(nc.stdout.split(' ')[0], digestOf(BULK));
      await host.idle();
    });
  });
}

/** Sends the pattern and at the same time reads it. netcat, when it listens, wants to be the first to end. */
async function exchange(stream: ByteStream): Promise<void> {
  const sending = sendPattern(stream);
  assert.equal(await digestOfStream(stream), digestOf(BULK));
  await sending;
  stream.close();
}

async function sendPattern(stream: ByteStream): Promise<void> {
  const pattern = new Pattern();
  for (let at = 0; at < BULK; at += PIECE_MAX) {
    await stream.write(pattern.piece(0, at, Math.min(PIECE_MAX, BULK - at)));
  }
}

async function digestOfStream(stream: ByteStream): Promise<string> {
  const hash = createHash('blake2b512');
  for (let piece = await stream.read(); piece !== null; piece = await stream.read()) hash.update(piece);
  return hash.digest('hex');
}
