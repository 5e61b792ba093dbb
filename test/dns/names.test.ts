import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  isWithin,
  joinNames,
  labelBytes,
  NameWriter,
  nameKey,
  normalName,
  parentName,
  readName,
  restoreCase,
  reverseName,
  sameName,
  splitLabels,
} from '../../src/dns/names.ts';
import { IpAddress } from '../../src/wire/address.ts';

/** A name on the wire: each label behind its length. */
function wire(...labels: (string | Uint8Array)[]): Uint8Array {
  const parts = labels.map(label => (typeof label === 'string' ? new TextEncoder().encode(label) : label));
  return Uint8Array.from([...parts.flatMap(part => [part.length, ...part]), 0]);
}

describe('domain names', () => {
  it('are read with and without pointers', () => {
    const bytes = Uint8Array.from([...wire('example', 'test'), 3, 0x77, 0x77, 0x77, 0xc0, 0, 99]);
    assert.deepEqual(readName(bytes, 0), { name: 'example.test', end: 14 });
    assert.deepEqual(readName(bytes, 14), { name: 'www.example.test', end: 20 });
    assert.deepEqual(readName(Uint8Array.of(0), 0), { name: '.', end: 1 });
  });

  it('are refused when they leave the message, point forwards or in a circle, or are too long', () => {
    for (const bytes of [
      [],
      [3, 0x77],
      [1, 0x77],
      [0xc0],
      [0xc0, 0],
      [0xc0, 2, 0],
      [1, 0x61, 0xc0, 0],
      [0x40, 0],
      [0x80, 0],
    ]) {
      assert.equal(readName(Uint8Array.from(bytes), 0), null, String(bytes));
    }
    const long = 'x'.repeat(63);
    assert.equal(readName(wire(long, long, long, 'x'.repeat(61)), 0)?.end, 255);
    assert.equal(readName(wire(long, long, long, 'x'.repeat(62)), 0), null);
  });

  it('keep a dot inside a label, and bytes that are no text, apart from everything else', () => {
    assert.equal(readName(wire('a.b', 'test'), 0)?.name, 'a\\.b.test');
    assert.equal(readName(wire('a\\', 'test'), 0)?.name, 'a\\\\.test');
    assert.equal(readName(wire('Büro im 1. Stock', 'local'), 0)?.name, 'Büro im 1\\. Stock.local');
    assert.equal(readName(wire(Uint8Array.of(0xff, 0), 'x'), 0)?.name, '\\255\\000.x');
    assert.equal(readName(wire(Uint8Array.of(0xef, 0xbb, 0xbf, 0x77), 'x'), 0)?.name, '\\239\\187\\191w.x');
    assert.equal(readName(wire(Uint8Array.of(0xc2, 0x85), 'x'), 0)?.name, '\\194\\133.x');
  });

  it('of any bytes are the same after a turn through text', () => {
    const label = fc.uint8Array({ minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(fc.array(label, { maxLength: 8 }), labels => {
        const bytes = wire(...labels);
        const name = readName(bytes, 0)?.name ?? '';
        const back = wire(...(labelBytes(name) ?? assert.fail(name)));
        assert.deepEqual(back, bytes);
        assert.equal(normalName(name), name);
        assert.equal(splitLabels(name).length, labels.length);
      }),
    );
  });

  it('as text: what is one and what is none', () => {
    assert.equal(normalName('www.Example.test.'), 'www.Example.test');
    assert.equal(normalName('.'), '.');
    assert.equal(normalName('\\119ww.test'), 'www.test');
    assert.equal(normalName('a\\.'), 'a\\.');
    assert.equal(normalName('a\\\\.'), 'a\\\\');
    assert.equal(normalName('\\195\\188.test'), 'ü.test');
    for (const text of [
      '',
      '..',
      'a..b',
      '.a',
      'x'.repeat(64),
      'a\\',
      'a\\25',
      '\\256',
      `${'abcdefg.'.repeat(32)}`,
    ]) {
      assert.equal(normalName(text), null, text);
    }
  });

  it('are compared without the case of ASCII letters, and with that of others', () => {
    assert.ok(sameName('WWW.example.TEST', 'www.EXAMPLE.test'));
    assert.ok(!sameName('Ü.test', 'ü.test'));
    assert.equal(nameKey('AÜZ.'), 'aÜz.');
    assert.ok(isWithin('a.B.test', 'b.TEST') && isWithin('b.test', 'b.test') && isWithin('x', '.'));
    assert.ok(!isWithin('ab.test', 'b.test') && !isWithin('test', 'b.test') && !isWithin('x\\.test', 'test'));
    assert.equal(parentName('a.b'), 'b');
    assert.equal(parentName('a\\.b'), '.');
    assert.deepEqual([joinNames('a', '.'), joinNames('.', 'b'), joinNames('a', 'b')], ['a', 'b', 'a.b']);
  });

  it('get back the letters they were asked for with', () => {
    const restore = (name: string) => restoreCase(name, 'wWw.eXample.TEST', 'www.example.test');
    assert.equal(restore('wWw.eXample.TEST'), 'www.example.test');
    assert.equal(restore('Mail.eXample.TEST'), 'Mail.example.test');
    assert.equal(restore('a.WWW.eXample.TEST'), 'a.WWW.example.test');
    assert.equal(restore('Mail.Example.test'), 'Mail.Example.test');
    assert.equal(restore('.'), '.');
  });

  it('in reverse (RFC 1035 section 3.5, RFC 3596 section 2.5)', () => {
    const reverse = (text: string) => reverseName(IpAddress.parse(text) as IpAddress);
    assert.equal(reverse('10.0.1.200'), '200.1.0.10.in-addr.arpa');
    assert.equal(
      reverse('4321:0:1:2:3:4:567:89ab'),
      'b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa',
    );
  });

  it('are compressed to what was written before in the same letters', () => {
    const bytes = new Uint8Array(100);
    const names = new NameWriter(bytes);
    const write = (name: string, at: number, compress = true) =>
      names.write(labelBytes(name) ?? [], at, compress);
    assert.equal(write('www.example.test', 12), 30);
    assert.equal(write('mail.example.test', 30), 37);
    assert.deepEqual(bytes.slice(35, 37), Uint8Array.of(0xc0, 16));
    assert.equal(write('www.example.test', 37, false), 55);
    assert.equal(readName(bytes, 30)?.name, 'mail.example.test');
    assert.equal(write('Example.test', 55), 65);
    assert.equal(readName(bytes, 55)?.name, 'Example.test');
    // 'a.b' as one label has no tail 'b'.
    assert.equal(write('b', 65), 68);
    assert.equal(write('a\\.b', 68), 73);
    assert.equal(readName(bytes, 68)?.name, 'a\\.b');
  });
});
