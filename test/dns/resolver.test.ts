import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Resolver } from '../../src/dns/resolver.ts';
import { serveDns } from '../../src/dns/server.ts';
import { addresses, codeOf, Net, nameIn, nameServer, record, reply, SERVER, soa, typeIn } from './fixture.ts';

describe('a resolver', () => {
  it('asks a server for every kind of record', async () => {
    const net = new Net();
    serveDns(net.server, {
      zones: {
        'example.test': {
          '@': { MX: { preference: 10, exchange: 'mail' }, NS: 'ns' },
          www: { A: ['10.0.0.2', '10.0.0.3'], AAAA: 'fd00::2', TXT: 'hello' },
          alias: { CNAME: 'www' },
          '_x._tcp': { SRV: { priority: 1, weight: 2, port: 3, target: 'www' } },
        },
        '0.0.10.in-addr.arpa': { 2: { PTR: 'www.example.test.' } },
        '0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa': { '2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0': { PTR: 'w.test.' } },
      },
    });
    const dns = net.resolver();
    assert.deepEqual(await net.run(dns.resolve4('www.example.test')), ['10.0.0.2', '10.0.0.3']);
    assert.deepEqual(await net.run(dns.resolve6('alias.example.test')), ['fd00::2']);
    const [mx] = await net.run(dns.resolve('example.test', 'MX'));
    assert.deepEqual(mx?.data, { preference: 10, exchange: 'mail.example.test' });
    const [srv] = await net.run(dns.resolve('_x._tcp.example.test', 'SRV'));
    assert.equal(srv?.data.target, 'www.example.test');
    const [txt] = await net.run(dns.resolve('www.example.test', 'txt'));
    assert.deepEqual(txt?.data, [new TextEncoder().encode('hello')]);
    assert.deepEqual(await net.run(dns.reverse('10.0.0.2')), ['www.example.test']);
    assert.deepEqual(await net.run(dns.reverse('fd00::2')), ['w.test']);
    assert.deepEqual((await net.run(dns.lookup('www.example.test'))).sort(), [
      '10.0.0.2',
      '10.0.0.3',
      'fd00::2',
    ]);
    assert.equal(await codeOf(net.run(dns.resolve4('no.example.test'))), 'ENOTFOUND');
    assert.equal(await codeOf(net.run(dns.resolve('www.example.test', 'MX'))), 'ENODATA');
    assert.equal(await codeOf(net.run(dns.resolve4('www.example.org'))), 'EREFUSED');
    assert.equal(await codeOf(net.run(dns.resolve4('a..b'))), 'EBADNAME');
    await assert.rejects(dns.resolve('x', 'NONSENSE'), /not a type of DNS: "NONSENSE"/);
    net.world.close();
  });

  it('says what went wrong as Node does', async () => {
    const net = new Net();
    serveDns(net.server, { zones: { test: {} } });
    await assert.rejects(net.run(net.resolver().resolve('no.test', 'MX')), {
      name: 'DnsError',
      code: 'ENOTFOUND',
      syscall: 'queryMx',
      hostname: 'no.test',
      message: 'queryMx ENOTFOUND no.test: there is no such name',
    });
    await assert.rejects(net.run(net.resolver().lookup('no.test')), {
      code: 'ENOTFOUND',
      syscall: 'getaddrinfo',
    });
    net.world.close();
  });

  it('asks both families at once', async () => {
    const net = new Net();
    const { asked } = nameServer(net.server, addresses);
    const dns = net.resolver();
    await net.run(dns.resolve4('first.test'));
    assert.equal(await net.time(dns.lookup('www.test')), 2, 'one round trip');
    assert.deepEqual(asked.slice(1).map(typeIn).sort(), ['A', 'AAAA']);
    net.world.close();
  });

  it('uses the name servers that the stack was told of unless it is given others', async () => {
    const net = new Net();
    const { asked } = nameServer(net.server, addresses);
    const dns = new Resolver(net.client);
    assert.equal(await codeOf(net.run(dns.resolve4('www.test'))), 'ENOSERVER');
    net.tellServers(SERVER);
    assert.deepEqual(await net.run(dns.resolve4('www.test')), ['10.9.9.9']);
    assert.equal(asked.length, 1);
    assert.throws(
      () => net.resolver({ servers: ['ns.test'] }),
      /not the address of a name server: "ns.test"/,
    );
    assert.throws(() => net.resolver({ servers: ['10.0.0.1:0'] }), TypeError);
    const other = net.resolver({ servers: ['[fd00::2]:5353', '10.0.0.2:53'] }).nameServers;
    assert.deepEqual(
      other.map(({ address, port }) => `${address} ${port}`),
      ['fd00::2 5353', '10.0.0.2 53'],
    );
    net.world.close();
  });

  it('asks over IPv6, and completes names with the domains the stack was told of', async () => {
    const net = new Net();
    serveDns(net.server, { zones: { 'example.test': { www: { A: '10.0.0.9' } } } });
    await net.world.runFor(3_000_000);
    net.tellServers('fd00::2', ['example.test']);
    assert.deepEqual(await net.run(new Resolver(net.client).lookup('www')), ['10.0.0.9']);
    net.world.close();
  });
});

