/**
 * Our resolver and dnsmasq, our dig and Debian's, our name server and Debian's dig.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Resolver } from '../../src/dns/resolver.ts';
import { serveDns } from '../../src/dns/server.ts';
import { enterNetns } from '../node/linux/kernel.ts';
import { Dnsmasq } from './support/dnsmasq.ts';
import { FAMILIES } from './support/family.ts';
import { Host } from './support/host.ts';
import { run } from './support/programs.ts';
import { skipUnless } from './support/skip.ts';

/** The second family need only show that nothing depends on it. */
const LOOKUPS = { IPv4: 10_000, IPv6: 2000 } as const;
const LOSS = 0.05;

/** The addresses of host number `i`. */
const address4 = (i: number): string => `10.${100 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`;
const address6 = (i: number): string => `fd77::1:${i.toString(16)}`;

for (const family of FAMILIES) {
  const { name, kernel } = family;
  const lookups = LOOKUPS[name];
  const title = `${lookups} lookups over ${name} with ${LOSS * 100} % loss each way`;
  describe(title, { skip: skipUnless('dnsmasq'), timeout: 120_000 }, () => {
    let host: Host;
    let dnsmasq: Dnsmasq;

    before(async () => {
      enterNetns();
      host = new Host({
        family,
        faults: { up: { loss: LOSS }, down: { loss: LOSS } },
      });
      const hosts = Array.from(
        { length: lookups },
        (_, i) => `${address4(i)} h${i}.test\n${address6(i)} h${i}.test`,
      );
      dnsmasq = new Dnsmasq([kernel], hosts, ['--local=/test/']);
      await dnsmasq.ready();
    });
    after(async () => {
      await dnsmasq?.close();
      host?.close();
    });

    it('none is wrong, none is lost', async test => {
      const { stack, faulty } = host;
      const dns = new Resolver(stack, { servers: [kernel], attempts: 4 });
      const beganMs = performance.now();
      const all = await Promise.all(
        Array.from({ length: lookups }, async (_, i) => (await dns.lookup(`h${i}.test`)).sort().join(' ')),
      );
      const seconds = (performance.now() - beganMs) / 1000;
      for (const [i, found] of all.entries()) assert.equal(found, `${address4(i)} ${address6(i)}`);
      const { up, down } = faulty.counters;
      assert.ok(up.loss > lookups * LOSS && down.loss > lookups * LOSS);
      test.diagnostic(`${seconds.toFixed(1)} s, ${up.loss} questions and ${down.loss} answers lost`);
      assert.equal([...stack.udpLayer.ports.all()].length, 0, 'no socket is left');
    });

    it('and names that are not there are not found', async () => {
      const dns = new Resolver(host.stack, { servers: [kernel], attempts: 4 });
      const codes = await Promise.all(
        Array.from({ length: 200 }, (_, i) => dns.lookup(`no${i}.test`).catch(error => error.code)),
      );
      assert.deepEqual(new Set(codes), new Set(['ENOTFOUND']));
    });
  });
}

