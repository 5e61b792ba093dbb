import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BLANK_MESSAGE, decodeMessage, encodeMessage, type Message } from '../../src/dns/message.ts';
import { Responder } from '../../src/dns/responder.ts';
import type { Zones } from '../../src/dns/zone.ts';

const ZONES: Zones = {
  'example.test': {
    '@': {
      NS: ['ns', 'ns.elsewhere.example.'],
      MX: { preference: 10, exchange: 'mail' },
      SOA: { minimum: 30 },
    },
    ns: { A: '10.0.0.53' },
    mail: { A: '10.0.0.25', AAAA: 'fd00::25' },
    www: { ttl: 60, A: ['10.0.0.2', '10.0.0.3'], AAAA: 'fd00::2', TXT: ['one', 'x'.repeat(300)] },
    alias: { CNAME: 'www' },
    chain: { CNAME: 'alias' },
    away: { CNAME: 'www.other.test.' },
    abroad: { CNAME: 'www.nowhere.invalid.' },
    circle: { CNAME: 'elcric' },
    elcric: { CNAME: 'circle' },
    '_http._tcp': { SRV: { priority: 0, weight: 5, port: 80, target: 'www' } },
    '*.dyn': { A: '10.0.0.99', TXT: 'wild' },
    'fixed.dyn': { A: '10.0.0.98' },
    '*.go': { CNAME: 'www' },
    child: { NS: 'ns.child' },
    'ns.child': { A: '10.0.1.53' },
    'host.of.depth': { A: '10.0.0.7' },
    big: { TXT: Array.from({ length: 20 }, (_, i) => `${i}`.repeat(100)) },
    huge: { TXT: Array.from({ length: 300 }, (_, i) => `${i}`.padStart(250, '-')) },
  },
  'other.test': { www: { A: '10.0.2.2' } },
  'deep.example.test': { www: { A: '10.0.3.2' } },
  '0.0.10.in-addr.arpa': { 2: { PTR: 'www.example.test.' } },
};

const responder = new Responder(ZONES, 3600, 1232);

function query(name: string, type: string, more: Partial<Message> = {}): Message {
  return { ...BLANK_MESSAGE, id: 77, rd: true, questions: [{ name, type, class: 'IN' }], ...more };
}

/** What a question is answered with, over TCP unless said. */
function answer(message: Message, transport: 'udp' | 'tcp' = 'tcp'): Message {
  const bytes = responder.respond(encodeMessage(message), transport) ?? assert.fail('no answer');
  return decodeMessage(bytes) ?? assert.fail('the answer is malformed');
}

/** The records of an answer: 'name type data'. */
function lines(records: Message['answers']): string[] {
  return records.map(({ name, type, data }) => `${name} ${type} ${JSON.stringify(data).replaceAll('"', '')}`);
}

