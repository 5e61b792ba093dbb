/**
 * Our dig and Debian's ask the same dnsmasq the same questions: what they print is the same, line by line, but for the
 * first line, the id, and times.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CommandBench, ip, KERNEL, TIMEOUT_MS } from './command-bench.ts';
import { runProgram } from './command-process.ts';
import { cannotRun } from './network.ts';
import { Dnsmasq } from './support/dnsmasq.ts';

const skip = cannotRun('dig', 'dnsmasq');
const KERNEL6 = 'fd65::1';
const OPTIONS = [
  '--local=/example.test/',
  '--local-ttl=300',
  '--mx-host=example.test,mail.example.test,10',
  '--srv-host=_http._tcp.example.test,www.example.test,80,1,2',
  '--txt-record=txt.example.test,hello world,"quo\\"ted";',
  '--cname=alias.example.test,www.example.test',
  '--caa-record=caa.example.test,0,issue,ca.test',
  '--dns-rr=rr.example.test,65280,010203040506',
  '--dns-rr=example.test,2,036e7331076578616d706c65047465737400',
  `--dns-rr=long.example.test,65281,${'a1'.repeat(70)}`,
  ...Array.from({ length: 30 }, (_, i) => `--txt-record=big.example.test,${`${i}`.padStart(100, '-')}`),
];
const HOSTS = [
  '10.65.0.80 www.example.test',
  'fd65::80 www.example.test',
  '10.65.0.81 a.very.long.host.name.for.the.columns.example.test',
];

describe('dig', { skip, timeout: TIMEOUT_MS }, () => {
  const bench = new CommandBench();

  /** dnsmasq at the kernel's end of a TAP device that our commands then use. */
  async function serve(): Promise<void> {
    ip('tuntap', 'add', 'tap0', 'mode', 'tap');
    ip('address', 'add', `${KERNEL}/24`, 'dev', 'tap0');
    ip('address', 'add', `${KERNEL6}/64`, 'dev', 'tap0', 'nodad');
    ip('link', 'set', 'tap0', 'up');
    const dnsmasq = new Dnsmasq([KERNEL, KERNEL6], HOSTS, OPTIONS);
    bench.onEnd(() => void dnsmasq.close());
    await dnsmasq.ready();
  }

  /** Asserts that both print the same and end alike; returns what that is. */
  async function same(...words: string[]): Promise<string> {
    const theirs = runProgram('dig', '+nocookie', ...words);
    const ours = await bench.run('dig', ...words);
    assert.equal(lasting(ours.out), lasting(theirs.out), words.join(' '));
    assert.equal(ours.status, theirs.status);
    return ours.out;
  }

  it("prints what Debian's dig prints", async () => {
    await serve();
    const at = `@${KERNEL}`;
    const out = await same(at, 'www.example.test');
    assert.match(out, /^www\.example\.test\.\t300\tIN\tA\t10\.65\.0\.80$/m);
    for (const words of [
      'www.example.test AAAA',
      'AAAA www.example.test',
      'alias.example.test',
      'example.test MX',
      'example.test NS',
      '_http._tcp.example.test SRV',
      'txt.example.test TXT',
      'caa.example.test CAA',
      'rr.example.test TYPE65280',
      'long.example.test TYPE65281',
      '-x 10.65.0.80',
      '-x fd65::80',
      'a.very.long.host.name.for.the.columns.example.test',
      'no.example.test',
      'www.example.test SOA',
      'www.example.org',
      'WWW.Example.TEST',
      'big.example.test TXT',
      'big.example.test TXT +ignore',
      'www.example.test +tcp',
      'www.example.test +noedns +norecurse +noadflag',
      'www.example.test +dnssec +cdflag +bufsize=4096',
      'www.example.test +noall +answer',
      'www.example.test +nocomments +noquestion',
      '-t A -c IN www.example.test +nostats +nocmd',
      'www.example.test CH TXT',
    ]) {
      await same(at, ...words.split(' '));
    }
    for (const words of ['www.example.test', 'txt.example.test TXT', 'example.test MX', 'alias.example.test'])
      await same(at, '+short', ...words.split(' '));
    await same(`@${KERNEL6}`, 'www.example.test', 'AAAA');
  });

  it('says that nobody answered', async () => {
    await serve();
    const out = await same('@10.65.0.1', '-p', '5399', '+tries=2', '+time=1', 'www.example.test');
    assert.match(out, /communications error to 10\.65\.0\.1#5399: connection refused/);
    assert.match(out, /^;; no servers could be reached$/m);
    const silent = await bench.run('dig', '@10.65.0.77', '+tries=2', '+time=1', 'www.example.test');
    assert.match(silent.out, /^;; communications error to 10\.65\.0\.77#53: timed out$/m);
    assert.equal(silent.status, 9);
  });

  it('refuses what is no question, with one line', async () => {
    for (const [words, why] of [
      ['@10.65.0.1 a..b', /'a\.\.b' is no domain name/],
      ['@10.65.0.1 www.test nonsense', /'nonsense': there is a name already, and this is no type/],
      ['@10.65.0.1 www.test +nonsense', /'\+nonsense' is an option that is not there/],
      ['@10.65.0.1 www.test +time=0', /a number from 1 to 300 belongs behind it/],
      ['@10.65.0.1 -x nonsense', /-x: 'nonsense' is no IP address/],
      ['@10.65.0.1 -t NONSENSE x', /'NONSENSE' is no type of DNS/],
      ['www.test', /no name server is known: say which, as @10\.65\.0\.1/],
    ] as const) {
      const { status, err, out } = await bench.run('dig', '--quiet', ...words.split(' '));
      assert.match(err, why);
      assert.equal(err.trimEnd().split('\n').length, 1, err);
      assert.deepEqual([status, out], [2, '']);
    }
  });
});

/** The lines without what is another each time; records of a section in an order of ours, for dnsmasq has many. */
function lasting(out: string): string {
  return out
    .replace(/^; <<>> .*$/m, '')
    .replace(/ id: \d+$/m, '')
    .replace(/^;; (Query time|WHEN): .*$/gm, '')
    .replace(/(^[^;\n].*\n)+/gm, records => records.split('\n').sort().join('\n'));
}
