/**
 * Mutated DNS messages, into a resolver and into a server, in virtual time: what holds after so many of them.
 */
import assert from 'node:assert/strict';
import { Rng } from '../../src/base/rng.ts';
import { DnsError } from '../../src/dns/errors.ts';
import { BLANK_MESSAGE, decodeMessage, encodeMessage, type Message } from '../../src/dns/message.ts';
import type { ResourceRecord } from '../../src/dns/records.ts';
import { type DnsServer, serveDns } from '../../src/dns/server.ts';
import { encodeLengthPrefixed } from '../../src/socket/framing.ts';
import { Net, nameIn, record, reply, SERVER, soa, typeIn } from './fixture.ts';

const TYPES = [
  'A',
  'AAAA',
  'NS',
  'CNAME',
  'SOA',
  'PTR',
  'MX',
  'TXT',
  'SRV',
  'CAA',
  'HINFO',
  'NSEC',
  'ANY',
  'TYPE99',
];
const NAMES = [
  'www.test',
  'alias.test',
  'x.dyn.test',
  'no.test',
  'test',
  'a.child.test',
  'big.test',
  'www.other',
  '.',
];
/** Bytes that mean something in a name, a length or a count. */
const BYTES = [0, 1, 2, 12, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xff];
/** Lookups that are under way at once, and questions that are sent at once. */
const LOOKUPS_MAX = 40;
const BATCH = 20;
/** What one turn may take: a resolver gives up after two seconds. */
const TURN_US = 50_000;
const CACHE_MAX = 50;
/** Sockets of the client that may be open: those of questions, and one that sends. */
const SOCKETS_MAX = 20;

/** How much was done. */
export interface FuzzReport {
  readonly packets: number;
  /** Lookups that found something, and answers of the server that were no refusal of the form. */
  readonly found: number;
  readonly answered: number;
}

/** Sends `packets` mutated messages. Throws for what must not be. */
export async function fuzzDns(packets: number, seed: number): Promise<FuzzReport> {
  const run = new Fuzz(seed);
  while (run.packets < packets) await run.turn();
  return run.end();
}

class Fuzz {
  packets = 0;
  private found = 0;
  private answered = 0;
  private readonly rng: Rng;
  private readonly net: Net;
  private readonly server: DnsServer;
  private readonly client;
  private readonly dns;
  /** Lookups that have not ended. */
  private open = 0;
  private readonly seen: Uint8Array[] = [];

  constructor(seed: number) {
    this.rng = new Rng(seed);
    this.net = new Net({ delayUs: 100 }, seed);
    const { client, server } = this.net;
    this.server = serveDns(server, {
      zones: {
        test: {
          '@': { NS: 'ns', MX: { preference: 1, exchange: 'www' }, SOA: { minimum: 1 } },
          www: {
            A: ['10.0.0.2', '10.0.0.3'],
            AAAA: 'fd00::2',
            TXT: 'text',
            CAA: { flags: 0, tag: 'issue', value: 'x' },
          },
          alias: { CNAME: 'www' },
          '*.dyn': { CNAME: 'alias' },
          child: { NS: 'ns.child' },
          big: { TXT: Array.from({ length: 20 }, (_, i) => `${i}`.repeat(99)) },
        },
      },
      limits: { tcpConnections: 8, tcpIdleUs: 1_000_000 },
    });
    this.client = client.udp();
    this.dns = this.net.resolver({
      servers: [`${SERVER}:5353`],
      timeout: 1,
      attempts: 2,
      limits: { cacheEntries: CACHE_MAX, queries: SOCKETS_MAX - 1, strays: 4 },
    });
    void this.hear();
    void this.lie();
  }

  /** A batch of mutated questions to the server, some of them by TCP; lookups that get mutated answers. */
  async turn(): Promise<void> {
    const { rng, net, client, dns } = this;
    for (let i = 0; i < BATCH; i++) {
      const bytes = this.mutate(encodeMessage(this.question()));
      this.packets++;
      if (rng.chance(0.05)) this.byTcp(bytes);
      else await client.send(bytes, { hostname: SERVER, port: 53 });
    }
    for (let i = 0; i < 8 && this.open < LOOKUPS_MAX; i++) void this.lookUp();
    await net.world.runFor(rng.chance(0.01) ? 3_000_000 : rng.below(TURN_US));
    assert.ok(dns.cacheSize <= CACHE_MAX, 'the cache keeps to its limit');
    assert.ok([...net.client.udpLayer.ports.all()].length <= SOCKETS_MAX, 'sockets keep to their limit');
    assert.ok(this.server.tcpConnections <= 8, 'connections keep to their limit');
  }

  private async lookUp(): Promise<void> {
    const { rng, dns } = this;
    const name = `${rng.below(1000)}.${rng.pick(NAMES)}`;
    this.open++;
    try {
      await (rng.chance(0.5) ? dns.lookup(name) : dns.resolve(name, rng.pick(TYPES)));
      this.found++;
    } catch (error) {
      assert.ok(error instanceof DnsError, String(error));
    } finally {
      this.open--;
    }
  }

  /** Everything ends, and nothing is left. */
  async end(): Promise<FuzzReport> {
    const { net, packets, found, answered } = this;
    await net.world.runFor(60_000_000);
    assert.equal(this.open, 0, 'every lookup has ended');
    assert.equal(this.server.tcpConnections, 0);
    this.server.close();
    this.client.close();
    await net.world.runFor(300_000_000);
    assert.deepEqual([...net.client.udpLayer.ports.all()], []);
    assert.deepEqual(net.client.sockets(), []);
    net.world.close();
    assert.equal(net.world.pool.inUse, 0);
    return { packets, found, answered };
  }