describe('a resolver, its rounds', () => {
  it('repeats a question, and gives up when resolv.conf says so', async () => {
    const net = new Net();
    const { asked } = nameServer(net.server, () => null);
    assert.equal(await net.time(net.resolver().resolve4('www.test')), 10_000, '2 attempts of 5 seconds');
    assert.equal(asked.length, 6, 'after 1 and 3 seconds, twice');
    assert.equal(new Set(asked.map(({ id }) => id)).size, 2, 'each attempt has its id');
    assert.equal(await codeOf(net.run(net.resolver().resolve4('x.test'))), 'ETIMEOUT');
    assert.equal(await net.time(net.resolver({ timeout: 2, attempts: 3 }).resolve4('www.test')), 6000);
    assert.equal(
      await net.time(net.resolver({ resolvConf: 'options timeout:1 attempts:1' }).resolve4('www.test')),
      1000,
    );
    net.world.close();
  });

  it('asks the next server when one is silent, fails, refuses or is not there', async () => {
    const net = new Net();
    const { asked } = nameServer(net.server, addresses);
    const silent = net.resolver({ servers: ['10.0.0.77', SERVER] });
    assert.deepEqual(await net.run(silent.resolve4('a.test')), ['10.9.9.9']);
    const closed = net.resolver({ servers: ['10.0.0.2:54', SERVER] });
    assert.equal(
      await net.time(closed.resolve4('b.test')),
      4,
      'at once, when ICMP says that nobody is there',
    );
    net.world.close();
    assert.equal(asked.length, 2);
    for (const rcode of ['SERVFAIL', 'REFUSED', 'NOTIMP', 'FORMERR', 'NOTAUTH']) {
      const other = new Net();
      const [bad, good] = [
        nameServer(other.server, query => reply(query, [], { rcode, edns: query.edns })),
        nameServer(other.server, addresses, null, 5353),
      ];
      const dns = other.resolver({ servers: [SERVER, '10.0.0.2:5353'] });
      assert.deepEqual(await other.run(dns.resolve4('www.test')), ['10.9.9.9'], rcode);
      assert.deepEqual([bad.asked.length, good.asked.length], [1, 1]);
      other.world.close();
    }
  });

  it('says what the servers said when none has an answer', async () => {
    for (const [rcode, code] of [
      ['SERVFAIL', 'ESERVFAIL'],
      ['REFUSED', 'EREFUSED'],
      ['NOTIMP', 'ENOTIMP'],
      ['FORMERR', 'EFORMERR'],
    ]) {
      const net = new Net();
      const { asked } = nameServer(net.server, query => reply(query, [], { rcode: rcode as string }));
      assert.equal(await codeOf(net.run(net.resolver().resolve4('www.test'))), code);
      assert.equal(asked.length, 1, 'it would say the same again');
      net.world.close();
    }
    const net = new Net();
    assert.equal(await codeOf(net.run(net.resolver().resolve4('www.test'))), 'ECONNREFUSED');
    net.world.close();
  });

  it('takes a referral for no answer: it asks nobody in turn', async () => {
    const net = new Net();
    const authorities = [record('test', 'NS', 'ns.test')];
    nameServer(net.server, query => reply(query, [], { ra: false, authorities }));
    assert.equal(await codeOf(net.run(net.resolver().resolve4('www.test'))), 'EREFUSED');
    net.world.close();
  });

  it('begins with another server each time when told to rotate', async () => {
    const net = new Net();
    const servers = [53, 54, 55, 56].map(port => nameServer(net.server, addresses, null, port));
    const dns = net.resolver({ servers: [53, 54, 55, 56].map(port => `10.0.0.2:${port}`), rotate: true });
    for (let i = 0; i < 6; i++) await net.run(dns.resolve4(`${i}.test`));
    assert.deepEqual(
      servers.map(({ asked }) => asked.length),
      [2, 2, 2, 0],
      'three at most, as in resolv.conf',
    );
    net.world.close();
  });

  it('asks by TCP when the answer is cut off, or when told to', async () => {
    const net = new Net();
    serveDns(net.server, {
      zones: { test: { big: { TXT: Array.from({ length: 99 }, (_, i) => `${i}`.repeat(99)) } } },
    });
    const records = await net.run(net.resolver().resolve('big.test', 'TXT'));
    assert.equal(records.length, 99);
    const tcpOnly = net.resolver({ useTcp: true });
    assert.equal((await net.run(tcpOnly.resolve('big.test', 'TXT'))).length, 99);
    net.world.close();
    const silent = new Net();
    nameServer(
      silent.server,
      query => reply(query, [], { tc: true }),
      () => null,
    );
    assert.equal(await silent.time(silent.resolver({ attempts: 1 }).resolve4('www.test')), 5000);
    silent.world.close();
    const closed = new Net();
    nameServer(closed.server, query => reply(query, [], { tc: true }));
    assert.equal(await codeOf(closed.run(closed.resolver().resolve4('www.test'))), 'ECONNREFUSED');
    closed.world.close();
  });

  it('does without EDNS where it is not understood, and remembers that', async () => {
    const net = new Net();
    const { asked } = nameServer(net.server, query =>
      query.edns === null
        ? addresses(query)
        : reply(query, [], { rcode: 'FORMERR', edns: null, questions: [] }),
    );
    const dns = net.resolver();
    assert.deepEqual(await net.run(dns.resolve4('a.test')), ['10.9.9.9']);
    assert.deepEqual(await net.run(dns.resolve4('b.test')), ['10.9.9.9']);
    assert.deepEqual(
      asked.map(({ edns }) => edns?.udpSize ?? 0),
      [1232, 0, 0],
    );
    await net.run(net.resolver({ ednsSize: 0 }).resolve4('c.test'));
    assert.equal(asked[3]?.edns, null);
    net.world.close();
  });
});

