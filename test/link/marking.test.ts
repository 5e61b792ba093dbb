import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rng } from '../../src/base/rng.ts';
import type { Medium } from '../../src/core/link.ts';
import type { Packet } from '../../src/core/packet.ts';
import { createCable } from '../../src/link/cable.ts';
import { faulty } from '../../src/link/faulty.ts';
import { markFrame } from '../../src/link/frame.ts';
import { TraceLog } from '../../src/trace/sink.ts';
import { IpAddress } from '../../src/wire/address.ts';
import { ecnField } from '../../src/wire/ecn.ts';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, emitEthernet } from '../../src/wire/ethernet.ts';
import { emitIpv4, ipv4ChecksumOk } from '../../src/wire/ipv4.ts';
import { emitIpv6 } from '../../src/wire/ipv6.ts';
import { emitVlan, VLAN_TYPE } from '../../src/wire/vlan.ts';
import { Bench, mac, RecordingPort } from './fixture.ts';

const NOT_ECT = 0;
const ECT_0 = 2;
const CE = 3;
const LENGTH = 100;

/** A frame that holds an IP packet with this ECN field, and where the packet begins. */
function frameWith(bench: Bench, family: 4 | 6, ecn: number, tagged = false): { packet: Packet; l3: number } {
  const packet = bench.frame(0, LENGTH);
  const { view, start } = packet;
  const type = family === 4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6;
  emitEthernet(view, start, ...mac(2), ...mac(1), tagged ? VLAN_TYPE : type);
  if (tagged) emitVlan(view, start + 12, VLAN_TYPE, 5, 0, false, type);
  const l3 = start + (tagged ? 18 : 14);
  emitIp(view, l3, family, ecn);
  return { packet, l3 };
}

function emitIp(view: DataView, l3: number, family: 4 | 6, ecn: number): void {
  const a = IpAddress.parse('fd00::1') as IpAddress;
  if (family === 4) emitIpv4(view, l3, 0x48 | ecn, 60, 1, true, 64, 17, 0x0a000001, 0x0a000002);
  else emitIpv6(view, l3, 0x48 | ecn, 1, 40, 17, 64, a, a);
}

test('an ECN-capable packet is marked in a frame of either family, tagged or not', () => {
  const bench = new Bench();
  for (const family of [4, 6] as const) {
    for (const tagged of [false, true]) {
      const { packet, l3 } = frameWith(bench, family, ECT_0, tagged);
      assert.equal(markFrame(packet, 'ethernet'), true);
      assert.equal(ecnField(packet.view, l3), CE);
      if (family === 4) assert.ok(ipv4ChecksumOk(packet.view, l3));
      packet.release();
    }
  }
});

test('on bare IP, too; but nothing that is not ECN-capable, not IP, or too short to tell', () => {
  const bench = new Bench();
  const bare = bench.frame(0, LENGTH);
  emitIp(bare.view, bare.start, 6, ECT_0);
  assert.equal(markFrame(bare, 'ip'), true);
  assert.equal(ecnField(bare.view, bare.start), CE);
  bare.end = bare.start + 39;
  assert.equal(markFrame(bare, 'ip'), false);
  bare.release();
  const unable = frameWith(bench, 4, NOT_ECT);
  assert.equal(markFrame(unable.packet, 'ethernet'), false);
  assert.equal(ecnField(unable.packet.view, unable.l3), NOT_ECT);
  unable.packet.release();
  for (const [type, medium] of [
    [0x0806, 'ethernet'],
    [ETHERTYPE_IPV6, 'ethernet'],
  ] as [number, Medium][]) {
    const { packet } = frameWith(bench, 4, ECT_0);
    packet.view.setUint16(packet.start + 12, type);
    const before = packet.bytes.slice(packet.start, packet.end);
    assert.equal(markFrame(packet, medium), false);
    assert.deepEqual(packet.bytes.slice(packet.start, packet.end), before);
    packet.release();
  }
});

test('a cable marks what finds so many packets waiting, and counts it', () => {
  const bench = new Bench();
  const trace = new TraceLog();
  const [a, b] = createCable(bench.env, { rate: 8e6, markAt: 5, trace });
  const port = new RecordingPort(bench.env, b);
  new RecordingPort(bench.env, a);
  for (let i = 0; i < 20; i++) assert.ok(a.send(frameWith(bench, 4, i % 2 === 0 ? ECT_0 : NOT_ECT).packet));
  bench.clock.runUntilIdle();
  // The first five found fewer than five before them; of the others every second one is ECN-capable.
  const fields = port.hex.map(hex => Number.parseInt(hex.slice(30, 32), 16) & 3);
  const expected = fields.map((_, i) => (i % 2 === 1 ? NOT_ECT : i < 5 ? ECT_0 : CE));
  assert.deepEqual(fields, expected);
  assert.equal(a.marked, 7);
  assert.deepEqual(
    trace.events.map(event => (event.type === 'fault' ? event.fault : event.type)),
    Array.from({ length: 7 }, () => 'mark'),
  );
  assert.equal(bench.pool.inUse, 0);
});

test('a faulty link marks so many of the packets that are ECN-capable', () => {
  const bench = new Bench();
  const [inner, b] = createCable(bench.env);
  const a = faulty(inner, bench.env, new Rng(1), { up: { mark: 0.1 } });
  const port = new RecordingPort(bench.env, b);
  new RecordingPort(bench.env, a);
  for (let round = 0; round < 50; round++) {
    for (let i = 0; i < 20; i++) a.send(frameWith(bench, 4, i % 2 === 0 ? ECT_0 : NOT_ECT).packet);
    bench.clock.runUntilIdle();
  }
  const marked = port.hex.filter(hex => (Number.parseInt(hex.slice(30, 32), 16) & 3) === CE).length;
  assert.equal(a.counters.up.mark, marked);
  assert.ok(marked > 25 && marked < 80, `${marked} of 500`);
  assert.equal(port.tags.length, 1000);
});