  private question(): Message {
    const { rng } = this;
    const option = {
      code: rng.pick([8, 10, 11, 15]),
      data: Uint8Array.from({ length: rng.below(12) }, () => 7),
    };
    const edns = { udpSize: rng.pick([0, 512, 1232, 65535]), version: 0, dnssecOk: false, options: [option] };
    return {
      ...BLANK_MESSAGE,
      id: rng.below(65536),
      rd: rng.chance(0.5),
      questions: [{ name: rng.pick(NAMES), type: rng.pick(TYPES), class: 'IN' }],
      edns: rng.chance(0.5) ? edns : null,
    };
  }

  /** What our server says must be a message, whatever it was asked. */
  private async hear(): Promise<void> {
    for await (const { data } of this.client) {
      const message = decodeMessage(data);
      assert.ok(message?.response, 'the server answers with messages');
      if (message.rcode !== 'FORMERR') this.answered++;
    }
  }

  /** A name server that answers each question with lies, and mostly with the truth behind them. */
  private async lie(): Promise<void> {
    const { rng } = this;
    const socket = this.net.server.udp({ port: 5353 });
    for await (const { data, ...from } of socket) {
      const query = decodeMessage(data);
      if (query === null) continue;
      const truth = encodeMessage(this.answer(query));
      this.seen.push(truth);
      if (this.seen.length > 100) this.seen.shift();
      for (let i = rng.below(4); i > 0; i--) {
        this.packets++;
        await socket.send(this.mutate(truth), from);
      }
      if (rng.chance(0.7)) await socket.send(truth, from);
    }
  }

  private answer(query: Message): Message {
    const { rng } = this;
    const name = nameIn(query);
    const records = recordsOf(name, rng);
    const count = rng.below(4);
    const picked = (): ResourceRecord[] => Array.from({ length: count }, () => rng.pick(records));
    const right = records.filter(({ type }) => type === typeIn(query));
    return reply(query, rng.chance(0.5) ? right : picked(), {
      rcode: rng.pick(['NOERROR', 'NOERROR', 'NOERROR', 'NXDOMAIN', 'SERVFAIL', 'FORMERR']),
      tc: rng.chance(0.05),
      authorities: rng.chance(0.5) ? [soa('test', 1)] : [],
      additionals: picked(),
    });
  }

  private byTcp(bytes: Uint8Array): void {
    const { rng, net } = this;
    const framed = encodeLengthPrefixed(bytes, { lengthBytes: 2 });
    if (rng.chance(0.3)) framed[rng.below(2)] = rng.pick(BYTES);
    const connection = net.client.connect(`${SERVER}:53`);
    const writer = connection.writable.getWriter();
    writer
      .write(framed)
      .then(() => (rng.chance(0.5) ? writer.close() : undefined))
      .catch(() => undefined);
    const reading = async (): Promise<void> => {
      for await (const _ of connection.readable);
    };
    reading()
      .catch(() => undefined)
      .finally(() => connection.abort());
  }

  /** The bytes with a few changes: bits, bytes that mean something, a piece less or more, the tail of another. */
  private mutate(bytes: Uint8Array): Uint8Array {
    const { rng } = this;
    let mutant = bytes.slice();
    for (let i = rng.between(1, 4); i > 0; i--) {
      const at = rng.below(mutant.length + 1);
      switch (rng.below(7)) {
        case 0:
          mutant[at] = (mutant[at] ?? 0) ^ (1 << rng.below(8));
          break;
        case 1:
        case 2:
          mutant[at] = rng.pick(BYTES);
          break;
        case 3:
          // One of the counts.
          mutant[4 + rng.below(8)] = rng.pick(BYTES);
          break;
        case 4:
          mutant = mutant.slice(0, at);
          break;
        case 5:
          mutant = Uint8Array.from([...mutant.slice(0, at), ...mutant.slice(rng.below(mutant.length + 1))]);
          break;
        default: {
          const other = this.seen.length > 0 ? rng.pick(this.seen) : bytes;
          mutant = Uint8Array.from([...mutant.slice(0, at), ...other.slice(Math.min(at, other.length))]);
        }
      }
    }
    return mutant.slice(0, 1400);
  }
}

/** Records of every type under a name. */
function recordsOf(name: string, rng: Rng): ResourceRecord[] {
  return [
    record(name, 'A', '10.9.9.9', rng.below(5)),
    record(name, 'AAAA', 'fd09::9', rng.below(5)),
    record(name, 'CNAME', rng.pick(['alias.test', name, `x.${name}`]), 1),
    record(name, 'NS', 'ns.test'),
    record(name, 'PTR', 'ptr.test'),
    record(name, 'MX', { preference: 1, exchange: 'mail.test' }),
    record(name, 'SRV', { priority: 1, weight: 1, port: 1, target: 'www.test' }),
    record(name, 'TXT', [new TextEncoder().encode('text')]),
    record(name, 'CAA', { flags: 0, tag: 'issue', value: 'ca' }),
    record(name, 'HINFO', { cpu: 'x', os: 'y' }),
    record(name, 'NSEC', { nextDomain: 'next.test', rrtypes: ['A', 'NSEC'] }),
    record(name, 'TYPE99', Uint8Array.of(1, 2, 3)),
    soa(name, 1),
  ];
}