describe('a resolver, aliases', () => {
  it('follows those in an answer, and asks for the rest itself', async () => {
    const net = new Net();
    const { asked } = nameServer(net.server, query => {
      const name = nameIn(query).toLowerCase();
      if (name === 'a.test')
        return reply(query, [record('a.test', 'CNAME', 'b.test'), record('b.test', 'CNAME', 'C.test')]);
      if (name === 'c.test')
        return reply(query, [record('c.test', 'CNAME', 'd.test'), record('d.test', 'A', '10.9.9.9')]);
      return reply(query, [], { rcode: 'NXDOMAIN' });
    });
    assert.deepEqual(await net.run(net.resolver().resolve4('a.test')), ['10.9.9.9']);
    assert.deepEqual(
      asked.map(query => nameIn(query).toLowerCase()),
      ['a.test', 'c.test'],
    );
    net.world.close();
  });

  it('gives up on circles, and on chains without end', async () => {
    const net = new Net();
    let last = 0;
    const { asked } = nameServer(net.server, query =>
      reply(query, [
        nameIn(query).toLowerCase() === 'circle.test'
          ? record('circle.test', 'CNAME', 'circle.test')
          : record(nameIn(query), 'CNAME', `n${last++}.test`),
      ]),
    );
    assert.equal(await codeOf(net.run(net.resolver().resolve4('circle.test'))), 'EBADRESP');
    asked.length = 0;
    assert.equal(await codeOf(net.run(net.resolver().resolve4('start.test'))), 'EBADRESP');
    assert.equal(asked.length, 17);
    net.world.close();
  });

  it('knows that the target is not there when a SOA says so', async () => {
    const net = new Net();
    nameServer(net.server, query => {
      const alias = record(nameIn(query), 'CNAME', 'b.test');
      const rcode = nameIn(query).toLowerCase() === 'gone.test' ? 'NXDOMAIN' : 'NOERROR';
      return reply(query, [alias], { rcode, authorities: [soa('test', 60)] });
    });
    assert.equal(await codeOf(net.run(net.resolver().resolve4('gone.test'))), 'ENOTFOUND');
    assert.equal(await codeOf(net.run(net.resolver().resolve4('bare.test'))), 'ENODATA');
    net.world.close();
  });

  it('are not followed where they are what is asked for', async () => {
    const net = new Net();
    nameServer(net.server, query => reply(query, [record(nameIn(query), 'CNAME', 'b.test')]));
    const [alias] = await net.run(net.resolver().resolve('a.test', 'CNAME'));
    assert.equal(alias?.data, 'b.test');
    net.world.close();
  });
});

