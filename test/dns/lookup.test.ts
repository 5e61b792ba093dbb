import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addresses, codeOf, Net, nameIn, nameServer, reply, soa, typeIn } from './fixture.ts';

describe('a lookup', () => {
  /** Names that a server knows; which were asked for, in order. */
  function known(net: Net, ...names: string[]): () => string[] {
    const { asked } = nameServer(net.server, query => {
      const name = nameIn(query).toLowerCase();
      if (name === 'broken.test' || name.endsWith('.broken')) return reply(query, [], { rcode: 'SERVFAIL' });
      if (names.includes(name)) return addresses(query);
      return reply(query, [], {
        rcode: name.startsWith('empty') ? 'NOERROR' : 'NXDOMAIN',
        authorities: [soa('.', 60)],
      });
    });
    return () => [...new Set(asked.splice(0).map(query => nameIn(query).toLowerCase()))];
  }

  it('completes names with the search list, as ndots says', async () => {
    const net = new Net();
    const asked = known(net, 'www.b.test', 'host.sub.b.test', 'x.y.z');
    const dns = net.resolver({ search: ['a.test', 'b.test.'] });
    await net.run(dns.lookup('www'));
    assert.deepEqual(asked(), ['www.a.test', 'www.b.test']);
    await net.run(dns.lookup('host.sub'));
    assert.deepEqual(asked(), ['host.sub', 'host.sub.a.test', 'host.sub.b.test']);
    assert.equal(await codeOf(net.run(dns.lookup('www.'))), 'ENOTFOUND');
    assert.deepEqual(asked(), ['www'], 'a dot at the end: just this name');
    await net.run(net.resolver({ search: ['a.test'], ndots: 3 }).lookup('x.y.z'));
    assert.deepEqual(asked(), ['x.y.z.a.test', 'x.y.z']);
    await net.run(codeOf(net.resolver({ resolvConf: 'search c.test\noptions ndots:0' }).lookup('no')));
    assert.deepEqual(asked(), ['no', 'no.c.test']);
    net.world.close();
  });

  it('remembers on its way that there was something, or that a server failed', async () => {
    const net = new Net();
    const asked = known(net, 'www.b.test');
    assert.equal(await codeOf(net.run(net.resolver({ search: ['a.test'] }).lookup('empty'))), 'ENODATA');
    assert.equal(await codeOf(net.run(net.resolver({ search: ['broken'] }).lookup('www'))), 'ESERVFAIL');
    asked();
    assert.equal((await net.run(net.resolver({ search: ['broken', 'b.test'] }).lookup('www'))).length, 2);
    net.world.close();
    const silent = new Net();
    const { asked: all } = nameServer(silent.server, () => null);
    assert.equal(
      await codeOf(silent.run(silent.resolver({ search: ['a.test'], attempts: 1 }).lookup('www'))),
      'ETIMEOUT',
    );
    assert.deepEqual(new Set(all.map(query => nameIn(query).toLowerCase())), new Set(['www.a.test']));
    silent.world.close();
  });

  it('needs no server for addresses, localhost and the hosts file', async () => {
    const net = new Net();
    const { asked } = nameServer(net.server, addresses);
    const hosts =
      '127.0.0.1 localhost\n10.1.1.1  Box.test box # a comment\nfd01::1 box.test\nnonsense line\n10.1.1.2 a..b\n';
    const dns = net.resolver({ hosts });
    assert.deepEqual(await dns.lookup('10.0.0.7'), ['10.0.0.7']);
    assert.deepEqual(await dns.lookup('fe80::1%eth0'), ['fe80::1%2']);
    assert.deepEqual((await dns.lookup('BOX.test')).sort(), ['10.1.1.1', 'fd01::1']);
    assert.deepEqual(await dns.lookup('box'), ['10.1.1.1']);
    assert.deepEqual(await dns.lookup('box.test.', { family: 6 }), ['fd01::1']);
    assert.equal(
      await codeOf(dns.lookup('box', { family: 6 })),
      'ENODATA',
      'the file is not completed by DNS',
    );
    assert.deepEqual(await dns.lookup('localhost'), ['127.0.0.1']);
    assert.deepEqual(await net.resolver().lookup('x.localhost.'), ['::1', '127.0.0.1']);
    assert.deepEqual(await dns.reverse('10.1.1.1'), ['Box.test', 'box']);
    assert.equal(asked.length, 0);
    assert.equal(await codeOf(dns.lookup('')), 'EBADNAME');
    assert.equal(await codeOf(dns.reverse('nonsense')), 'EBADNAME');
    net.world.close();
  });

  it('of one family asks for that alone', async () => {
    const net = new Net();
    const { asked } = nameServer(net.server, addresses);
    assert.deepEqual(await net.run(net.resolver().lookup('www.test', { family: 4 })), ['10.9.9.9']);
    assert.deepEqual(asked.map(typeIn), ['A']);
    net.world.close();
  });

  it('tells of each family as soon as it is known, and of its absence only when that is certain', async () => {
    const net = new Net();
    nameServer(net.server, async query => {
      const name = nameIn(query).toLowerCase();
      if (typeIn(query) === 'A') await net.sleep(100_000);
      if (name === 'only4.b.test' && typeIn(query) === 'A') return addresses(query);
      return reply(query, [], { rcode: name === 'only4.b.test' ? 'NOERROR' : 'NXDOMAIN' });
    });
    const told: string[] = [];
    const dns = net.resolver({ search: ['a.test', 'b.test'] });
    const found = dns.findAddresses('only4', (family, list) => told.push(`${family} ${list}`));
    await net.run(found);
    assert.deepEqual(told, ['2 10.9.9.9', '10 ']);
    net.world.close();
  });
});
