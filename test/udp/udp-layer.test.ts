import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  EACCES,
  EADDRINUSE,
  EADDRNOTAVAIL,
  ECONNREFUSED,
  EDESTADDRREQ,
  EINVAL,
  EMSGSIZE,
  ENETUNREACH,
  EPIPE,
} from '../../src/base/errno.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP } from '../../src/core/readiness.ts';
import { datagramInfo } from '../../src/datagram/received.ts';
import type { UdpEndpoint } from '../../src/udp/udp-endpoint.ts';
import { UDP_MAX_V4 } from '../../src/udp/udp-layer.ts';
import { ANY_V4, BROADCAST_V4 } from '../../src/wire/address.ts';
import { parseIpv4 } from '../../src/wire/ipv4.ts';
import { setUdpChecksum } from '../../src/wire/udp.ts';
import { bytes, ip, Listening, twoHosts, type UdpHost } from './fixture.ts';

/** What waits in an endpoint: 'text from address:port' for each datagram. */
function received(endpoint: UdpEndpoint): string[] {
  const texts: string[] = [];
  const buffer = new Uint8Array(70000);
  const from = datagramInfo();
  for (;;) {
    const length = endpoint.read(buffer, 0, buffer.length, false, from);
    if (length < 0) return texts;
    const text = new TextDecoder().decode(buffer.subarray(0, length));
    texts.push(`${text} from ${from.address}:${from.port}`);
  }
}

function bound(host: UdpHost, address: string, port: number, settings = {}): UdpEndpoint {
  const endpoint = host.udp.open(null);
  endpoint.settings = { ...endpoint.settings, ...settings };
  assert.equal(endpoint.bind(ip(address), port), 0);
  return endpoint;
}

function send(from: UdpEndpoint, text: string, to: string, port: number): number {
  const data = bytes(text);
  return from.send(data, 0, data.length, ip(to), port);
}

describe('udp: sending and receiving', () => {
  it('carries a datagram there and the answer back', () => {
    const { clock, a, b, pool } = twoHosts();
    const server = bound(b, '0.0.0.0', 53);
    const client = bound(a, '0.0.0.0', 4000);
    assert.equal(send(client, 'ping', '10.0.0.2', 53), 4);
    clock.runFor(1e6);
    assert.deepEqual(received(server), ['ping from 10.0.0.1:4000']);
    send(server, 'pong', '10.0.0.1', 4000);
    send(server, '', '10.0.0.1', 4000);
    clock.runFor(1e6);
    assert.deepEqual(received(client), ['pong from 10.0.0.2:53', ' from 10.0.0.2:53']);
    assert.equal(a.host.mib.Udp.OutDatagrams, 1);
    assert.equal(a.host.mib.Udp.InDatagrams, 2);
    assert.equal(pool.inUse, 0);
  });

  it('reaches itself over the loopback', () => {
    const { clock, a } = twoHosts();
    const server = bound(a, '127.0.0.1', 53);
    const client = a.udp.open(null);
    send(client, 'self', '127.0.0.1', 53);
    clock.runFor(1000);
    assert.deepEqual(received(server), [`self from 127.0.0.1:${client.localPort}`]);
  });

  it('picks an unpredictable free port within ip_local_port_range', () => {
    const { a } = twoHosts({ sysctl: { ip_local_port_range: [40000, 40003] } });
    const ports = [0, 1, 2, 3].map(() => bound(a, '0.0.0.0', 0).localPort);
    assert.deepEqual([...ports].sort(), [40000, 40001, 40002, 40003]);
    assert.equal(a.udp.open(null).bind(ANY_V4, 0), -EADDRINUSE);
  });

  it('sends 65507 bytes in fragments and refuses one more', () => {
    const { clock, a, b, pool } = twoHosts();
    const server = bound(b, '10.0.0.2', 53);
    const client = a.udp.open(null);
    const data = Uint8Array.from({ length: UDP_MAX_V4 + 1 }, (_, i) => i * 7);
    assert.equal(client.send(data, 0, UDP_MAX_V4 + 1, ip('10.0.0.2'), 53), -EMSGSIZE);
    assert.equal(client.send(data, 0, UDP_MAX_V4, ip('10.0.0.2'), 53), UDP_MAX_V4);
    clock.runFor(1e6);
    const got = new Uint8Array(UDP_MAX_V4);
    assert.equal(server.read(got, 0, got.length, false, null), UDP_MAX_V4);
    assert.deepEqual(got, data.subarray(0, UDP_MAX_V4));
    assert.equal(pool.inUse, 0);
  });

  it('queues fragmented datagrams by their size, not by the slot they were put together in', () => {
    const { clock, a, b } = twoHosts();
    const server = bound(b, '10.0.0.2', 53);
    const client = a.udp.open(null);
    const data = new Uint8Array(3000);
    for (let i = 0; i < 40; i++) {
      client.send(data, 0, 3000, ip('10.0.0.2'), 53);
      clock.runFor(1e6);
    }
    assert.equal(received(server).length, 40);
  });

  it('sets DF as IP_MTU_DISCOVER says', () => {
    const { clock, a, b } = twoHosts();
    const seen: boolean[] = [];
    b.host.hooks.ingress.add(packet => {
      const header = parseIpv4(packet.view, packet.l3 || packet.start, packet.end);
      if (header !== null) seen.push(header.dontFragment);
      return true;
    });
    const client = a.udp.open(null);
    const big = new Uint8Array(2000);
    for (const mtuDiscover of ['want', 'dont', 'do', 'probe'] as const) {
      client.settings = { ...client.settings, mtuDiscover };
      send(client, 'x', '10.0.0.2', 53);
    }
    assert.equal(client.send(big, 0, 2000, ip('10.0.0.2'), 53), -EMSGSIZE);
    client.settings = { ...client.settings, mtuDiscover: 'want' };
    assert.equal(client.send(big, 0, 2000, ip('10.0.0.2'), 53), 2000);
    clock.runFor(1e6);
    assert.deepEqual(seen, [true, false, true, true, false, false]);
  });

  it('refuses what has no route or no destination', () => {
    const { a } = twoHosts();
    const client = a.udp.open(null);
    assert.equal(send(client, 'x', '192.0.2.1', 53), -ENETUNREACH);
    assert.equal(client.send(bytes('x'), 0, 1, null, 0), -EDESTADDRREQ);
    assert.equal(send(client, 'x', '10.0.0.2', 0), -EINVAL);
  });
});

