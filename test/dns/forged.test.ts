/**
 * Answers that somebody else made (RFC 5452), and a network that loses, repeats and reorders: never a wrong address.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DnsError } from '../../src/dns/errors.ts';
import { encodeMessage, type Message } from '../../src/dns/message.ts';
import { Resolver } from '../../src/dns/resolver.ts';
import { serveDns } from '../../src/dns/server.ts';
import { addresses, Net, nameIn, nameServer, record, reply, SERVER } from './fixture.ts';

const FORGED = '6.6.6.6';

/** An answer of the forger's, as good as it can be made. */
function forged(query: Message, more: Partial<Message> = {}): Message {
  return reply(query, [record(nameIn(query), 'A', FORGED)], more);
}

/** The question with something else in it. */
function asking(query: Message, name: string, type = 'A', kind = 'IN'): Message['questions'] {
  return query.questions.map(question => ({ ...question, name, type, class: kind }));
}

describe('an answer that is not the one', () => {
  for (const [what, forge] of [
    ['another id', query => forged(query, { id: query.id ^ 1 })],
    ['another name', query => forged(query, { questions: asking(query, `x${nameIn(query)}`) })],
    ['another type', query => forged(query, { questions: asking(query, nameIn(query), 'AAAA') })],
    ['another class', query => forged(query, { questions: asking(query, nameIn(query), 'A', 'CH') })],
    ['no question', query => forged(query, { questions: [] })],
    ['two questions', query => forged(query, { questions: [...query.questions, ...query.questions] })],
    ['a question, not an answer', query => forged(query, { response: false })],
    ['another operation', query => forged(query, { opcode: 'NOTIFY' })],
    ['bytes that are no message', query => encodeMessage(forged(query, { id: query.id ^ 1 })).slice(0, 20)],
  ] as [string, (query: Message) => Message | Uint8Array][]) {
    it(`is ignored: ${what}`, async () => {
      const net = new Net();
      const { asked } = nameServer(net.server, query => [forge(query), addresses(query)]);
      assert.deepEqual(await net.run(net.resolver().resolve4('www.test')), ['10.9.9.9']);
      assert.equal(asked.length, 1);
      net.world.close();
    });
  }

  it('is ignored: from another address or another port, or to another port', async () => {
    const net = new Net();
    const evil = net.server.udp({ port: 5353 });
    const { client, server } = net;
    nameServer(server, async query => {
      // Everything is right but where it comes from.
      for (const port of openPorts(client)) {
        await evil.send(encodeMessage(forged(query)), { hostname: '10.0.0.1', port });
      }
      await net.sleep(10_000);
      return addresses(query);
    });
    assert.deepEqual(await net.run(net.resolver().resolve4('www.test')), ['10.9.9.9']);
    net.world.close();
  });

  it('with other letters, or broken, makes the resolver ask by TCP, where nobody guesses', async () => {
    for (const [what, forge] of [
      ['letters', query => forged(query, { questions: asking(query, otherCase(nameIn(query))) })],
      ['broken', query => encodeMessage(forged(query)).slice(0, -1)],
    ] as [string, (query: Message) => Message | Uint8Array][]) {
      const net = new Net();
      const { askedTcp } = nameServer(net.server, forge, addresses);
      assert.deepEqual(await net.run(net.resolver().resolve4('www.test')), ['10.9.9.9'], what);
      assert.equal(askedTcp.length, 1);
      net.world.close();
    }
  });

  it('by TCP is refused as well', async () => {
    const net = new Net();
    nameServer(
      net.server,
      query => reply(query, [], { tc: true }),
      query => forged(query, { id: query.id ^ 1 }),
    );
    await assert.rejects(net.run(net.resolver().resolve4('www.test')), { code: 'EBADRESP' });
    net.world.close();
  });

  it('many of them make the resolver ask by TCP', async () => {
    const net = new Net();
    const flood = (query: Message) =>
      Array.from({ length: 17 }, (_, i) => forged(query, { id: (query.id + 1 + i) & 0xffff }));
    const { askedTcp } = nameServer(net.server, query => [...flood(query), addresses(query)], addresses);
    assert.deepEqual(await net.run(net.resolver().resolve4('www.test')), ['10.9.9.9']);
    assert.equal(askedTcp.length, 1);
    net.world.close();
  });

  it('with letters of another case is taken when the resolver was told not to look', async () => {
    const net = new Net();
    nameServer(net.server, query => {
      const answer = addresses(query);
      return { ...answer, questions: asking(query, nameIn(query).toLowerCase()) };
    });
    const dns = net.resolver({ randomCase: false });
    assert.deepEqual(await net.run(dns.resolve4('www.test')), ['10.9.9.9']);
    net.world.close();
  });
});

describe('what a forger has to guess', () => {
  it('is another port, another id and other letters for each question', async () => {
    const net = new Net();
    const ports = new Set<number>();
    const { asked } = nameServer(net.server, query => {
      for (const port of openPorts(net.client)) ports.add(port);
      return addresses(query);
    });
    const dns = net.resolver();
    for (let i = 0; i < 40; i++) await net.run(dns.resolve4(`abcdefghijklmnop${i}.test`));
    assert.ok(ports.size >= 39, `${ports.size} ports`);
    assert.ok(new Set(asked.map(({ id }) => id)).size >= 39);
    const letters = new Set(asked.map(query => nameIn(query).replace(/[^a-z]/gi, '')));
    assert.ok(letters.size >= 39, 'each name is written in another way');
    net.world.close();
  });
});

describe('a bad network', () => {
  for (const [what, faults] of [
    ['loss', { loss: 0.2 }],
    ['duplicates', { duplicate: 0.5 }],
    ['reordering', { reorder: 0.5, jitterUs: 5000 }],
    ['everything', { loss: 0.1, duplicate: 0.2, reorder: 0.2, jitterUs: 20_000, corrupt: 0.05 }],
  ] as const) {
    it(`loses no lookup and makes none wrong: ${what}`, async () => {
      const net = new Net(faults, 7);
      const zone = Object.fromEntries(
        Array.from({ length: 300 }, (_, i) => [
          `h${i}`,
          { A: `10.1.${i >> 8}.${i & 255}`, AAAA: `fd01::${i.toString(16)}` },
        ]),
      );
      serveDns(net.server, { zones: { test: zone } });
      const dns = net.resolver({ attempts: 5 });
      const all = await net.run(Promise.all(Object.keys(zone).map(name => dns.lookup(`${name}.test`))));
      for (const [i, found] of all.entries()) {
        assert.deepEqual(found.sort(), [
          `10.1.${i >> 8}.${i & 255}`,
          i === 0 ? 'fd01::' : `fd01::${i.toString(16)}`,
        ]);
      }
      net.world.close();
    });
  }

  it('that carries nothing is an error in time, and leaves nothing behind', async () => {
    const net = new Net({ loss: 1 });
    const dns = new Resolver(net.client, { servers: [SERVER] });
    const failure = await net.run(dns.lookup('www.test').catch(error => error));
    assert.ok(failure instanceof DnsError);
    assert.equal(failure.code, 'ETIMEOUT');
    assert.deepEqual(openPorts(net.client), []);
    net.world.close();
  });
});

function openPorts(stack: Net['client']): number[] {
  return [...stack.udpLayer.ports.all()].map(({ localPort }) => localPort);
}

function otherCase(name: string): string {
  return name.replace(/[a-z]/gi, letter =>
    letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
  );
}