describe("our name server and Debian's dig", { skip: skipUnless('dig'), timeout: 60_000 }, () => {
  let host: Host;

  before(() => {
    enterNetns();
    host = new Host();
    serveDns(host.stack, {
      zones: {
        'example.test': {
          '@': { NS: 'ns', MX: [{ preference: 10, exchange: 'mail' }], SOA: { serial: 7, minimum: 30 } },
          ns: { A: '10.65.0.2' },
          mail: { A: '10.65.0.25', AAAA: 'fd65::25' },
          www: { ttl: 60, A: ['10.65.0.2', '10.65.0.3'], AAAA: 'fd65::2', TXT: 'a "quoted" text; and more' },
          alias: { CNAME: 'www' },
          '_http._tcp': { SRV: { priority: 1, weight: 2, port: 80, target: 'www' } },
          '*.dyn': { A: '10.65.0.99' },
          caa: { CAA: { flags: 0, tag: 'issue', value: 'ca.test' } },
          big: { TXT: Array.from({ length: 30 }, (_, i) => `${i}`.padStart(100, '-')) },
          child: { NS: 'ns.child' },
          'ns.child': { A: '10.65.1.53' },
        },
        '0.65.10.in-addr.arpa': { 2: { PTR: 'www.example.test.' } },
      },
    });
  });
  after(() => host?.close());

  /** What dig prints, its comments without what differs each time. */
  async function dig(...words: string[]): Promise<string[]> {
    const { stdout } = await run('dig', ['@10.65.0.2', '+nocookie', '+time=5', '+tries=1', ...words]);
    return stdout.split('\n').filter(line => line !== '');
  }

  const answer = (...words: string[]) => dig('+noall', '+answer', ...words);
  const status = async (...words: string[]) =>
    /status: (\w+).*flags: ([a-z ]*);/
      .exec((await dig(...words)).join(' '))
      ?.slice(1)
      .join(' ');

  it('records of every type', async () => {
    assert.deepEqual(await answer('www.example.test', 'A'), [
      'www.example.test.\t60\tIN\tA\t10.65.0.2',
      'www.example.test.\t60\tIN\tA\t10.65.0.3',
    ]);
    assert.deepEqual(await answer('www.example.test', 'AAAA'), ['www.example.test.\t60\tIN\tAAAA\tfd65::2']);
    assert.deepEqual(await answer('example.test', 'MX'), [
      'example.test.\t\t3600\tIN\tMX\t10 mail.example.test.',
    ]);
    assert.deepEqual(await answer('www.example.test', 'TXT'), [
      'www.example.test.\t60\tIN\tTXT\t"a \\"quoted\\" text; and more"',
    ]);
    assert.deepEqual(await answer('alias.example.test', 'AAAA'), [
      'alias.example.test.\t3600\tIN\tCNAME\twww.example.test.',
      'www.example.test.\t60\tIN\tAAAA\tfd65::2',
    ]);
    assert.deepEqual(await answer('_http._tcp.example.test', 'SRV'), [
      '_http._tcp.example.test. 3600\tIN\tSRV\t1 2 80 www.example.test.',
    ]);
    assert.deepEqual(await answer('caa.example.test', 'CAA'), [
      'caa.example.test.\t3600\tIN\tCAA\t0 issue "ca.test"',
    ]);
    assert.deepEqual(await answer('any.dyn.example.test'), [
      'any.dyn.example.test.\t3600\tIN\tA\t10.65.0.99',
    ]);
    assert.deepEqual(await answer('-x', '10.65.0.2'), [
      '2.0.65.10.in-addr.arpa.\t3600\tIN\tPTR\twww.example.test.',
    ]);
    assert.deepEqual(await answer('example.test', 'SOA'), [
      'example.test.\t\t3600\tIN\tSOA\tns.example.test. hostmaster.example.test. 7 3600 600 604800 30',
    ]);
    assert.equal((await answer('www.example.test', 'ANY')).length, 4);
  });

  it('what is not there, what is not ours, what is not known', async () => {
    assert.equal(await status('no.example.test'), 'NXDOMAIN qr aa rd');
    assert.equal(await status('www.example.test', 'MX'), 'NOERROR qr aa rd');
    assert.equal(await status('www.example.org'), 'REFUSED qr rd');
    assert.equal(await status('example.test', 'AXFR', '+tcp'), undefined);
    assert.equal(await status('+opcode=notify', 'example.test', 'SOA'), 'NOTIMP qr rd');
    assert.equal(await status('+edns=1', '+noednsnegotiation', 'www.example.test'), 'BADVERS qr rd');
    const authority = await dig('+noall', '+authority', 'no.example.test');
    assert.deepEqual(
      authority.map(line =>
        line
          .split('\t')
          .filter(part => part !== '')
          .slice(0, 4),
      ),
      [['example.test.', '30', 'IN', 'SOA']],
    );
    assert.deepEqual(await dig('+noall', '+authority', '+additional', 'x.child.example.test'), [
      'child.example.test.\t3600\tIN\tNS\tns.child.example.test.',
      'ns.child.example.test.\t3600\tIN\tA\t10.65.1.53',
    ]);
  });

  it('EDNS, cut-off answers, and TCP', async () => {
    assert.ok((await dig('www.example.test')).includes('; EDNS: version: 0, flags:; udp: 1232'));
    assert.ok(!(await dig('+noedns', 'www.example.test')).some(line => /EDNS/.test(line)));
    assert.equal(await status('+ignore', 'big.example.test', 'TXT'), 'NOERROR qr aa tc rd');
    const big = await dig('big.example.test', 'TXT');
    assert.ok(big.includes(';; Truncated, retrying in TCP mode.'));
    assert.equal(big.filter(line => /\tTXT\t"/.test(line)).length, 30);
    assert.equal((await answer('+tcp', 'www.example.test')).length, 2);
    const two = await dig(
      '+noall',
      '+answer',
      '+tcp',
      '+keepopen',
      'www.example.test',
      'AAAA',
      'alias.example.test',
      'CNAME',
    );
    assert.equal(two.length, 2, 'two questions on one connection');
    const malformed = (await dig('-x', '10.65.0.2', '+bufsize=512')).join('\n');
    assert.doesNotMatch(malformed, /malformed|WARNING: Messag|extra bytes/);
    await host.idle();
  });
});