describe('a zone', () => {
  it('has the records of a name, whatever its case', () => {
    const { rcode, aa, ra, rd, id, response, answers, authorities, questions } = answer(
      query('WWW.example.TEST', 'A'),
    );
    assert.deepEqual(
      { rcode, aa, ra, rd, id, response },
      { rcode: 'NOERROR', aa: true, ra: false, rd: true, id: 77, response: true },
    );
    assert.deepEqual(lines(answers), ['WWW.example.TEST A 10.0.0.2', 'WWW.example.TEST A 10.0.0.3']);
    assert.deepEqual(
      answers.map(({ ttl }) => ttl),
      [60, 60],
    );
    assert.deepEqual(authorities, []);
    assert.equal(questions[0]?.name, 'WWW.example.TEST');
  });

  it('says with its SOA that there is no such name, or no such record (RFC 2308)', () => {
    for (const [name, type, rcode] of [
      ['no.example.test', 'A', 'NXDOMAIN'],
      ['a.b.www.example.test', 'A', 'NXDOMAIN'],
      ['www.example.test', 'MX', 'NOERROR'],
      // Names that exist because there are names below them.
      ['depth.example.test', 'A', 'NOERROR'],
      ['_tcp.example.test', 'SRV', 'NOERROR'],
    ] as const) {
      const message = answer(query(name, type));
      assert.deepEqual([message.rcode, message.aa, message.answers], [rcode, true, []], `${name} ${type}`);
      const [soa] = message.authorities;
      assert.equal(soa?.name, 'example.test');
      assert.equal(soa?.ttl, 30, 'no longer than the minimum');
      assert.deepEqual(soa?.data, {
        mname: 'ns.example.test',
        rname: 'hostmaster.example.test',
        serial: 1,
        refresh: 3600,
        retry: 600,
        expire: 604800,
        minimum: 30,
      });
    }
  });

  it('follows aliases, into other zones of the server, too', () => {
    assert.deepEqual(lines(answer(query('chain.example.test', 'AAAA')).answers), [
      'chain.example.test CNAME alias.example.test',
      'alias.example.test CNAME www.example.test',
      'www.example.test AAAA fd00::2',
    ]);
    assert.deepEqual(lines(answer(query('away.example.test', 'A')).answers), [
      'away.example.test CNAME www.other.test',
      'www.other.test A 10.0.2.2',
    ]);
    const abroad = answer(query('abroad.example.test', 'A'));
    assert.deepEqual(
      [abroad.rcode, lines(abroad.answers)],
      ['NOERROR', ['abroad.example.test CNAME www.nowhere.invalid']],
    );
    assert.equal(answer(query('alias.example.test', 'MX')).authorities[0]?.type, 'SOA');
    assert.deepEqual(lines(answer(query('alias.example.test', 'CNAME')).answers), [
      'alias.example.test CNAME www.example.test',
    ]);
    assert.equal(answer(query('circle.example.test', 'A')).answers.length, 2);
  });

  it('has wildcards as RFC 4592 says', () => {
    assert.deepEqual(lines(answer(query('x.dyn.example.test', 'A')).answers), [
      'x.dyn.example.test A 10.0.0.99',
    ]);
    assert.deepEqual(lines(answer(query('a.b.dyn.example.test', 'TXT')).answers).length, 1);
    assert.deepEqual(lines(answer(query('fixed.dyn.example.test', 'A')).answers), [
      'fixed.dyn.example.test A 10.0.0.98',
    ]);
    // A name that exists has nothing of the wildcard's, nor have names below it.
    assert.equal(answer(query('fixed.dyn.example.test', 'TXT')).answers.length, 0);
    assert.equal(answer(query('x.fixed.dyn.example.test', 'A')).rcode, 'NXDOMAIN');
    assert.equal(answer(query('x.dyn.example.test', 'MX')).rcode, 'NOERROR');
    assert.deepEqual(lines(answer(query('*.dyn.example.test', 'A')).answers), [
      '*.dyn.example.test A 10.0.0.99',
    ]);
    assert.equal(answer(query('anything.go.example.test', 'A')).answers.length, 3);
  });

  it('sends questions below a delegation on', () => {
    const referral = answer(query('x.child.example.test', 'A'));
    assert.deepEqual([referral.rcode, referral.aa, referral.answers], ['NOERROR', false, []]);
    assert.deepEqual(lines(referral.authorities), ['child.example.test NS ns.child.example.test']);
    assert.deepEqual(lines(referral.additionals), ['ns.child.example.test A 10.0.1.53']);
  });

  it('adds the addresses of what its records point to', () => {
    assert.deepEqual(lines(answer(query('example.test', 'MX')).additionals), [
      'mail.example.test A 10.0.0.25',
      'mail.example.test AAAA fd00::25',
    ]);
    assert.equal(answer(query('_http._tcp.example.test', 'SRV')).additionals.length, 3);
    assert.deepEqual(lines(answer(query('example.test', 'NS')).answers), [
      'example.test NS ns.example.test',
      'example.test NS ns.elsewhere.example',
    ]);
  });

  it('may lie within another, and may be one of addresses', () => {
    assert.equal(answer(query('www.deep.example.test', 'A')).answers[0]?.data, '10.0.3.2');
    assert.equal(answer(query('x.deep.example.test', 'A')).authorities[0]?.name, 'deep.example.test');
    assert.equal(answer(query('2.0.0.10.in-addr.arpa', 'PTR')).answers[0]?.data, 'www.example.test');
    assert.deepEqual(
      answer(query('www.example.test', 'ANY')).answers.map(({ type }) => type),
      ['A', 'A', 'AAAA', 'TXT', 'TXT'],
    );
  });

  it('is refused when it is wrong, with its name and what is wrong', () => {
    const wrong = (zones: Zones, message: RegExp) =>
      assert.throws(() => new Responder(zones, 60, 1232), message);
    wrong({ 'a..b': {} }, /not the name of a zone: "a\.\.b"/);
    wrong({ 'x.test': { www: { A: 'fd00::1' } } }, /zone x\.test, name "www": "fd00::1" is no A/);
    wrong({ 'x.test': { www: { AAAA: '10.0.0.1' } } }, /is no AAAA/);
    wrong({ 'x.test': { www: { CNAME: 'a', A: '10.0.0.1' } } }, /an alias \(CNAME\) has no other records/);
    wrong({ 'x.test': { '@': { CNAME: 'a' } } }, /an alias/);
    wrong({ 'x.test': { www: { SOA: {} } } }, /SOA belongs to the zone itself/);
    wrong({ 'x.test': { 'www.other.test.': { A: '10.0.0.1' } } }, /is no name in this zone/);
    wrong({ 'x.test': { www: { A: '10.0.0.1' }, WWW: { A: '10.0.0.1' } } }, /is there twice/);
    wrong({ 'x.test': { www: { ttl: -1, A: '10.0.0.1' } } }, /ttl -1 is no number of seconds/);
    wrong({ 'x.test': { www: { MX: { preference: 70_000, exchange: 'a' } } } }, /is no MX/);
    wrong({ 'x.test': { www: { MX: { exchange: 'a' } as never } } }, /is no MX/);
    wrong({ 'x.test': { '@': { SOA: { serial: -1 } } } }, /is no SOA/);
    wrong({ 'x.test': { www: { HTTPS: 'x' } as never } }, /HTTPS is none of/);
    wrong({ 'x.test': { www: { CAA: { flags: 0, tag: 'not ok', value: '' } } } }, /is no CAA/);
  });
});

