import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fillIpv4Checksum, setIpv4TotalLength } from '../../src/wire/ipv4.ts';
import { frame, icmp, ipv4 } from './craft.ts';
import { advance, ManualEnv, TestHost, TestLink, viewOf } from './harness.ts';

/** A router with two interfaces, a gateway, and little memory. */
function victim(): { host: TestHost; links: [TestLink, TestLink] } {
  const host = new TestHost(new ManualEnv(), 'victim', {
    ip_forward: true,
    gc_thresh3: 8,
    ipfrag_high_thresh: 65536,
    icmp_echo_ignore_broadcasts: false,
  });
  const links: [TestLink, TestLink] = [new TestLink({ mac: 1 }), new TestLink({ medium: 'ip', mtu: 300 })];
  host.attach(links[0], '10.0.0.1/24');
  host.attach(links[1], '10.0.1.1/24');
  host.ip.routes.add({ destination: host.route('10.0.1.2').destination, prefixLength: 0, netif: 3 });
  return { host, links };
}

/** Closing gives back everything: nothing leaked, no timer is left. */
function assertClean({ host }: { host: TestHost }): void {
  advance(40_000_000, host);
  host.ip.close();
  assert.equal(host.host.pool.inUse, 0);
  assert.equal(host.host.timers.size, 0);
}

test('random bytes never throw and leak no packet', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 120 }), { maxLength: 20 }), frames => {
      const subject = victim();
      for (const bytes of frames) {
        for (const link of subject.links) link.inject(bytes);
        subject.links[0].inject(frame(bytes));
        subject.links[0].inject(frame(bytes, 0xffff, -1, 0x0806));
      }
      subject.host.run();
      assertClean(subject);
    }),
    { numRuns: 100 },
  );
});

/** Addresses that matter, and one that does not. */
const address = fc.constantFrom(
  '10.0.0.1',
  '10.0.0.2',
  '10.0.0.255',
  '10.0.1.1',
  '10.0.1.9',
  '224.0.0.1',
  '0.0.0.0',
  '127.0.0.1',
  '8.8.8.8',
  '255.255.255.255',
);

const packet = fc.record({
  source: address,
  destination: address,
  protocol: fc.constantFrom(1, 6, 17, 253, 99),
  ttl: fc.constantFrom(0, 1, 2, 64),
  id: fc.constantFrom(1, 2),
  df: fc.boolean(),
  mf: fc.boolean(),
  fragmentOffset: fc.constantFrom(0, 0, 0, 8, 16, 24, 65528),
  options: fc.constantFrom(
    [],
    [],
    [1, 1, 1, 1],
    [7, 7, 4, 0, 0, 0, 0, 0],
    [131, 3, 4, 0],
    [7, 0, 0, 0],
    [9, 99, 1, 1],
  ),
  data: fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc
      .tuple(
        fc.constantFrom(0, 3, 4, 5, 8, 11, 12, 13),
        fc.nat(16),
        fc.integer(),
        fc.uint8Array({ maxLength: 60 }),
      )
      .map(([type, code, rest, data]) => icmp(type, code, rest, data)),
    fc
      .tuple(fc.constantFrom(3, 11, 12), fc.nat(16), fc.integer(), address)
      .map(([type, code, rest, destination]) =>
        icmp(type, code, rest, ipv4({ source: '10.0.0.1', destination, data: 'quoted data' })),
      ),
  ),
});

test('nearly right packets never throw and leak no packet', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(packet, fc.boolean(), fc.nat(80), fc.nat(255)), { maxLength: 30 }),
      packets => {
        const subject = victim();
        for (const [spec, damage, at, value] of packets) {
          const bytes = ipv4(spec);
          if (damage) {
            bytes[at % bytes.length] = value;
            const view = viewOf(bytes);
            if ((view.getUint8(0) & 15) * 4 <= bytes.length) {
              setIpv4TotalLength(view, 0, bytes.length);
              fillIpv4Checksum(view, 0);
            }
          }
          subject.links[0].inject(frame(bytes));
          subject.links[0].inject(frame(bytes, 0xffff, -1));
          subject.links[1].inject(bytes);
        }
        subject.host.run();
        assertClean(subject);
      },
    ),
    { numRuns: 100 },
  );
});
