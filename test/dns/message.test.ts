import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { fromHex, toHex } from '../../src/base/hex.ts';
import { BLANK_MESSAGE, decodeMessage, encodeMessage, type Message } from '../../src/dns/message.ts';
import type { ResourceRecord } from '../../src/dns/records.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

function record(name: string, type: string, data: unknown): ResourceRecord {
  return { name, type, class: 'IN', ttl: 300, data } as ResourceRecord;
}

/** A message without the records of some types. */
function without(message: Message, ...types: string[]): Message {
  const rest = (records: readonly ResourceRecord[]) => records.filter(({ type }) => !types.includes(type));
  const { answers, authorities, additionals } = message;
  return {
    ...message,
    answers: rest(answers),
    authorities: rest(authorities),
    additionals: rest(additionals),
  };
}

/** One record of each type that is understood, and one that is not. */
const RECORDS: readonly ResourceRecord[] = [
  record('www.example.test', 'A', '10.0.0.2'),
  record('www.example.test', 'AAAA', 'fd00::2'),
  record('example.test', 'NS', 'ns1.example.test'),
  record('alias.example.test', 'CNAME', 'www.example.test'),
  record('old.example.test', 'DNAME', 'new.example.test'),
  record('2.0.0.10.in-addr.arpa', 'PTR', 'www.example.test'),
  record('example.test', 'MX', { preference: 10, exchange: 'mail.example.test' }),
  record('_http._tcp.example.test', 'SRV', { priority: 1, weight: 2, port: 80, target: 'www.example.test' }),
  record('example.test', 'SOA', {
    mname: 'ns1.example.test',
    rname: 'host\\.master.example.test',
    serial: 4_000_000_000,
    refresh: 1,
    retry: 2,
    expire: 3,
    minimum: 4,
  }),
  record('example.test', 'TXT', [text('v=spf1 -all'), text(''), Uint8Array.of(0, 255)]),
  record('example.test', 'CAA', { flags: 128, tag: 'issue', value: 'ca.test', issuerCritical: true }),
  record('example.test', 'HINFO', { cpu: 'RFC8482', os: '' }),
  record('a.b', 'NSEC', { nextDomain: 'a.b', rrtypes: ['A', 'AAAA', 'SRV', 'CAA', 'TYPE65535'] }),
  record('example.test', 'HTTPS', Uint8Array.of(0, 1, 0)),
  record('example.test', 'TYPE65280', Uint8Array.of(1, 2, 3)),
];

const FULL: Message = {
  ...BLANK_MESSAGE,
  id: 0xbeef,
  response: true,
  opcode: 'QUERY',
  aa: true,
  rd: true,
  ra: true,
  rcode: 'BADVERS',
  questions: [{ name: 'www.example.test', type: 'ANY', class: 'IN' }],
  answers: RECORDS.slice(0, 6),
  authorities: RECORDS.slice(6, 9),
  additionals: RECORDS.slice(9),
  edns: { udpSize: 1232, version: 0, dnssecOk: true, options: [{ code: 10, data: Uint8Array.of(1, 2, 3) }] },
};

