import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fragment, frame6, icmp6, ipv6, sign } from './craft6.ts';
import { advance, ManualEnv, TestHost, TestLink } from './harness.ts';

/** A router with two interfaces and little memory; or a host that believes routers. */
function victim(forwarding: boolean): { host: TestHost; links: [TestLink, TestLink] } {
  const host = new TestHost(new ManualEnv(), 'victim', {
    forwarding,
    gc_thresh3: 8,
    ip6frag_high_thresh: 65536,
    echo_ignore_multicast: false,
    use_tempaddr: 2,
  });
  const links: [TestLink, TestLink] = [new TestLink({ mac: 1 }), new TestLink({ medium: 'ip', mtu: 1300 })];
  host.attach(links[0], 'fd00::1/64');
  host.attach(links[1], 'fd01::1/64');
  return { host, links };
}

/** Closing gives back everything: nothing leaked, no timer is left. */
function assertClean({ host }: { host: TestHost }): void {
  advance(70_000_000, host);
  host.ip.close();
  assert.equal(host.host.pool.inUse, 0);
  assert.equal(host.host.timers.size, 0);
}

test('random bytes never throw and leak no packet', () => {
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.array(fc.uint8Array({ minLength: 40, maxLength: 160 }), { maxLength: 20 }),
      (forwarding, frames) => {
        const subject = victim(forwarding);
        for (const bytes of frames) {
          subject.links[0].inject(frame6(bytes));
          bytes[0] = 0x60 | ((bytes[0] as number) & 15);
          for (const link of subject.links) link.inject(bytes);
          subject.links[0].inject(frame6(bytes));
        }
        subject.host.run();
        assertClean(subject);
      },
    ),
    { numRuns: 100 },
  );
});

const address = fc.constantFrom(
  'fd00::1',
  'fd00::2',
  'fd01::1',
  'fd01::9',
  'fe80::1',
  'ff02::1',
  'ff02::2',
  'ff02::1:ff00:1',
  '::',
  '::1',
  '2001:db8::1',
  '::ffff:10.0.0.1',
);

/** A message of neighbour discovery or MLD, or an error, with random contents and options that are nearly right. */
const message = fc
  .tuple(
    fc.constantFrom(1, 2, 3, 4, 128, 129, 130, 131, 133, 134, 134, 135, 136, 137, 143),
    fc.constantFrom(0, 0, 0, 1, 4),
    fc.nat(0xffffffff),
    fc.constantFrom(0, 8, 16, 32),
    fc.array(
      fc.tuple(
        fc.constantFrom(1, 2, 3, 5, 14, 25, 99),
        fc.constantFrom(0, 1, 1, 3, 4),
        fc.uint8Array({ maxLength: 30 }),
      ),
      { maxLength: 4 },
    ),
  )
  .map(([type, code, rest, fixed, options]) => {
    const body = new Uint8Array(fixed).fill(0xfd);
    const tail = options.flatMap(([kind, units, bytes]) => {
      const option = new Uint8Array(Math.max(units * 8, 2));
      option.set(bytes.subarray(0, option.length - 2), 2);
      option[0] = kind;
      option[1] = units;
      return [...option];
    });
    return icmp6(type, code, rest, Uint8Array.of(...body, ...tail));
  });

const extension = fc.constantFrom(0, 43, 44, 60);

const packet = fc
  .record({
    source: address,
    destination: address,
    hopLimit: fc.constantFrom(0, 1, 64, 255, 255, 255),
    message,
    headers: fc.array(fc.tuple(extension, fc.uint8Array({ minLength: 7, maxLength: 7 })), { maxLength: 3 }),
    damage: fc.option(fc.tuple(fc.nat(200), fc.nat(255))),
  })
  .map(({ source, destination, hopLimit, message: body, headers, damage }) => {
    sign(body, source, destination);
    let data = body;
    let protocol = 58;
    for (const [type, bytes] of headers) {
      const header = Uint8Array.of(protocol, ...bytes);
      if (type !== 44) header[1] = (header[1] as number) & 1;
      data =
        type === 44
          ? fragment(protocol, (bytes[0] as number) & 0xf8, (bytes[1] as number) > 99, 7, data)
          : Uint8Array.of(...header, ...data);
      protocol = type;
    }
    const whole = ipv6({ source, destination, hopLimit, protocol, data });
    if (damage !== null) whole[40 + (damage[0] % Math.max(whole.length - 40, 1))] = damage[1];
    return whole;
  });

test('nearly right packets never throw and leak no packet', () => {
  fc.assert(
    fc.property(fc.boolean(), fc.array(packet, { maxLength: 30 }), (forwarding, packets) => {
      const subject = victim(forwarding);
      for (const bytes of packets) {
        subject.links[0].inject(frame6(bytes));
        subject.links[1].inject(bytes);
        subject.host.run();
      }
      advance(2_000_000, subject.host);
      for (const bytes of packets) subject.links[0].inject(frame6(bytes));
      subject.host.run();
      assert.ok(subject.host.ip.ipv6.neighbors.size <= 8);
      assertClean(subject);
    }),
    { numRuns: 150 },
  );
});