describe('an authoritative server', () => {
  it('refuses what is outside its zones', () => {
    for (const name of ['www.example.org', 'test', '.', 'xample.test', 'notexample.test']) {
      const { rcode, aa, answers, authorities } = answer(query(name, 'A'));
      assert.deepEqual(
        { rcode, aa, answers, authorities },
        { rcode: 'REFUSED', aa: false, answers: [], authorities: [] },
      );
    }
    assert.equal(answer(query('example.test', 'AXFR')).rcode, 'REFUSED');
    assert.equal(
      answer({ ...query('x', 'A'), questions: [{ name: 'example.test', type: 'A', class: 'CH' }] }).rcode,
      'REFUSED',
    );
  });

  it('cuts an answer off that does not fit, and says so', () => {
    const big = query('big.example.test', 'TXT');
    const edns = (udpSize: number) => ({ edns: { udpSize, version: 0, dnssecOk: false, options: [] } });
    const sizes = [big, { ...big, ...edns(1232) }, { ...big, ...edns(65_000) }].map(message => {
      const bytes = responder.respond(encodeMessage(message), 'udp') as Uint8Array;
      const decoded = decodeMessage(bytes) as Message;
      return [decoded.tc, decoded.answers.length, bytes.length <= 1232, decoded.edns?.udpSize];
    });
    assert.deepEqual(sizes, [
      [true, 0, true, undefined],
      [true, 0, true, 1232],
      [true, 0, true, 1232],
    ]);
    assert.deepEqual([answer(big).tc, answer(big).answers.length], [false, 20]);
    assert.deepEqual([answer(query('huge.example.test', 'TXT')).tc], [true], 'not even TCP has so much room');
    // What is only additional is left out without a word.
    const mail = answer({ ...query('example.test', 'MX'), ...edns(512) }, 'udp');
    assert.deepEqual([mail.tc, mail.additionals.length], [false, 2]);
  });

  it('speaks EDNS to who speaks it (RFC 6891)', () => {
    assert.equal(answer(query('www.example.test', 'A')).edns, null);
    const options = [{ code: 10, data: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) }];
    const asked = { udpSize: 4096, version: 0, dnssecOk: true, options };
    const answered = { udpSize: 1232, version: 0, dnssecOk: true, options: [] };
    assert.deepEqual(answer(query('www.example.test', 'A', { edns: asked })).edns, answered);
    const newer = answer(query('www.example.test', 'A', { edns: { ...asked, version: 1 } }));
    assert.deepEqual([newer.rcode, newer.answers, newer.edns?.version], ['BADVERS', [], 0]);
  });

  it('answers what it does not understand with what is wrong, and answers not at all', () => {
    assert.equal(answer(query('www.example.test', 'A', { opcode: 'UPDATE' })).rcode, 'NOTIMP');
    assert.equal(answer(query('x', 'A', { questions: [] })).rcode, 'FORMERR');
    const [one] = query('www.example.test', 'A').questions;
    assert.equal(answer(query('x', 'A', { questions: [one, one] as never })).rcode, 'FORMERR');
    const cut = encodeMessage(query('www.example.test', 'A')).slice(0, -1);
    const formErr = decodeMessage(responder.respond(cut, 'udp') ?? new Uint8Array(0));
    assert.deepEqual([formErr?.id, formErr?.rcode, formErr?.response], [77, 'FORMERR', true]);
    assert.equal(responder.respond(cut.slice(0, 11), 'udp'), null);
    assert.equal(
      responder.respond(encodeMessage(query('www.example.test', 'A', { response: true })), 'udp'),
      null,
    );
  });
});
