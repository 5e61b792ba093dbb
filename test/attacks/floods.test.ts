import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rng } from '../../src/base/rng.ts';
import { ACK, SYN } from '../../src/wire/tcp.ts';
import { ip } from '../net/harness.ts';
import { anywhere, Lab, MS, routeOutside, SECOND } from './lab.ts';

/** A lab whose server reaches the rest of the world by the attacker's card. */
function openLab(): Lab {
  const lab = new Lab();
  routeOutside(lab);
  return lab;
}

test('SYN flood: memory stays bounded, every SYN is answered, a real client connects', () => {
  const lab = openLab();
  const rng = new Rng(1);
  const listener = lab.listen(64);
  const heldBefore = lab.world.pool.inUse;
  let worst = 0;
  for (let i = 0; i < 20_000; i++) {
    lab.forge({ ...anywhere(rng), seq: rng.u32(), flags: SYN, mss: 1460 });
    if (i % 50 === 0) lab.pass(MS);
    if (i % 1000 === 0) worst = Math.max(worst, lab.server.tcp.flows.size);
  }
  // In the middle of it:
  assert.ok(lab.canConnect(listener), 'a real client connects');
  assert.ok(worst <= 65, `half-open connections: ${worst}`);
  const { TcpExt } = lab.server.mib;
  assert.ok(TcpExt.SyncookiesSent > 19_000, `cookies: ${TcpExt.SyncookiesSent}`);
  assert.ok(TcpExt.SyncookiesRecv > 0, 'the client came in by a cookie');
  assert.ok(lab.heard.filter(({ flags }) => flags === 'S.').length >= 20_000, 'each SYN was answered');
  lab.pass(120 * SECOND);
  assert.equal(lab.server.tcp.flows.size, 0, 'all half-open connections are forgotten');
  assert.equal(lab.world.pool.inUse, heldBefore);
  lab.end();
});

test('a SYN flood from made-up neighbours cannot push real ones out of the neighbour table', () => {
  const lab = new Lab({ gc_thresh3: 32 });
  const listener = lab.listen(64);
  const { near, far } = lab.connected(listener);
  for (let i = 0; i < 2000; i++) {
    // Each answer makes the server ask for a neighbour that does not exist.
    lab.forge({ from: `10.0.${10 + (i >> 8)}.${i & 255}`, sport: 1024 + i, seq: i, flags: SYN });
    if (i % 20 === 0) {
      lab.pass(10 * MS);
      assert.equal(lab.server.sys.send(far, Uint8Array.of(1)), 1);
    }
  }
  const address = ip('10.0.0.2');
  const eth0 = lab.server.ip.netif('eth0');
  assert.ok(eth0);
  assert.ok(lab.server.ip.neighbors.find(eth0, address)?.isValid, 'the client is still known');
  assert.ok(lab.server.ip.neighbors.size <= 32);
  lab.pass(100 * MS);
  assert.equal(lab.client.sys.recv(near, new Uint8Array(200)), 100);
  lab.end();
});

test('ACK flood: segments of no connection cost no memory, and guess no cookie', () => {
  const lab = openLab();
  const rng = new Rng(2);
  const listener = lab.listen(4);
  // Cookies are accepted only for a while after one was sent: so let one be sent.
  for (let i = 0; i < 10; i++) lab.forge({ ...anywhere(rng), seq: rng.u32(), flags: SYN });
  lab.pass(10 * MS);
  const flows = lab.server.tcp.flows.size;
  for (let i = 0; i < 20_000; i++) {
    lab.forge({ ...anywhere(rng), seq: rng.u32(), ack: rng.u32(), flags: ACK });
    if (i % 50 === 0) lab.pass(MS);
  }
  lab.pass(10 * MS);
  assert.equal(lab.server.tcp.flows.size, flows);
  assert.equal(lab.server.sys.accept(listener), -11, 'nobody was let in');
  assert.ok(lab.server.mib.TcpExt.SyncookiesFailed >= 20_000);
  assert.ok(lab.heard.filter(({ flags }) => flags === 'R').length >= 20_000, 'each was answered by a reset');
  assert.ok(lab.canConnect(listener));
  lab.end();
});

test('an ACK flood at an established connection is answered twice a second, not once a segment', () => {
  const lab = new Lab();
  const { near, far, port, endpoint } = lab.connected();
  const before = endpoint.connection.segsOut;
  // What the client itself might have sent, but far outside of the window.
  for (let i = 0; i < 1000; i++) {
    lab.forge({
      sport: port,
      seq: endpoint.connection.rcvNxt + 0x40000000 + i,
      ack: endpoint.connection.sndNxt,
    });
    lab.pass(2 * MS);
  }
  assert.ok(endpoint.connection.segsOut - before <= 5, `${endpoint.connection.segsOut - before} answers`);
  assert.ok(lab.exchange(near, far));
  lab.end();
});

test('an accept queue that nobody empties is bounded', () => {
  const lab = openLab();
  lab.listen(8);
  for (let port = 2000; port < 2100; port++) {
    lab.forge({ from: '11.0.0.1', sport: port, seq: 0, flags: SYN });
    lab.pass(MS);
    const answer = lab.heard.filter(({ dport, flags }) => dport === port && flags === 'S.').at(-1);
    if (answer !== undefined)
      lab.forge({ from: '11.0.0.1', sport: port, seq: 1, ack: answer.seq + 1, flags: ACK });
    lab.pass(MS);
  }
  const established = [...lab.server.tcp.flows].filter(flow => 'connection' in flow);
  assert.equal(established.length, 9, 'the backlog and one, as in Linux');
  assert.ok(lab.server.tcp.flows.size <= 20);
  assert.ok(lab.server.mib.TcpExt.ListenOverflows > 0);
  lab.end();
});
