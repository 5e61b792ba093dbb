import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ethertype, type Ran } from '../cli/command.ts';

const PASSES = '`./setup.sh`\n0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 close(3) = 0\n';
const FAILS =
  '0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 bind(3, ..., ...) = 0\n+0 listen(3, 1) = 0\n+0 < S 0:0(0) win 1\n+0 > R. 0:0(0) ack 1\n';
const SKIPPED = '0 > udp (100)\n';

describe('ethertype packetdrill', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'packetdrill-'));
    mkdirSync(join(folder, 'gtests', 'net', 'tcp', 'close'), { recursive: true });
    const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
    write('a-pass.pkt', PASSES);
    write('setup.sh', 'sysctl -q net.ipv4.tcp_sack=0\n');
    write('b-fail.pkt', FAILS);
    write('c-skip.pkt', SKIPPED);
    write('d-v6.pkt', PASSES);
    write('e-extended.pkt', '--established\n+0 expect_state(ESTABLISHED)\n');
    write('gtests/net/tcp/close/one.pkt', PASSES.replace('`./setup.sh`\n', ''));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const run = (...args: string[]): Ran => ethertype('packetdrill', ...args);

  it('says what became of each script, with what was expected and what came', () => {
    const { status, out } = run(...['a-pass', 'b-fail', 'c-skip'].map(name => join(folder, `${name}.pkt`)));
    assert.equal(status, 1);
    assert.match(out, /^pass .*a-pass\.pkt \(\d+ ms\)$/m);
    assert.match(out, /^FAIL .*b-fail\.pkt: line 5: error handling packet: flags S\., expected R\.$/m);
    assert.match(out, /^ {2}expected > R\. 0:0\(0\) ack 1$/m);
    assert.match(out, /^ {2}actual {3}> S\. /m);
    assert.match(out, /^ {2}state: SYN_RCVD/m);
    assert.match(out, /^SKIP .*c-skip\.pkt: not supported: UDP packets$/m);
    assert.match(out, /^All: 1 of 3 passed, 1 failed, 1 skipped$/m);
  });

  it('status 0 when nothing failed, a skip included', () => {
    assert.equal(run(join(folder, 'a-pass.pkt'), join(folder, 'c-skip.pkt')).status, 0);
  });

  it('--json prints one object a script', () => {
    const { out, status } = run('--json', folder);
    assert.equal(status, 1);
    const results = out
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as Record<string, unknown>);
    for (const result of results)
      assert.deepEqual(Object.keys(result), ['file', 'family', 'result', 'reason', 'ms']);
    assert.deepEqual(
      results.map(({ file, result }) => [String(file).slice(folder.length + 1), result]),
      [
        ['a-pass.pkt', 'pass'],
        ['b-fail.pkt', 'fail'],
        ['c-skip.pkt', 'skip'],
        ['d-v6.pkt', 'skip'],
        ['e-extended.pkt', 'fail'],
        ['gtests/net/tcp/close/one.pkt', 'pass'],
      ],
    );
  });

  it('--verbose shows what happens, --extended knows the additions', () => {
    assert.match(run('--verbose', join(folder, 'a-pass.pkt')).out, /^ {2}0\.000000 \+0 close\(3\) = 0$/m);
    assert.equal(run('--extended', join(folder, 'e-extended.pkt')).status, 0);
  });

  it('--scripts and PACKETDRILL name a checkout', () => {
    const { out, status } = run('--scripts', folder);
    assert.equal(status, 0);
    assert.match(out, /^All: 1 of 1 passed/m);
    assert.equal(run('--scripts', folder, 'close').status, 0);
    assert.equal(run('--scripts', folder, 'a-pass.pkt').status, 0);
  });

  it('complains about a wrong command line', () => {
    assert.match(run(join(folder, 'nowhere')).err, /nowhere: no such file or folder/);
    assert.match(run('--scripts', join(folder, 'nowhere')).err, /nowhere: no such file or folder/);
    const empty = join(folder, 'empty');
    mkdirSync(empty, { recursive: true });
    assert.match(run(empty).err, /no scripts \(\*\.pkt\) in/);
    assert.equal(run('--frobnicate').status, 2);
    assert.equal(run(join(folder, 'nowhere')).status, 1);
  });
});
