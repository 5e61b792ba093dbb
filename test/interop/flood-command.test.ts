import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Pattern } from '../../src/sim/pattern.ts';
import { CommandBench, KERNEL, TIMEOUT_MS } from './command-bench.ts';
import { cannotRun } from './network.ts';

const skip = cannotRun('curl');

describe('ethertype flood and sink on a TAP device', { skip, timeout: TIMEOUT_MS }, () => {
  const bench = new CommandBench();

  it('flood sends the pattern to the kernel and says how fast', async () => {
    const pattern = new Pattern();
    const seen: number[] = [];
    const port = await bench.kernelServer(socket => {
      const connection = seen.push(0) - 1;
      socket.on('data', piece => {
        const at = seen[connection] ?? 0;
        assert.equal(pattern.match(0, at, piece, 0, piece.length), piece.length);
        seen[connection] = at + piece.length;
      });
      socket.on('end', () => socket.end());
    });
    const ended = await bench.run('flood', KERNEL, port, '--bytes', '20M', '--parallel', '2', '--json', '-q');
    assert.equal(ended.status, 0, ended.err);
    assert.deepEqual(seen, [20e6, 20e6]);
    const last = JSON.parse(ended.out.trimEnd().split('\n').at(-1) ?? '');
    assert.equal(last.type, 'end');
    assert.equal(last.bytes, 40e6);
    assert.deepEqual(Object.keys(last.connections[0]), [
      'id',
      'bytes',
      'retransmits',
      'cwnd',
      'mss',
      'rttUs',
    ]);
    const timed = await bench.run('flood', KERNEL, port, '--seconds', '2');
    assert.match(
      timed.out,
      /^0\.0-[12]\.\d s +[\d.]+ [kMG]B +[\d.]+ [kMG]B\/s {2}retrans \d+ {2}cwnd \d+ \([^)]*\) {2}rtt /,
    );
    assert.match(timed.out, /\n0\.0-2\.\d s .* sent in all\n$/);
    bench.isGone();
  });

  it('sink receives from the kernel, and --check finds a wrong byte', async () => {
    const pattern = new Pattern();
    const send = async (change: number): Promise<void> => {
      const socket = await bench.kernelConnect(5001);
      socket.on('error', () => undefined);
      for (let at = 0; at < 20e6; at += 1e6) {
        const piece = pattern.piece(0, at, 1e6).slice();
        if (change >= at && change < at + 1e6)
          piece.fill((piece[change - at] ?? 0) ^ 1, change - at, change - at + 1);
        socket.write(piece);
      }
      socket.end();
    };
    const good = await bench.start('sink', '5001', '--check', '--once').ready();
    await send(-1);
    const ended = await good.end();
    assert.deepEqual([ended.status, ended.err.split('\n').length], [0, 2]);
    assert.match(ended.out, /0\.0-\d+\.\d s +20\.0 MB +[\d.]+ [kMG]B\/s {2}received in all\n$/);
    const bad = await bench.start('sink', '5001', '--check').ready();
    await send(12_345_678);
    const wrong = await bad.end();
    assert.equal(wrong.status, 1);
    assert.match(
      wrong.err,
      /\nethertype: from 10\.65\.0\.1:\d+: byte 12345678 is not the one that was sent\n$/,
    );
    bench.isGone();
  });
});
