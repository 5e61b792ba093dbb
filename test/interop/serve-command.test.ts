import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { findInterface } from '../../src/node/linux/netdev.ts';
import {
  bytesOf,
  CommandBench,
  curl,
  HOST,
  HOST6,
  ip,
  KERNEL,
  KERNEL6,
  TIMEOUT_MS,
} from './command-bench.ts';
import { runProgram } from './command-process.ts';
import { cannotRun } from './network.ts';

const skip = cannotRun('curl');

describe('ethertype serve on a TAP device', { skip, timeout: TIMEOUT_MS }, () => {
  const bench = new CommandBench();

  it('says how to reach it; curl fetches files, ranges and heads, over one connection', async () => {
    const content = bytesOf(3_000_000);
    const command = await bench.start('serve', bench.file('big.bin', content)).ready();
    assert.equal(
      command.err,
      `Reach it at http://${HOST}/ or http://[${HOST6}]/ ; kernel side tap0 ${KERNEL}/24 ${KERNEL6}/64\n`,
    );
    const url = `http://${HOST}/big.bin`;
    assert.ok(curl(url).bytes.equals(content));
    assert.ok(curl('-r', '1000-1999', url).bytes.equals(content.subarray(1000, 2000)));
    assert.match(curl('-r', '0-9,-10', '-i', url).out, /multipart\/byteranges/);
    assert.match(curl('-I', url).out, /^HTTP\/1\.1 200 OK\r\n(.+\r\n)*Content-Length: 3000000\r\n/);
    const twice = curl('-v', '-o', '/dev/null', '-o', '/dev/null', url, url);
    assert.match(twice.err, /Re-using existing connection/);
    await command.until('out', /(.*\n){6}/);
    const lines = command.out.trimEnd().split('\n');
    assert.match(lines[0] ?? '', /^10\.65\.0\.1:\d+ "GET \/big\.bin HTTP\/1\.1" 200 3000000$/);
    assert.match(lines[1] ?? '', /"GET \/big\.bin HTTP\/1\.1" 206 1000 bytes=1000-1999$/);
    assert.match(lines[3] ?? '', /"HEAD \/big\.bin HTTP\/1\.1" 200 0$/);
  });

  it('serves fifty at once, and goes on when one leaves in the middle', async () => {
    const content = bytesOf(400_000);
    const command = await bench.start('serve', bench.file('a.bin', content)).ready();
    const left = runProgram('sh', '-c', `curl -sS http://${HOST}/a.bin | head -c 1000 | wc -c`);
    assert.equal(left.out.trim(), '1000');
    const urls = Array.from({ length: 50 }, (_, i) => [
      '-o',
      join(bench.folder, `${i}.out`),
      `http://${HOST}/a.bin`,
    ]);
    assert.equal(curl('-Z', '--parallel-max', '50', ...urls.flat()).status, 0);
    for (let i = 0; i < 50; i++) assert.ok(readFileSync(join(bench.folder, `${i}.out`)).equals(content));
    assert.equal((await command.end('SIGINT')).status, 0);
  });

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    it(`takes everything away on ${signal}`, async () => {
      const command = await bench.start('serve', bench.file('index.html', 'hello')).ready();
      assert.equal(curl(`http://${HOST}/`).out, 'hello');
      assert.ok(bench.devices().includes('tap0'));
      assert.equal(bench.controlFiles().length, 1);
      assert.deepEqual((await command.end(signal)).status, 0);
      bench.isGone();
    });
  }

  it('takes everything away when nobody reads its output any more', async () => {
    const command = await bench.start('serve', bench.file('index.html', 'hello')).ready();
    command.child.stdout.destroy();
    // The first line meets nobody; what comes then may find the stack gone.
    curl(`http://${HOST}/`);
    const ended = await command.end();
    assert.equal(ended.status, 0);
    assert.doesNotMatch(ended.err, /Error|EPIPE/);
    bench.isGone();
  });

  it('starts again after SIGKILL, on a device of its own and on one that stays', async () => {
    const www = bench.file('index.html', 'hello');
    ip('tuntap', 'add', 'dev', 'tap9', 'mode', 'tap');
    for (const tap of ['tap0', 'tap9']) {
      const killed = await bench.start('serve', www, '--tap', tap).ready();
      assert.equal((await killed.end('SIGKILL')).signal, 'SIGKILL');
      assert.ok(bench.controlFiles().length > 0);
      const next = await bench.start('serve', www, '--tap', tap, '--address', '10.65.7.2/24').ready();
      assert.equal(curl('http://10.65.7.2/').out, 'hello');
      const { addresses } = findInterface(tap);
      assert.deepEqual(
        addresses.map(({ address }) => String(address)).filter(each => !each.includes(':')),
        ['10.65.7.1'],
      );
      assert.equal((await next.end('SIGINT')).status, 0);
      assert.deepEqual(bench.controlFiles(), []);
    }
    const left = findInterface('tap9').addresses.map(({ address }) => String(address));
    assert.deepEqual(
      left.filter(each => !each.includes(':')),
      [],
    );
    assert.ok(!bench.devices().includes('tap0'));
  });

  it('refuses a second one on the same device or network in one line, and takes another', async () => {
    const www = bench.file('index.html', 'hello');
    await bench.start('serve', www).ready();
    const same = await bench.run('serve', www);
    assert.equal(same.status, 1);
    assert.match(
      same.err,
      /^ethertype: tap0 is in use by ethertype serve \(process \d+\); take another one, .*\n$/,
    );
    const network = await bench.run('serve', www, '--tap', 'tap1');
    assert.equal(network.status, 1);
    assert.match(network.err, /^ethertype: the network of 10\.65\.0\.2\/24 is on tap0 already \(.*\): .*\n$/);
    await bench.start('serve', www, '--tap', 'tap1', '--address', '10.65.1.2/24').ready();
    assert.equal(curl('http://10.65.1.2/').out, 'hello');
    assert.equal(curl(`http://${HOST}/`).out, 'hello');
  });

  it('works on a TUN device, with the MTU and behind the gateway that were asked for', async () => {
    const content = bytesOf(500_000);
    const www = bench.file('a.bin', content);
    const args = ['--tun', '--tap', 'tun0', '--mtu', '1280', '--gateway', '10.65.0.9'];
    const command = await bench.start('serve', www, ...args).ready();
    assert.match(command.err, /kernel side tun0 10\.65\.0\.9\/24/);
    assert.equal(findInterface('tun0').mtu, 1280);
    assert.ok(curl(`http://${HOST}/a.bin`).bytes.equals(content));
    // The default route leads back to the kernel.
    ip('addr', 'add', '172.16.0.1/24', 'dev', 'lo');
    assert.ok(curl('--interface', '172.16.0.1', `http://${HOST}/a.bin`).bytes.equals(content));
  });

  it('works on an interface that exists, beside the kernel', async () => {
    const other = `et-${process.pid}`;
    ip('netns', 'add', other);
    bench.onEnd(() => ip('netns', 'del', other));
    ip('link', 'add', 'veth0', 'type', 'veth', 'peer', 'name', 'veth1', 'netns', other);
    ip('addr', 'add', '10.65.0.1/24', 'dev', 'veth0');
    ip('link', 'set', 'veth0', 'up');
    ip('-n', other, 'link', 'set', 'veth1', 'up');
    const prefix = ['ip', 'netns', 'exec', other];
    const www = bench.file('index.html', 'hello');
    const command = bench.startIn(prefix, 'serve', www, '--interface', 'veth1');
    await command.ready();
    assert.equal(
      command.err,
      `Reach it at http://${HOST}/ or http://[${HOST6}]/ ; on veth1, for others there\n`,
    );
    assert.equal(curl(`http://${HOST}/`).out, 'hello');
    assert.equal((await command.end('SIGINT')).status, 0);
  });
});