describe('udp: who receives', () => {
  it('connected beats bound to the address beats wildcard', () => {
    const { clock, a, b } = twoHosts();
    const reuse = { reuseAddress: true };
    const any = bound(b, '0.0.0.0', 53, reuse);
    const specific = bound(b, '10.0.0.2', 53, reuse);
    const connected = bound(b, '10.0.0.2', 53, reuse);
    assert.equal(connected.connect(ip('10.0.0.1'), 4000), 0);
    send(bound(a, '0.0.0.0', 4000), 'one', '10.0.0.2', 53);
    send(bound(a, '0.0.0.0', 4001), 'two', '10.0.0.2', 53);
    clock.runFor(1e6);
    assert.deepEqual(received(connected), ['one from 10.0.0.1:4000']);
    assert.deepEqual(received(specific), ['two from 10.0.0.1:4001']);
    assert.deepEqual(received(any), []);
  });

  it('a connected socket hears nobody else, and a port without a taker answers with an ICMP error', () => {
    const { clock, a, b } = twoHosts();
    const server = bound(b, '0.0.0.0', 53);
    server.connect(ip('10.0.0.1'), 9999);
    send(a.udp.open(null), 'x', '10.0.0.2', 53);
    clock.runFor(1e6);
    assert.deepEqual(received(server), []);
    assert.equal(b.host.mib.Udp.NoPorts, 1);
    assert.deepEqual(b.drops(), ['NO_SOCKET']);
    assert.equal(a.host.mib.Icmp.InDestUnreachs, 1);
  });

  it('of two with SO_REUSEADDR the one bound last receives', () => {
    const { clock, a, b } = twoHosts();
    const first = bound(b, '0.0.0.0', 53, { reuseAddress: true });
    const last = bound(b, '0.0.0.0', 53, { reuseAddress: true });
    send(a.udp.open(null), 'x', '10.0.0.2', 53);
    clock.runFor(1e6);
    assert.equal(received(first).length, 0);
    assert.equal(received(last).length, 1);
  });

  it('SO_REUSEPORT spreads flows, and keeps each flow with one socket', () => {
    const { clock, a, b } = twoHosts();
    const group = [0, 1, 2, 3].map(() => bound(b, '0.0.0.0', 53, { reusePort: true }));
    for (let port = 5000; port < 5040; port++) {
      const client = bound(a, '0.0.0.0', port);
      send(client, 'x', '10.0.0.2', 53);
      send(client, 'y', '10.0.0.2', 53);
    }
    clock.runFor(1e6);
    const taken = group.map(received);
    assert.equal(taken.flat().length, 80);
    for (const list of taken) {
      assert.ok(list.length > 0, 'each of four sockets gets some of 40 flows');
      const senders = list.map(line => line.slice(line.indexOf('from')));
      for (const sender of senders) assert.equal(senders.filter(other => other === sender).length, 2);
    }
  });
});