describe('a resolver, what it remembers', () => {
  it('answers for as long as they are good, their times running down', async () => {
    const net = new Net();
    const { asked } = nameServer(net.server, query =>
      reply(query, [record(nameIn(query), 'A', '10.9.9.9', 10)]),
    );
    const dns = net.resolver();
    await net.run(dns.resolve4('www.test'));
    await net.world.runFor(4_000_000);
    const [again] = await net.run(dns.resolve('WWW.test', 'A'));
    assert.equal(again?.ttl, 6);
    assert.equal(asked.length, 1);
    await net.world.runFor(6_000_000);
    await net.run(dns.resolve4('www.test'));
    assert.equal(asked.length, 2);
    dns.clearCache();
    await net.run(dns.resolve4('www.test'));
    assert.equal(asked.length, 3);
    net.world.close();
  });

  it('that something does not exist, as long as the SOA says (RFC 2308)', async () => {
    const net = new Net();
    const { asked } = nameServer(net.server, query => {
      const name = nameIn(query).toLowerCase();
      const rcode = name === 'no.test' ? 'NXDOMAIN' : 'NOERROR';
      const authorities =
        name === 'unsaid.test'
          ? []
          : name === 'liar.test'
            ? [soa('other.example', 99)]
            : [soa('test', 5, 60)];
      return reply(query, [], { rcode, authorities });
    });
    const dns = net.resolver();
    const count = async (name: string, type: string): Promise<number> => {
      const before = asked.length;
      await net.run(codeOf(dns.resolve(name, type)));
      return asked.length - before;
    };
    assert.deepEqual([await count('no.test', 'A'), await count('no.test', 'A')], [1, 0]);
    assert.equal(await count('no.test', 'AAAA'), 0, 'a name that is not there has no type at all (RFC 8020)');
    assert.deepEqual([await count('empty.test', 'A'), await count('empty.test', 'A')], [1, 0]);
    assert.equal(await count('empty.test', 'MX'), 1);
    await net.world.runFor(5_000_000);
    assert.equal(await count('no.test', 'A'), 1, 'the minimum, not the time of the record');
    assert.deepEqual([await count('unsaid.test', 'A'), await count('unsaid.test', 'A')], [1, 1]);
    assert.deepEqual(
      [await count('liar.test', 'A'), await count('liar.test', 'A')],
      [1, 1],
      'a SOA of elsewhere',
    );
    net.world.close();
  });

  it('nothing that the question was not about, and no failures', async () => {
    const net = new Net();
    const { asked } = nameServer(net.server, (query, count) =>
      count === 1
        ? reply(query, [record(nameIn(query), 'A', '10.9.9.9'), record('bank.test', 'A', '6.6.6.6')], {
            additionals: [record('bank.test', 'A', '6.6.6.6')],
          })
        : reply(query, [], { rcode: 'SERVFAIL' }),
    );
    const dns = net.resolver();
    assert.deepEqual(await net.run(dns.resolve4('www.test')), ['10.9.9.9']);
    assert.equal(await codeOf(net.run(dns.resolve4('bank.test'))), 'ESERVFAIL');
    assert.equal(await codeOf(net.run(dns.resolve4('bank.test'))), 'ESERVFAIL');
    assert.equal(asked.length, 3);
    net.world.close();
  });

  it('no more than its limits', async () => {
    const net = new Net();
    nameServer(net.server, addresses);
    const dns = net.resolver({ limits: { cacheEntries: 3 } });
    for (let i = 0; i < 5; i++) await net.run(dns.resolve4(`${i}.test`));
    assert.equal(dns.cacheSize, 3);
    const small = net.resolver({ limits: { cacheBytes: 110 } });
    for (let i = 0; i < 5; i++) await net.run(small.resolve4(`${i}.test`));
    assert.equal(small.cacheSize, 2);
    net.world.close();
  });

  it('nothing with a time of 0, and nothing for longer than a day', async () => {
    const net = new Net();
    const { asked } = nameServer(net.server, query =>
      reply(query, [record(nameIn(query), 'A', '10.9.9.9', typeIn(query) === 'A' ? 0 : 1e9)]),
    );
    const dns = net.resolver();
    await net.run(dns.resolve4('www.test'));
    await net.run(dns.resolve4('www.test'));
    assert.equal(asked.length, 2);
    net.world.close();
  });
});