describe('messages', () => {
  it('come back as they were, of every type', () => {
    assert.deepEqual(decodeMessage(encodeMessage(FULL)), FULL);
    for (const one of RECORDS) {
      const message = {
        ...FULL,
        answers: [one],
        authorities: [],
        additionals: [],
        edns: null,
        rcode: 'NXDOMAIN',
      };
      assert.deepEqual(decodeMessage(encodeMessage(message))?.answers, [one]);
    }
  });

  it('are written as RFC 1035 has it', () => {
    const query = {
      ...BLANK_MESSAGE,
      id: 0x1234,
      rd: true,
      questions: [{ name: 'a.test', type: 'A', class: 'IN' }],
      edns: { udpSize: 1232, version: 0, dnssecOk: false, options: [] },
    };
    const question = '01610474657374000001' + '0001';
    assert.equal(toHex(encodeMessage(query)), `123401000001000000000001${question}00002904d0000000000000`);
    const answers = [
      record('a.test', 'A', '10.0.0.2'),
      record('b.test', 'MX', { preference: 5, exchange: 'a.test' }),
    ];
    const answer = toHex(encodeMessage({ ...query, response: true, edns: null, answers }));
    assert.equal(
      answer,
      `123481000001000200000000${question}` +
        'c00c000100010000012c00040a000002' +
        '0162c00e000f00010000012c00040005c00c',
    );
  });

  it('of multicast have a first bit of their own in classes', () => {
    const message: Message = {
      ...BLANK_MESSAGE,
      questions: [{ name: 'x.local', type: 'A', class: 'IN', unicast: true }],
      answers: [{ name: 'x.local', type: 'A', class: 'IN', ttl: 120, data: '10.0.0.2', flush: true }],
    };
    assert.deepEqual(decodeMessage(encodeMessage(message), { multicast: true }), message);
    assert.equal(decodeMessage(encodeMessage(message))?.questions[0]?.class, 'CLASS32769');
  });

  it('cut anywhere are none', () => {
    const bytes = encodeMessage(FULL);
    for (let end = 0; end < bytes.length; end++) {
      assert.equal(decodeMessage(bytes.slice(0, end)), null, `${end} bytes`);
    }
    assert.deepEqual(decodeMessage(Uint8Array.from([...bytes, 7, 7])), FULL);
  });

  it('with a count, a length or data that cannot be are none', () => {
    const header = '000084000000000100000000';
    const record = (type: string, length: string, data: string) =>
      decodeMessage(fromHex(`${header}00${type}0001${'0000012c'}${length}${data}`));
    assert.ok(record('0001', '0004', '0a000002') !== null);
    assert.equal(record('0001', '0003', '0a000002'), null, 'an address of 3 bytes');
    assert.equal(record('0001', '0005', '0a00000200'), null, 'an address of 5 bytes');
    assert.equal(record('001c', '0004', '0a000002'), null, 'an IPv6 address of 4 bytes');
    assert.equal(record('0002', '0002', '0000'), null, 'something behind a name');
    assert.equal(record('0002', '0001', '0161000000'), null, 'a name that leaves its record');
    assert.equal(record('0010', '0002', '0561'), null, 'a text that leaves its record');
    assert.equal(record('000d', '0002', '0161'), null, 'one text where two belong');
    assert.equal(decodeMessage(fromHex('0000840000ffffffffffffff')), null, 'counts without records');
    const opt = '0000290200000000000000';
    assert.ok(decodeMessage(fromHex(`000000000000000000000001${opt}`)) !== null);
    assert.equal(decodeMessage(fromHex(`000000000000000000000002${opt}${opt}`)), null, 'two OPT records');
    assert.equal(decodeMessage(fromHex(`000000000000000100000000${opt}`)), null, 'OPT among the answers');
    assert.equal(decodeMessage(fromHex(`0000000000000000000000010161${opt}`)), null, 'OPT with a name');
  });

  it('take times with the first bit set for 0, and small EDNS sizes for 512', () => {
    const answer = decodeMessage(fromHex('00008400000000010000000000' + '00010001' + '8000000000040a000002'));
    assert.equal(answer?.answers[0]?.ttl, 0);
    assert.equal(
      decodeMessage(fromHex('0000000000000000000000010000290064000000000000'))?.edns?.udpSize,
      512,
    );
  });

  it('of any bytes, and of a message with any bytes changed, are decoded or refused', () => {
    const good = encodeMessage(FULL);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), bytes => void decodeMessage(bytes)));
    const change = fc.tuple(fc.nat(good.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), changes => {
        const bytes = good.slice();
        for (const [at, value] of changes) bytes[at] = value;
        const message = decodeMessage(bytes);
        if (message === null) return;
        // What was understood can be said again. The text of CAA and HINFO may lose bytes that are no text, once.
        const again =
          decodeMessage(encodeMessage(message)) ?? assert.fail('what was understood cannot be said');
        assert.deepEqual(decodeMessage(encodeMessage(again)), again);
        assert.deepEqual(without(again, 'CAA', 'HINFO'), without(message, 'CAA', 'HINFO'));
      }),
      { numRuns: 3000 },
    );
  });

  it('that cannot be sent are refused', () => {
    const ask = (name: string, type = 'A', kind = 'IN') =>
      encodeMessage({ ...BLANK_MESSAGE, questions: [{ name, type, class: kind }] });
    assert.throws(() => ask('a..b'), /not a domain name: "a\.\.b"/);
    assert.throws(() => ask('a', 'NONSENSE'), /not a type of DNS: "NONSENSE"/);
    assert.throws(() => ask('a', 'A', 'XX'), /not a class of DNS: "XX"/);
    const many = new Array<ResourceRecord>(300).fill(record('a', 'TXT', [new Uint8Array(255)]));
    assert.throws(() => encodeMessage({ ...BLANK_MESSAGE, answers: many }), RangeError);
  });
});