describe('udp: bind', () => {
  const cases: [string, number, object, string, number, object, number][] = [
    ['0.0.0.0', 53, {}, '0.0.0.0', 53, {}, -EADDRINUSE],
    ['0.0.0.0', 53, {}, '10.0.0.1', 53, {}, -EADDRINUSE],
    ['10.0.0.1', 53, {}, '0.0.0.0', 53, {}, -EADDRINUSE],
    ['10.0.0.1', 53, {}, '127.0.0.1', 53, {}, 0],
    ['10.0.0.1', 53, {}, '10.0.0.1', 54, {}, 0],
    ['0.0.0.0', 53, { reuseAddress: true }, '0.0.0.0', 53, {}, -EADDRINUSE],
    ['0.0.0.0', 53, { reuseAddress: true }, '0.0.0.0', 53, { reuseAddress: true }, 0],
    ['0.0.0.0', 53, { reusePort: true }, '0.0.0.0', 53, { reuseAddress: true }, -EADDRINUSE],
    ['0.0.0.0', 53, { reusePort: true }, '10.0.0.1', 53, { reusePort: true }, 0],
  ];
  for (const [address, port, settings, address2, port2, settings2, result] of cases) {
    const text = (settings: object): string => Object.keys(settings).join(' ');
    it(`${address}:${port} ${text(settings)} then ${address2}:${port2} ${text(settings2)}: ${result}`, () => {
      const { a } = twoHosts();
      bound(a, address, port, settings);
      const second = a.udp.open(null);
      second.settings = { ...second.settings, ...settings2 };
      assert.equal(second.bind(ip(address2), port2), result);
    });
  }

  it('refuses an address that is not ours, and a second bind', () => {
    const { a } = twoHosts();
    assert.equal(a.udp.open(null).bind(ip('10.0.0.9'), 53), -EADDRNOTAVAIL);
    assert.equal(bound(a, '10.0.0.1', 53).bind(ip('10.0.0.1'), 54), -EINVAL);
  });

  it('close frees the port', () => {
    const { a } = twoHosts();
    bound(a, '0.0.0.0', 53).close();
    bound(a, '0.0.0.0', 53);
  });
});

describe('udp: connect', () => {
  it('fixes addresses; AF_UNSPEC undoes what connect chose', () => {
    const { a } = twoHosts();
    const endpoint = a.udp.open(null);
    assert.equal(endpoint.connect(ip('10.0.0.2'), 53), 0);
    assert.equal(String(endpoint.localAddress), '10.0.0.1');
    assert.ok(endpoint.localPort >= 32768 && endpoint.localPort <= 60999);
    assert.equal(endpoint.pathMtu, 1500);
    endpoint.disconnect();
    assert.equal(String(endpoint.localAddress), '0.0.0.0');
    assert.equal(endpoint.localPort, 0);
    assert.equal(endpoint.remoteAddress, null);

    const kept = bound(a, '10.0.0.1', 53);
    kept.connect(ip('10.0.0.2'), 53);
    kept.disconnect();
    assert.equal(`${kept.localAddress}:${kept.localPort}`, '10.0.0.1:53');
  });

  it('an unreachable port becomes ECONNREFUSED, once, on the next call', () => {
    const { clock, a } = twoHosts();
    const user = new Listening();
    const endpoint = a.udp.open(user);
    endpoint.connect(ip('10.0.0.2'), 53);
    const data = bytes('x');
    assert.equal(endpoint.send(data, 0, 1, null, 0), 1);
    clock.runFor(1e6);
    assert.equal(user.mask & POLLERR, POLLERR);
    assert.equal(endpoint.poll() & POLLERR, POLLERR);
    assert.equal(endpoint.send(data, 0, 1, null, 0), -ECONNREFUSED);
    assert.equal(endpoint.send(data, 0, 1, null, 0), 1);
  });

  it('an unconnected socket hears nothing of it', () => {
    const { clock, a } = twoHosts();
    const endpoint = a.udp.open(null);
    send(endpoint, 'x', '10.0.0.2', 53);
    clock.runFor(1e6);
    assert.equal(endpoint.takeError(), 0);
  });
});