describe('a resolver, many questions', () => {
  it('asks once when the same is asked several times at once', async () => {
    const net = new Net();
    const { asked } = nameServer(net.server, addresses);
    const dns = net.resolver();
    const all = await net.run(
      Promise.all(['www.test', 'WWW.test', 'www.TEST.'].map(name => dns.resolve4(name))),
    );
    assert.deepEqual(all, [['10.9.9.9'], ['10.9.9.9'], ['10.9.9.9']]);
    assert.equal(asked.length, 1);
    net.world.close();
  });

  it('keeps to its limits of those under way and those that wait', async () => {
    const net = new Net();
    const { asked } = nameServer(net.server, async query => {
      await net.sleep(100_000);
      return addresses(query);
    });
    const dns = net.resolver({ limits: { queries: 4, waiting: 10 } });
    const all = Promise.all(Array.from({ length: 20 }, (_, i) => codeOf(dns.resolve4(`${i}.test`))));
    await net.world.runFor(50_000);
    assert.equal(asked.length, 4);
    const codes = await net.run(all);
    assert.deepEqual(codes.filter(code => code === 'none').length, 14);
    assert.deepEqual(codes.filter(code => code === 'ECANCELLED').length, 6);
    net.world.close();
  });

  it('ends with its stack, and with its signal', async () => {
    const net = new Net();
    nameServer(net.server, () => null);
    const dns = net.resolver();
    const controller = new AbortController();
    const stopped = assert.rejects(dns.lookup('a.test', { signal: controller.signal }), /enough/);
    const ended = codeOf(dns.lookup('b.test'));
    await net.world.runFor(100_000);
    controller.abort(new Error('enough'));
    await stopped;
    net.client.close();
    assert.equal(await ended, 'ECANCELLED');
    assert.equal(await codeOf(dns.resolve4('c.test')), 'ECANCELLED');
    net.world.close();
  });
});
