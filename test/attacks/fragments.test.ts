import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rng } from '../../src/base/rng.ts';
import { IP_MTU_DISCOVER, IP_PMTUDISC_DONT, SOCK_DGRAM, SOL_IP } from '../../src/socket/constants.ts';
import { AF_INET } from '../../src/wire/address.ts';
import { ipv4 } from '../net/craft.ts';
import { Lab, MS, SECOND, SERVER } from './lab.ts';

/** The first of two or more pieces of a datagram that never comes whole. */
function piece(
  from: string,
  id: number,
  fragmentOffset = 0,
  mf = true,
  data = new Uint8Array(64),
): Uint8Array {
  return ipv4({ source: from, destination: SERVER, protocol: 17, id, mf, fragmentOffset, data });
}

/** A UDP socket on each side; `send` carries a datagram of three fragments from client to server. */
function datagrams(lab: Lab): { send: () => boolean } {
  const [near, far] = [lab.client, lab.server].map(({ sys }) => sys.socket(AF_INET, SOCK_DGRAM)) as [
    number,
    number,
  ];
  lab.server.sys.bind(far, { address: SERVER, port: 5000 });
  lab.client.sys.setsockopt(near, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
  const bytes = Uint8Array.from({ length: 4000 }, (_, i) => i % 253);
  const into = new Uint8Array(5000);
  return {
    send: () => {
      assert.equal(lab.client.sys.sendto(near, bytes, 0, { address: SERVER, port: 5000 }), 4000);
      lab.pass(10 * MS);
      const got = lab.server.sys.recv(far, into);
      return got === 4000 && bytes.every((byte, i) => into[i] === byte);
    },
  };
}

test('fragments that are never finished hold bounded memory, and others get through meanwhile', () => {
  const lab = new Lab({ ipfrag_high_thresh: 128 * 1024 });
  const { send } = datagrams(lab);
  assert.ok(send());
  const before = lab.world.pool.inUse;
  for (let i = 0; i < 5000; i++) {
    lab.inject(piece(`10.0.${8 + (i % 8)}.${i % 250}`, i & 0xffff));
    if (i % 20 === 0) lab.pass(MS);
    if (i % 500 === 499) assert.ok(send(), `after ${i + 1} of them an honest datagram still comes whole`);
  }
  lab.pass(MS);
  assert.ok(lab.world.pool.inUse - before <= 70, `${lab.world.pool.inUse - before} packets held`);
  lab.pass(40 * SECOND);
  assert.equal(lab.world.pool.inUse, before, 'ipfrag_time frees them');
  lab.end();
});

test('the same from one sender, who also reuses his ids', () => {
  const lab = new Lab({ ipfrag_high_thresh: 128 * 1024 });
  const { send } = datagrams(lab);
  const rng = new Rng(1);
  for (let i = 0; i < 3000; i++) {
    lab.inject(piece('10.0.0.66', rng.below(64), 8 * rng.below(1000), rng.chance(0.9)));
    if (i % 20 === 0) lab.pass(MS);
  }
  assert.ok(send());
  lab.pass(40 * SECOND);
  assert.equal(lab.world.pool.inUse, 0);
  lab.end();
});

test('overlapping fragments deliver nothing, not one of several truths (RFC 5722)', () => {
  const lab = new Lab();
  const far = lab.server.sys.socket(AF_INET, SOCK_DGRAM);
  lab.server.sys.bind(far, { address: SERVER, port: 5000 });
  // A UDP header with length 72 and no checksum, whose data is then said to be one thing and another.
  const first = new Uint8Array(40);
  new DataView(first.buffer).setUint16(2, 5000);
  new DataView(first.buffer).setUint16(4, 72);
  const good = new Uint8Array(32).fill(1);
  const evil = new Uint8Array(40).fill(2);
  const from = '10.0.0.66';
  const orders = [
    [piece(from, 1, 0, true, first), piece(from, 1, 32, false, evil), piece(from, 1, 40, false, good)],
    [piece(from, 2, 32, false, evil), piece(from, 2, 0, true, first), piece(from, 2, 40, false, good)],
    [piece(from, 3, 40, false, good), piece(from, 3, 32, false, evil), piece(from, 3, 0, true, first)],
    [
      piece(from, 4, 0, true, first),
      piece(from, 4, 8, true, evil.subarray(0, 16)),
      piece(from, 4, 40, false, good),
    ],
  ];
  const into = new Uint8Array(100);
  orders.forEach((order, i) => {
    for (const fragment of order) lab.inject(fragment);
    lab.pass(10 * MS);
    const got = lab.server.sys.recv(far, into);
    // The fourth is covered by what was there: a repetition, which is ignored.
    assert.equal(got, i === 3 ? 64 : -11);
    assert.ok(!into.includes(2));
  });
  assert.ok(lab.server.mib.IpExt.ReasmOverlaps >= 2);
  lab.end();
});

test('a datagram beyond 64 KiB (ping of death) and tiny first fragments come to nothing', () => {
  const lab = new Lab();
  const { send } = datagrams(lab);
  for (let id = 0; id < 50; id++) {
    lab.inject(piece('10.0.0.66', id, 0, true, new Uint8Array(1480)));
    lab.inject(piece('10.0.0.66', id, 65528, false, new Uint8Array(1480)));
    lab.inject(piece('10.0.0.66', 1000 + id, 0, true, new Uint8Array(8)));
    lab.inject(piece('10.0.0.66', 1000 + id, 8, false, new Uint8Array(8)));
  }
  lab.pass(10 * MS);
  assert.ok(send());
  lab.pass(40 * SECOND);
  assert.equal(lab.world.pool.inUse, 0);
  lab.end();
});