describe('udp: broadcast', () => {
  it('needs SO_BROADCAST', () => {
    const { a } = twoHosts();
    const endpoint = a.udp.open(null);
    assert.equal(send(endpoint, 'x', '255.255.255.255', 53), -EACCES);
    assert.equal(send(endpoint, 'x', '10.0.0.255', 53), -EACCES);
    assert.equal(endpoint.connect(BROADCAST_V4, 53), -EACCES);
  });

  it('reaches every socket of the port, and no other, without ICMP errors', () => {
    const { clock, a, b, pool } = twoHosts();
    const reuse = { reuseAddress: true };
    const one = bound(b, '0.0.0.0', 53, reuse);
    const two = bound(b, '0.0.0.0', 53, reuse);
    const unicastOnly = bound(b, '10.0.0.2', 53, reuse);
    const client = bound(a, '0.0.0.0', 4000, { broadcast: true });
    send(client, 'all', '10.0.0.255', 53);
    send(client, 'nobody', '10.0.0.255', 54);
    clock.runFor(1e6);
    assert.deepEqual(received(one), ['all from 10.0.0.1:4000']);
    assert.deepEqual(received(two), ['all from 10.0.0.1:4000']);
    assert.deepEqual(received(unicastOnly), []);
    assert.equal(b.host.mib.Icmp.OutDestUnreachs, 0);
    assert.equal(pool.inUse, 0);
  });
});

describe('udp: checksums', () => {
  /** Sends one datagram whose checksum field is changed on the way. */
  function withChecksum(change: (checksum: number) => number): { texts: string[]; b: UdpHost } {
    const { clock, a, b } = twoHosts();
    const server = bound(b, '0.0.0.0', 53);
    a.host.hooks.egress.add(packet => {
      if (packet.protocol === 17) {
        const checksum = packet.view.getUint16(packet.l4 + 6);
        setUdpChecksum(packet.view, packet.l4, change(checksum));
        packet.checksumState = 0;
      }
      return true;
    });
    send(bound(a, '0.0.0.0', 4000), 'sum', '10.0.0.2', 53);
    clock.runFor(1e6);
    return { texts: received(server), b };
  }

  it('takes a datagram without one', () => {
    assert.deepEqual(withChecksum(() => 0).texts, ['sum from 10.0.0.1:4000']);
  });

  it('drops a datagram with a wrong one and counts it', () => {
    const { texts, b } = withChecksum(() => 0x1234);
    assert.deepEqual(texts, []);
    assert.equal(b.host.mib.Udp.InCsumErrors, 1);
    assert.equal(b.host.mib.Udp.InErrors, 1);
    assert.deepEqual(b.drops(), ['UDP_CSUM']);
    assert.equal(b.host.mib.Icmp.OutMsgs, 0);
  });
});

describe('udp: the receive queue', () => {
  it('is bounded by SO_RCVBUF; what is over is dropped and counted', () => {
    const { clock, a, b, pool } = twoHosts();
    const server = bound(b, '0.0.0.0', 53, { rcvBuf: 8 * 2304 });
    const client = a.udp.open(null);
    for (let i = 0; i < 20; i++) send(client, 'x', '10.0.0.2', 53);
    clock.runFor(1e6);
    const { RcvbufErrors, InDatagrams } = b.host.mib.Udp;
    assert.equal(InDatagrams, 9);
    assert.equal(RcvbufErrors, 11);
    assert.equal(received(server).length, 9);
    send(client, 'y', '10.0.0.2', 53);
    clock.runFor(1e6);
    assert.equal(received(server).length, 1);
    send(client, 'left', '10.0.0.2', 53);
    clock.runFor(1e6);
    server.close();
    assert.equal(pool.inUse, 0);
  });

  it('peeks, cuts off what does not fit and reports the whole length', () => {
    const { clock, a, b } = twoHosts();
    const user = new Listening();
    const server = b.udp.open(user);
    server.bind(ANY_V4, 53);
    send(a.udp.open(null), 'abcdef', '10.0.0.2', 53);
    clock.runFor(1e6);
    assert.equal(user.mask, POLLIN);
    assert.equal(server.nextLength, 6);
    const buffer = new Uint8Array(4);
    assert.equal(server.read(buffer, 0, 4, true, null), 6);
    assert.equal(server.read(buffer, 1, 3, false, null), 6);
    assert.equal(new TextDecoder().decode(buffer), 'aabd');
    assert.equal(server.nextLength, -1);
  });

  it('shutdown ends reading and writing', () => {
    const { a } = twoHosts();
    const user = new Listening();
    const endpoint = a.udp.open(user);
    assert.equal(endpoint.poll(), POLLOUT);
    endpoint.shutdown(true, true);
    assert.equal(endpoint.poll(), POLLOUT | POLLIN | POLLRDHUP | POLLHUP);
    assert.equal(user.mask & POLLHUP, POLLHUP);
    assert.equal(send(endpoint, 'x', '10.0.0.2', 53), -EPIPE);
  });
});
