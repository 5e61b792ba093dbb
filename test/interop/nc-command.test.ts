import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { bytesOf, CommandBench, HOST, KERNEL, TIMEOUT_MS } from './command-bench.ts';
import { cannotRun } from './network.ts';

const skip = cannotRun('curl');

/** All that a socket receives, which stays open for sending. */
async function heardFrom(socket: Socket): Promise<string> {
  let heard = '';
  socket.on('data', piece => {
    heard += String(piece);
  });
  await once(socket, 'end');
  return heard;
}

describe('ethertype nc on a TAP device', { skip, timeout: TIMEOUT_MS }, () => {
  const bench = new CommandBench();

  it('sends what it is given, then goes on receiving when that has ended', async () => {
    let heard: Promise<string> | null = null;
    const port = await bench.kernelServer(socket => {
      heard = heardFrom(socket).then(all => {
        socket.end('answer to the end\n');
        return all;
      });
    });
    const command = bench.start('nc', '-v', KERNEL, port);
    await command.until('err', /Connection to 10\.65\.0\.1 \d+ port \[tcp\] succeeded!/);
    command.child.stdin.end('question\n');
    const ended = await command.end();
    assert.deepEqual([ended.status, ended.out], [0, 'answer to the end\n']);
    assert.equal(await heard, 'question\n');
    bench.isGone();
  });

  it('goes on sending when the peer has said all', async () => {
    let heard: Promise<string> | null = null;
    const port = await bench.kernelServer(socket => {
      socket.end('all I have to say\n');
      heard = heardFrom(socket);
    });
    const command = bench.start('nc', KERNEL, port);
    await command.until('out', /all I have to say\n/);
    command.child.stdin.write('still ');
    command.child.stdin.end('here\n');
    assert.equal((await command.end()).status, 0);
    assert.equal(await heard, 'still here\n');
  });

  it('waits for a peer with -l, and moves much both ways at once', async () => {
    const there = bytesOf(2_000_000);
    const command = await bench.start('nc', '-l', '7000').ready();
    const socket = await bench.kernelConnect(7000);
    const pieces: Buffer[] = [];
    socket.on('data', piece => pieces.push(piece));
    socket.end(there);
    command.child.stdin.end(there);
    const ended = await command.end();
    assert.equal(ended.status, 0);
    assert.ok(ended.bytes.equals(there));
    assert.ok(Buffer.concat(pieces).equals(there));
  });

  it('speaks UDP, both as the one that begins and as the one that waits', async () => {
    const echo = createSocket('udp4', (message, peer) =>
      echo.send(`echo ${message}`, peer.port, peer.address),
    );
    await once(echo.bind(0, '0.0.0.0'), 'listening');
    bench.onEnd(() => echo.close());
    const command = bench.start('nc', '-u', KERNEL, String(echo.address().port));
    command.child.stdin.end('hello\n');
    const ended = await command.end();
    assert.deepEqual([ended.status, ended.out], [0, 'echo hello\n']);

    const listening = await bench.start('nc', '-u', '-l', '7001').ready();
    const answered = once(echo.removeAllListeners('message'), 'message');
    echo.send('from the kernel\n', 7001, HOST);
    await listening.until('out', /from the kernel\n/);
    listening.child.stdin.write('answer\n');
    assert.equal(String((await answered)[0]), 'answer\n');
    assert.equal((await listening.end('SIGINT')).signal, 'SIGINT');
    bench.isGone();
  });

  it('says in one line why there is no connection, and gives up after -w', async () => {
    const refused = await bench.run('nc', '-q', KERNEL, '1');
    assert.deepEqual(
      [refused.status, refused.err],
      [1, 'ethertype: cannot connect to 10.65.0.1:1: Connection refused\n'],
    );
    const port = await bench.kernelServer(() => undefined);
    const idle = bench.start('nc', '-q', '-w', '1', KERNEL, port);
    assert.equal((await idle.end()).status, 0);
  });
});
