import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ARP_LENGTH, ARP_REPLY, ARP_REQUEST, emitArp } from '../../src/wire/arp.ts';
import { ip } from '../net/harness.ts';
import { CLIENT, Lab, MS, SECOND, SERVER } from './lab.ts';

const ARP = 0x0806;

/** An ARP packet that says `sender` has the hardware address 02:00:00:00:00:`mac`. */
function claim(operation: number, sender: string, target: string, mac = 0x66): Uint8Array {
  const bytes = new Uint8Array(ARP_LENGTH);
  emitArp(new DataView(bytes.buffer), 0, operation, 0x0200, mac, ip(sender).w3, 0, 0, ip(target).w3);
  return bytes;
}

function entry(lab: Lab, address: string) {
  const eth0 = lab.server.ip.netif('eth0');
  assert.ok(eth0);
  return lab.server.ip.neighbors.find(eth0, ip(address));
}

describe('ARP poisoning', () => {
  it('unasked-for answers and announcements make no entry', () => {
    const lab = new Lab();
    for (let i = 1; i < 200; i++) {
      lab.inject(claim(ARP_REPLY, `10.0.5.${i}`, SERVER), ARP);
      lab.inject(claim(ARP_REQUEST, `10.0.6.${i}`, `10.0.6.${i}`), ARP);
    }
    lab.pass(10 * MS);
    assert.equal(lab.server.ip.neighbors.size, 0);
    lab.end();
  });

  it('the race against the true answer is lost by who comes second, for a second', () => {
    const lab = new Lab();
    const { near, far } = lab.connected();
    const truth = entry(lab, CLIENT)?.mac;
    for (let i = 0; i < 50; i++) lab.inject(claim(ARP_REPLY, CLIENT, SERVER), ARP);
    lab.pass(10 * MS);
    assert.equal(entry(lab, CLIENT)?.mac, truth);
    assert.ok(lab.exchange(near, far));
    lab.end();
  });

  it('an entry that was pinned is never changed, and the connection lives on', () => {
    const lab = new Lab();
    const { near, far } = lab.connected();
    const pinned = entry(lab, CLIENT);
    assert.ok(pinned);
    const truth = pinned.mac;
    pinned.pin(pinned.macHigh, pinned.macLow);
    for (let i = 0; i < 100; i++) {
      lab.inject(claim(i % 2 === 0 ? ARP_REPLY : ARP_REQUEST, CLIENT, SERVER), ARP);
      lab.pass(100 * MS);
    }
    assert.equal(entry(lab, CLIENT)?.mac, truth);
    assert.ok(lab.exchange(near, far));
    lab.end();
  });

  it('our own address is not given up: the conflict is reported, and answered once in ten seconds', () => {
    const lab = new Lab();
    const { near, far } = lab.connected();
    const conflicts: string[] = [];
    lab.server.ip.onConflict(({ mac }) => conflicts.push(mac));
    lab.frames = [];
    for (let i = 0; i < 100; i++) lab.inject(claim(ARP_REQUEST, SERVER, SERVER), ARP);
    lab.pass(SECOND);
    assert.equal(conflicts.length, 100);
    assert.equal(
      lab.frames.filter(bytes => bytes[12] === 8 && bytes[13] === 6).length,
      1,
      'one announcement',
    );
    assert.ok(lab.exchange(near, far));
    lab.end();
  });

  it('nobody gets a group address or our own into the table', () => {
    const lab = new Lab();
    lab.inject(claim(ARP_REQUEST, '255.255.255.255', SERVER), ARP);
    lab.inject(claim(ARP_REQUEST, '10.0.255.255', SERVER), ARP);
    lab.inject(claim(ARP_REQUEST, '224.0.0.1', SERVER), ARP);
    lab.inject(claim(ARP_REQUEST, '127.0.0.1', SERVER), ARP);
    lab.inject(claim(ARP_REQUEST, SERVER, SERVER), ARP);
    lab.pass(10 * MS);
    assert.equal(lab.server.ip.neighbors.size, 0);
    lab.end();
  });
});

describe('ARP-cache flood', () => {
  it('questions from ten thousand made-up neighbours leave the table bounded and the real ones in it', () => {
    const lab = new Lab({ gc_thresh3: 64 });
    const { near, far } = lab.connected();
    for (let i = 0; i < 10_000; i++) {
      lab.inject(claim(ARP_REQUEST, `10.0.${100 + (i >> 8)}.${i & 255}`, SERVER, i & 0xffff), ARP);
      if (i % 20 === 0) lab.pass(MS);
      if (i % 1000 === 0) assert.ok(lab.exchange(near, far));
    }
    assert.ok(lab.server.ip.neighbors.size <= 64);
    assert.ok(entry(lab, CLIENT)?.isValid);
    assert.ok(lab.exchange(near, far));
    lab.end();
  });

  it('a newcomer finds a place in a table full of neighbours that were made up', () => {
    const lab = new Lab({ gc_thresh3: 64 });
    const listener = lab.listen();
    for (let i = 0; i < 1000; i++)
      lab.inject(claim(ARP_REQUEST, `10.0.${100 + (i >> 8)}.${i & 255}`, SERVER), ARP);
    lab.pass(100 * MS);
    assert.equal(lab.server.ip.neighbors.size, 64);
    assert.ok(lab.canConnect(listener));
    lab.end();
  });
});
