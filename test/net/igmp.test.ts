import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { finishChecksum, sum16 } from '../../src/wire/checksum.ts';
import { emitEthernet } from '../../src/wire/ethernet.ts';
import type { GroupRecord } from '../../src/wire/group-record.ts';
import {
  emitIgmp,
  emitIgmpQuery,
  IGMP_CHECKSUM,
  IGMP_QUERY,
  igmpType,
  parseIgmpReport,
} from '../../src/wire/igmp.ts';
import { emitIpv4RouterAlert, ipv4ChecksumOk, ipv4HeaderLength, ipv4Ttl } from '../../src/wire/ipv4.ts';
import { advance, ip, ManualEnv, TestHost, TestLink, viewOf } from './harness.ts';

const SECOND = 1_000_000;
const GROUP = ip('239.1.2.3');
const OTHER = ip('239.4.5.6');
const ALL = ip('0.0.0.0');

interface Member {
  readonly host: TestHost;
  readonly link: TestLink;
  join(group: typeof GROUP): void;
  leave(group: typeof GROUP): void;
}

function member(): Member {
  const host = new TestHost(new ManualEnv(), 'member');
  const link = new TestLink({ mac: 1 });
  const netif = host.attach(link, '10.0.0.1/24');
  link.frames.length = 0;
  return {
    host,
    link,
    join: group => host.ip.joinGroup(netif, group),
    leave: group => host.ip.leaveGroup(netif, group),
  };
}

const NAMES: Readonly<Record<number, string>> = { 2: 'is in', 3: 'leaves', 4: 'joins' };

function words({ type, group }: GroupRecord): string {
  return `${NAMES[type]} ${group}`;
}

/** What a host has said of its groups since the last look: '224.0.0.22: joins 239.1.2.3'. */
function said({ link }: Member): string[] {
  const lines = link.frames.splice(0).flatMap(frame => {
    const view = viewOf(frame);
    if (view.getUint16(12) !== 0x0800 || view.getUint8(23) !== 2) return [];
    const at = 14 + ipv4HeaderLength(view, 14);
    assert.ok(ipv4ChecksumOk(view, 14));
    assert.equal(ipv4Ttl(view, 14), 1);
    assert.equal(view.getUint32(34), 0x94040000, 'a router alert');
    assert.equal(finishChecksum(sum16(frame, at, frame.length, 0)), 0);
    const to = `${frame.subarray(30, 34).join('.')}`;
    assert.equal(
      view.getUint32(0),
      (0x01005e00 | (view.getUint8(31) & 0x7f)) >>> 0,
      'the hardware address of the group',
    );
    const records = parseIgmpReport(view, at, frame.length);
    const group = frame.subarray(at + 4, at + 8).join('.');
    if (records === null) return [`${to}: type ${igmpType(view, at).toString(16)} ${group}`];
    return [`${to}: ${records.map(words).join(', ')}`];
  });
  return lines;
}

/** A querier asks; by version 3 unless told otherwise, with 10 s to answer. */
function ask({ host, link }: Member, group: typeof GROUP, version = 3): void {
  const frame = new Uint8Array(14 + 24 + (version === 3 ? 12 : 8));
  const view = viewOf(frame);
  emitEthernet(view, 0, 0x0100, 0x5e000001, 0x0200, 9, 0x0800);
  emitIpv4RouterAlert(view, 14, 0, frame.length - 14, 1, 2, ip('10.0.0.9').w3, ip('224.0.0.1').w3);
  if (version === 3) {
    emitIgmpQuery(view, 38, 10_000, group);
  } else {
    emitIgmp(view, 38, IGMP_QUERY, group);
    if (version === 2) frame[39] = 100;
  }
  view.setUint16(38 + IGMP_CHECKSUM, finishChecksum(sum16(frame, 38, frame.length, 0)));
  link.inject(frame);
  host.run();
}

describe('IGMP', () => {
  test('a group that is joined, and left, is reported at once and once more (RFC 3376 section 5.1)', () => {
    const one = member();
    one.join(GROUP);
    assert.deepEqual(said(one), ['224.0.0.22: joins 239.1.2.3']);
    advance(SECOND, one.host);
    assert.deepEqual(said(one), ['224.0.0.22: joins 239.1.2.3']);
    advance(20 * SECOND, one.host);
    assert.deepEqual(said(one), []);
    one.leave(GROUP);
    advance(20 * SECOND, one.host);
    assert.deepEqual(said(one), ['224.0.0.22: leaves 239.1.2.3', '224.0.0.22: leaves 239.1.2.3']);
  });

  test('as often as it is joined it must be left', () => {
    const one = member();
    one.join(GROUP);
    one.join(GROUP);
    advance(5 * SECOND, one.host);
    said(one);
    one.leave(GROUP);
    assert.deepEqual(said(one), []);
    one.leave(GROUP);
    assert.deepEqual(said(one), ['224.0.0.22: leaves 239.1.2.3']);
  });

  test('a querier is told of all groups, or of one, within its time (RFC 3376 section 5.2)', () => {
    const one = member();
    for (const group of [GROUP, OTHER]) one.join(group);
    advance(5 * SECOND, one.host);
    said(one);
    ask(one, ALL);
    advance(10 * SECOND, one.host);
    assert.deepEqual(said(one), ['224.0.0.22: is in 239.1.2.3, is in 239.4.5.6']);
    ask(one, OTHER);
    advance(10 * SECOND, one.host);
    assert.deepEqual(said(one), ['224.0.0.22: is in 239.4.5.6']);
    ask(one, ip('239.9.9.9'));
    advance(20 * SECOND, one.host);
    assert.deepEqual(said(one), []);
  });

  test('a querier of version 2 is answered in its language, and so is who listens, for a while (section 7.2.1)', () => {
    const one = member();
    one.join(GROUP);
    advance(5 * SECOND, one.host);
    said(one);
    ask(one, ALL, 2);
    advance(10 * SECOND, one.host);
    assert.deepEqual(said(one), ['239.1.2.3: type 16 239.1.2.3']);
    one.leave(GROUP);
    assert.deepEqual(said(one), ['224.0.0.2: type 17 239.1.2.3']);
    advance(261 * SECOND, one.host);
    said(one);
    one.join(GROUP);
    assert.deepEqual(said(one), ['224.0.0.22: joins 239.1.2.3']);
  });

  test('a querier of version 1 is not told who has left', () => {
    const one = member();
    one.join(GROUP);
    advance(5 * SECOND, one.host);
    said(one);
    ask(one, ALL, 1);
    advance(10 * SECOND, one.host);
    assert.deepEqual(said(one), ['239.1.2.3: type 12 239.1.2.3']);
    one.leave(GROUP);
    assert.deepEqual(said(one), []);
  });

  test('224.0.0.1 is never reported', () => {
    const one = member();
    one.join(ip('224.0.0.1'));
    advance(5 * SECOND, one.host);
    assert.deepEqual(said(one), []);
  });

  test('everything is given back', () => {
    const one = member();
    one.join(GROUP);
    one.host.ip.close();
    assert.equal(one.host.host.timers.size, 0);
    assert.equal(one.host.host.pool.inUse, 0);
  });
});
