import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatName, formatQuestion, formatRecord } from '../../src/dns/format.ts';
import { type DigSections, formatDigMessage, formatDigShort } from '../../src/dns/format-dig.ts';
import { BLANK_MESSAGE, type Message } from '../../src/dns/message.ts';
import { record } from './fixture.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const ALL: DigSections = { comments: true, question: true, answer: true, authority: true, additional: true };

describe('records as text', () => {
  it('are in the columns of dig', () => {
    // Each line was printed by dig 9.18.
    for (const [expected, name, type, data, ttl] of [
      ['www.example.test.\t0\tIN\tA\t10.0.0.2', 'www.example.test', 'A', '10.0.0.2', 0],
      [
        'example.test.\t\t0\tIN\tMX\t10 mail.example.test.',
        'example.test',
        'MX',
        { preference: 10, exchange: 'mail.example.test' },
        0,
      ],
      [
        'txt.example.test.\t0\tIN\tTXT\t"hello world" "a\\"b;c"',
        'txt.example.test',
        'TXT',
        [bytes('hello world'), bytes('a"b;c')],
        0,
      ],
      [
        '_http._tcp.example.test. 0\tIN\tSRV\t1 2 80 www.example.test.',
        '_http._tcp.example.test',
        'SRV',
        { priority: 1, weight: 2, port: 80, target: 'www.example.test' },
        0,
      ],
      [
        'rr.example.test.\t0\tIN\tTYPE65280 \\# 6 010203040506',
        'rr.example.test',
        'TYPE65280',
        Uint8Array.of(1, 2, 3, 4, 5, 6),
        0,
      ],
      [
        'a.very.long.host.name.for.columns.example.test.\t0 IN A 10.1.1.1',
        'a.very.long.host.name.for.columns.example.test',
        'A',
        '10.1.1.1',
        0,
      ],
      [
        'example.test.\t\t0\tIN\tCAA\t0 issue "ca.test"',
        'example.test',
        'CAA',
        { flags: 0, tag: 'issue', value: 'ca.test' },
        0,
      ],
    ] as const) {
      assert.equal(formatRecord(record(name, type, data, ttl)), expected);
    }
    assert.equal(
      formatQuestion({ name: 'a.very.long.host.name.for.columns.example.test', type: 'A', class: 'IN' }),
      ';a.very.long.host.name.for.columns.example.test.\tIN A',
    );
    assert.equal(formatQuestion({ name: '.', type: 'NS', class: 'CH' }), ';.\t\t\t\tCH\tNS');
  });

  it('have names that zone files understand', () => {
    assert.equal(formatName('.'), '.');
    assert.equal(formatName('a\\.b.test'), 'a\\.b.test.');
    assert.equal(formatName('Büro 1.local'), 'B\\195\\188ro\\0321.local.');
    assert.equal(formatName('a@b;(c).x'), 'a\\@b\\;\\(c\\).x.');
  });

  it('have data of every type', () => {
    const soa = {
      mname: 'ns.test',
      rname: 'root.test',
      serial: 1,
      refresh: 2,
      retry: 3,
      expire: 4,
      minimum: 5,
    };
    const data = (type: string, value: unknown) =>
      formatRecord(record('x', type, value))
        .split('\t')
        .at(-1);
    assert.equal(data('SOA', soa), 'ns.test. root.test. 1 2 3 4 5');
    assert.equal(data('HINFO', { cpu: 'RFC8482', os: '' }), '"RFC8482" ""');
    assert.equal(data('NSEC', { nextDomain: 'b', rrtypes: ['A', 'TYPE65280'] }), 'b. A TYPE65280');
    assert.equal(data('CNAME', 'y.test'), 'y.test.');
    assert.equal(data('NULL', new Uint8Array(0)), '\\# 0');
    assert.equal(data('NULL', new Uint8Array(30)), `\\# 30 ${'00'.repeat(28)} 0000`);
  });
});

describe('a message as dig prints it', () => {
  const message: Message = {
    ...BLANK_MESSAGE,
    id: 4711,
    response: true,
    aa: true,
    rd: true,
    rcode: 'NXDOMAIN',
    questions: [{ name: 'no.test', type: 'A', class: 'IN' }],
    answers: [record('no.test', 'CNAME', 'www.test', 5)],
    authorities: [record('test', 'NS', 'ns.test', 5)],
    additionals: [record('ns.test', 'A', '10.0.0.1', 5)],
    edns: {
      udpSize: 1232,
      version: 0,
      dnssecOk: true,
      options: [
        { code: 15, data: Uint8Array.of(0, 14) },
        { code: 15, data: Uint8Array.of(0, 99, 0x68, 0x69) },
        { code: 10, data: Uint8Array.of(1, 2) },
        { code: 65001, data: Uint8Array.of(1, 2) },
      ],
    },
  };

  it('in full', () => {
    assert.deepEqual(formatDigMessage(message, ALL), [
      ';; Got answer:',
      ';; ->>HEADER<<- opcode: QUERY, status: NXDOMAIN, id: 4711',
      ';; flags: qr aa rd; QUERY: 1, ANSWER: 1, AUTHORITY: 1, ADDITIONAL: 2',
      ';; WARNING: recursion requested but not available',
      '',
      ';; OPT PSEUDOSECTION:',
      '; EDNS: version: 0, flags: do; udp: 1232',
      '; EDE: 14 (Not Ready)',
      '; EDE: 99: (hi)',
      '; COOKIE: 0102',
      '; OPT=65001: 01 02',
      ';; QUESTION SECTION:',
      ';no.test.\t\t\tIN\tA',
      '',
      ';; ANSWER SECTION:',
      'no.test.\t\t5\tIN\tCNAME\twww.test.',
      '',
      ';; AUTHORITY SECTION:',
      'test.\t\t\t5\tIN\tNS\tns.test.',
      '',
      ';; ADDITIONAL SECTION:',
      'ns.test.\t\t5\tIN\tA\t10.0.0.1',
      '',
    ]);
  });

  it('in part', () => {
    const none = { comments: false, question: false, answer: false, authority: false, additional: false };
    assert.deepEqual(formatDigMessage(message, none), []);
    assert.deepEqual(formatDigMessage(message, { ...none, answer: true }), [
      'no.test.\t\t5\tIN\tCNAME\twww.test.',
    ]);
    assert.deepEqual(formatDigShort(message), ['www.test.']);
  });
});
