import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DnsRepository } from '../../src/net/dns-repository.ts';
import { advance, ip, ManualEnv, TestHost } from './harness.ts';

const SECOND = 1_000_000;

function repository() {
  const host = new TestHost(new ManualEnv(), 'a');
  const dns = new DnsRepository(host.host);
  const servers = (): string[] => dns.servers.map(String);
  return { host, dns, servers };
}

describe('the DNS repository (RFC 8106 section 6)', () => {
  test("the user's servers come first, then DHCP's, then those of routers", () => {
    const { dns, servers } = repository();
    dns.learnServer('ra', 2, ip('fd00::53'), Number.POSITIVE_INFINITY);
    dns.replace('dhcp', 2, [ip('10.0.0.1'), ip('10.0.0.2')], ['Example.Test.', 'test']);
    dns.replace('static', 0, [ip('192.0.2.53')], ['first.test']);
    dns.learnServer('ra', 2, ip('fe80::53'), Number.POSITIVE_INFINITY);
    assert.deepEqual(servers(), ['192.0.2.53', '10.0.0.1', '10.0.0.2', 'fd00::53', 'fe80::53%2']);
    assert.deepEqual(dns.domains, ['first.test', 'example.test', 'test']);
    assert.deepEqual(dns.serversOf('ra').map(String), ['fd00::53', 'fe80::53%2']);
  });

  test('what two sources say is there once, until both have ended', () => {
    const { host, dns, servers } = repository();
    dns.replace('dhcp', 2, [ip('10.0.0.1')], ['test']);
    dns.replace('dhcp', 3, [ip('10.0.0.1')], ['test'], host.host.nowUs + SECOND);
    assert.deepEqual([servers(), dns.domains], [['10.0.0.1'], ['test']]);
    dns.forget('dhcp', 2);
    assert.deepEqual([servers(), dns.domains], [['10.0.0.1'], ['test']]);
    advance(2 * SECOND, host);
    assert.deepEqual([servers(), dns.domains], [[], []]);
    assert.equal(host.host.timers.size, 0);
  });

  test('a lifetime is renewed in place, and ended by one that is over', () => {
    const { host, dns, servers } = repository();
    const { nowUs } = host.host;
    dns.learnServer('ra', 2, ip('fd00::1'), nowUs + SECOND);
    dns.learnServer('ra', 2, ip('fd00::2'), nowUs + SECOND);
    dns.learnServer('ra', 2, ip('fd00::1'), nowUs + 10 * SECOND);
    assert.deepEqual(servers(), ['fd00::1', 'fd00::2']);
    advance(2 * SECOND, host);
    assert.deepEqual(servers(), ['fd00::1']);
    dns.learnServer('ra', 2, ip('fd00::1'), host.host.nowUs);
    assert.deepEqual(servers(), []);
  });

  test('what no server can have is not taken', () => {
    const { dns, servers } = repository();
    const bad = ['0.0.0.0', '224.0.0.1', '255.255.255.255', '::', 'ff02::1'];
    dns.replace(
      'dhcp',
      2,
      bad.map(text => ip(text)),
      [],
    );
    assert.deepEqual(servers(), []);
  });

  test('it tells of each change, and holds no more than max_addresses of one source', () => {
    const { host, dns, servers } = repository();
    let changes = 0;
    dns.onChange(() => changes++);
    const max = host.host.sysctl.max_addresses;
    for (let i = 0; i < max + 5; i++) {
      dns.learnServer('ra', 2, ip(`fd00::${i}`), Number.POSITIVE_INFINITY);
      dns.learnDomain('ra', 2, `d${i}.test`, Number.POSITIVE_INFINITY);
    }
    assert.equal(servers().length, max);
    assert.equal(dns.domains.length, max);
    assert.equal(changes, 2 * (max + 5));
  });
});
