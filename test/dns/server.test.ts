import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BLANK_MESSAGE, decodeMessage, encodeMessage, type Message } from '../../src/dns/message.ts';
import { serveDns } from '../../src/dns/server.ts';
import type { TcpSocketStream } from '../../src/socket/api/tcp-stream.ts';
import { encodeLengthPrefixed, readLengthPrefixed } from '../../src/socket/framing.ts';
import { IpAddress } from '../../src/wire/address.ts';
import { Net } from './fixture.ts';

const ZONES = { test: { www: { A: '10.0.0.9' } } };

function query(id: number, name = 'www.test'): Uint8Array {
  return encodeMessage({ ...BLANK_MESSAGE, id, questions: [{ name, type: 'A', class: 'IN' }] });
}

const framed = (message: Uint8Array): Uint8Array => encodeLengthPrefixed(message, { lengthBytes: 2 });

function write(connection: TcpSocketStream, bytes: Uint8Array): Promise<void> {
  const writer = connection.writable.getWriter();
  return writer.write(bytes).finally(() => writer.releaseLock());
}

/** The ids of the answers on a connection, until it ends. */
async function idsOn(connection: TcpSocketStream): Promise<number[]> {
  const ids: number[] = [];
  for await (const bytes of readLengthPrefixed(connection.readable, { lengthBytes: 2 })) {
    ids.push((decodeMessage(bytes) as Message).id);
  }
  return ids;
}

describe('a DNS server', () => {
  it('answers by UDP from the address that was asked, of each family', async () => {
    const net = new Net();
    net.server.ip.netif('eth0')?.addAddress(IpAddress.parse('10.0.0.3') as IpAddress, 24);
    await net.world.runFor(3_000_000);
    serveDns(net.server, { zones: ZONES });
    for (const hostname of ['10.0.0.2', '10.0.0.3', 'fd00::2']) {
      const socket = net.client.udp({ hostname: hostname.includes(':') ? '::' : '0.0.0.0' });
      await socket.send(query(5), { hostname, port: 53 });
      const answer = await net.run(socket.receive());
      assert.deepEqual([answer.hostname, answer.port], [hostname, 53]);
      assert.equal(decodeMessage(answer.data)?.answers[0]?.data, '10.0.0.9');
    }
    net.world.close();
  });

  it('answers several questions on one connection, in order, until the client has no more', async () => {
    const net = new Net();
    const server = serveDns(net.server, { zones: ZONES });
    const connection = net.client.connect('10.0.0.2:53');
    const ids = idsOn(connection);
    const bytes = Uint8Array.from([1, 2, 3].flatMap(id => [...framed(query(id))]));
    // Cut in the middle of a length and of a message.
    for (const [from, to] of [
      [0, 1],
      [1, 30],
      [30, bytes.length],
    ]) {
      await net.run(write(connection, bytes.slice(from, to)));
      await net.world.runFor(50_000);
    }
    assert.equal(server.tcpConnections, 1);
    await connection.writable.close();
    assert.deepEqual(await net.run(ids), [1, 2, 3]);
    await net.world.runFor(1_000_000);
    assert.equal(server.tcpConnections, 0);
    net.world.close();
  });

  it('takes no more connections than it may, and none that says nothing', async () => {
    const net = new Net();
    const server = serveDns(net.server, {
      zones: ZONES,
      limits: { tcpConnections: 2, tcpIdleUs: 5_000_000 },
    });
    const first = [net.client.connect('10.0.0.2:53'), net.client.connect('10.0.0.2:53')];
    await net.world.runFor(100_000);
    const third = net.client.connect('10.0.0.2:53');
    await assert.rejects(net.run(third.closed), { code: 'ECONNRESET' });
    assert.equal(server.tcpConnections, 2);
    await net.run(write(first[0] as TcpSocketStream, framed(query(1)).slice(0, 9)));
    await net.run(
      Promise.all(first.map(connection => assert.rejects(connection.closed, { code: 'ECONNRESET' }))),
    );
    assert.equal(server.tcpConnections, 0);
    net.world.close();
  });

  it('ends a connection of somebody who does not read', async () => {
    const net = new Net();
    const server = serveDns(net.server, { zones: { test: { www: { TXT: 'x'.repeat(60_000) } } } });
    const connection = net.client.connect('10.0.0.2:53');
    const asked = encodeMessage({
      ...BLANK_MESSAGE,
      questions: [{ name: 'www.test', type: 'TXT', class: 'IN' }],
    });
    const writing = (async () => {
      for (let i = 0; i < 200; i++) await write(connection, framed(asked));
    })();
    writing.catch(() => undefined);
    await net.world.runFor(5_000_000);
    assert.equal(server.tcpConnections, 1);
    await net.world.runFor(6_000_000);
    assert.equal(server.tcpConnections, 0);
    await writing;
    net.world.close();
  });

  it('ends with its stack', async () => {
    const net = new Net();
    const server = serveDns(net.server, { zones: ZONES });
    const connection = net.client.connect('10.0.0.2:53');
    await net.run(connection.opened);
    net.server.close();
    await net.world.runFor(1_000_000);
    assert.equal(server.tcpConnections, 0);
    net.world.close();
  });

  it('goes on when there were no descriptors for a while', async () => {
    const net = new Net({}, 1, { ethertype_nofile: 6 });
    const server = serveDns(net.server, { zones: ZONES });
    const connections = Array.from({ length: 6 }, () => net.client.connect('10.0.0.2:53'));
    await net.world.runFor(1_000_000);
    assert.ok(server.tcpConnections < 6, `${server.tcpConnections} connections`);
    for (const connection of connections) connection.abort();
    await net.world.runFor(1_000_000);
    const last = net.client.connect('10.0.0.2:53');
    const ids = idsOn(last);
    await net.run(write(last, framed(query(9))));
    await net.world.runFor(1_000_000);
    await last.writable.close();
    assert.deepEqual(await net.run(ids), [9]);
    net.world.close();
  });

  it('takes new zones, keeps the old ones when the new are wrong, and closes', async () => {
    const net = new Net();
    const server = serveDns(net.server, { zones: ZONES });
    const dns = net.resolver();
    assert.throws(() => server.setZones({ test: { www: { A: 'nonsense' } } }), TypeError);
    assert.deepEqual(await net.run(dns.resolve4('www.test')), ['10.0.0.9']);
    server.setZones({ test: { new: { A: '10.0.0.8' } } });
    assert.deepEqual(await net.run(dns.resolve4('new.test')), ['10.0.0.8']);
    assert.throws(() => serveDns(net.server, { zones: ZONES }), { code: 'EADDRINUSE' });
    const connection = net.client.connect('10.0.0.2:53');
    await net.run(connection.opened);
    await net.world.runFor(10_000);
    server.close();
    await assert.rejects(net.run(connection.closed), { code: 'ECONNRESET' });
    await assert.rejects(net.run(dns.resolve4('other.test')), { code: 'ECONNREFUSED' });
    serveDns(net.server, { zones: ZONES, hostname: '10.0.0.2' });
    assert.deepEqual(await net.run(dns.resolve4('www.test')), ['10.0.0.9']);
    net.world.close();
  });
});
