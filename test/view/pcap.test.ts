import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex } from '../../src/base/hex.ts';
import { LINKTYPE_RAW, readPcap } from '../../src/pcap/pcap.ts';
import { type PacketEvent, TRACE_PACKET, type TraceEvent } from '../../src/trace/events.ts';
import { type PcapSinkOptions, pcapSink } from '../../src/view/pcap.ts';

const FRAME: PacketEvent = {
  type: 'packet',
  atUs: 1_000_000,
  host: 'client',
  netif: 'eth0',
  direction: 'out',
  medium: 'ethernet',
  length: 1514,
  data: 'ffffffffffff0200000000010806',
};

function capture(events: TraceEvent[], options?: PcapSinkOptions): string[] {
  const chunks: Uint8Array[] = [];
  const sink = pcapSink(chunk => chunks.push(chunk), options);
  assert.equal(sink.wants, TRACE_PACKET);
  for (const event of events) sink.emit(event);
  const file = readPcap(Uint8Array.from(chunks.flatMap(chunk => Array.from(chunk))));
  assert.ok(file !== null);
  return Array.from(
    file.packets,
    ({ atUs, bytes, originalLength }) => `${atUs} ${originalLength} ${toHex(bytes)}`,
  );
}

test('packet events become records, other events do not', () => {
  const drop: TraceEvent = { type: 'drop', atUs: 1, host: 'client', layer: 'ip', reason: 'IP_CSUM' };
  assert.deepEqual(capture([FRAME, drop]), ['1000000 1514 ffffffffffff0200000000010806']);
});

test('a host and an interface can be picked', () => {
  const events = ['client', 'server'].flatMap(host =>
    ['eth0', 'lo'].map((netif, index) => ({
      ...FRAME,
      host,
      netif,
      atUs: index + (host === 'client' ? 10 : 20),
    })),
  );
  const times = (options?: PcapSinkOptions): number[] =>
    capture(events, options).map(line => Number(line.split(' ')[0]));
  assert.deepEqual(times(), [10, 11, 20, 21]);
  assert.deepEqual(times({ host: 'server' }), [20, 21]);
  assert.deepEqual(times({ netif: 'lo' }), [11, 21]);
  assert.deepEqual(times({ host: 'client', netif: 'lo' }), [11]);
});

test('bare IP packets get a MAC header of zeros in an Ethernet file', () => {
  const v4: PacketEvent = { ...FRAME, medium: 'ip', length: 20, data: '4500' };
  const v6: PacketEvent = { ...FRAME, medium: 'ip', length: 40, data: '6000' };
  assert.deepEqual(capture([v4, v6]), [
    '1000000 34 00000000000000000000000008004500',
    '1000000 54 00000000000000000000000086dd6000',
  ]);
});

test('a file of bare IP packets leaves Ethernet frames out', () => {
  const v4: PacketEvent = { ...FRAME, medium: 'ip', length: 20, data: '4500' };
  assert.deepEqual(capture([FRAME, v4], { linkType: LINKTYPE_RAW }), ['1000000 20 4500']);
});
