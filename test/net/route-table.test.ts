import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EEXIST, EINVAL, ENETUNREACH, ENOENT } from '../../src/base/errno.ts';
import { RouteTable } from '../../src/net/route-table.ts';
import { ip } from './harness.ts';

function tableWith(...routes: [string, number, number, (string | undefined)?, number?][]): RouteTable {
  const table = new RouteTable(
    () => {},
    () => true,
  );
  for (const [destination, prefixLength, netif, gateway, metric = 0] of routes) {
    const via = gateway === undefined ? null : ip(gateway);
    const spec = { destination: ip(destination), prefixLength, netif, gateway: via, metric };
    assert.equal(table.add(spec), 0);
  }
  return table;
}

test('the longest prefix wins, whatever the order of adding', () => {
  const table = tableWith(
    ['10.0.0.0', 8, 2],
    ['10.1.2.0', 24, 4],
    ['0.0.0.0', 0, 1],
    ['10.1.0.0', 16, 3],
    ['10.1.2.3', 32, 5],
  );
  const netifFor = (address: string) => table.lookup(ip(address), 0)?.netif;
  assert.equal(netifFor('10.1.2.3'), 5);
  assert.equal(netifFor('10.1.2.4'), 4);
  assert.equal(netifFor('10.1.3.4'), 3);
  assert.equal(netifFor('10.2.3.4'), 2);
  assert.equal(netifFor('192.0.2.1'), 1);
});

test('of two routes with one prefix the lower metric is used, then the older', () => {
  const table = tableWith(
    ['10.0.0.0', 8, 2, undefined, 100],
    ['10.0.0.0', 8, 3, undefined, 10],
    ['10.0.0.0', 8, 4, undefined, 10],
  );
  assert.equal(table.lookup(ip('10.9.9.9'), 0)?.netif, 3);
});

test('a lookup can be held to one interface', () => {
  const table = tableWith(['10.0.0.0', 8, 2], ['0.0.0.0', 0, 3]);
  assert.equal(table.lookup(ip('10.0.0.1'), 3)?.prefixLength, 0);
  assert.equal(table.lookup(ip('192.0.2.1'), 2), null);
});

test('routes of an interface that is down are passed over', () => {
  const down = new Set<number>();
  const table = new RouteTable(
    () => {},
    netif => !down.has(netif),
  );
  table.add({ destination: ip('10.0.0.0'), prefixLength: 8, netif: 2 });
  table.add({ destination: ip('0.0.0.0'), prefixLength: 0, netif: 3 });
  assert.equal(table.lookup(ip('10.0.0.1'), 0)?.netif, 2);
  down.add(2);
  assert.equal(table.lookup(ip('10.0.0.1'), 0)?.netif, 3);
});

test('a gateway must be on a link of ours, which gives the interface', () => {
  const table = tableWith(['10.0.0.0', 24, 2]);
  assert.equal(table.addDefault(ip('192.0.2.1')), -ENETUNREACH);
  assert.equal(table.addDefault(ip('10.0.0.254')), 0);
  assert.equal(table.lookup(ip('8.8.8.8'), 0)?.netif, 2);
  assert.equal(table.lookup(ip('8.8.8.8'), 0)?.gateway?.toString(), '10.0.0.254');
});

test('the same route twice is refused, a route that is not there cannot be removed', () => {
  const table = tableWith(['10.0.0.0', 24, 2]);
  assert.equal(table.add({ destination: ip('10.0.0.9'), prefixLength: 24, netif: 2 }), -EEXIST);
  assert.equal(table.add({ destination: ip('10.0.0.0'), prefixLength: 33, netif: 2 }), -EINVAL);
  assert.equal(table.add({ destination: ip('10.0.0.0'), prefixLength: 24 }), -EINVAL);
  assert.equal(table.remove(ip('10.0.1.0'), 24), -ENOENT);
  assert.equal(table.remove(ip('10.0.0.0'), 24), 0);
  assert.equal(table.remove(ip('10.0.0.0'), 24), -ENOENT);
  assert.equal(table.lookup(ip('10.0.0.1'), 0), null);
});

test('host bits of a destination are dropped', () => {
  const table = tableWith(['10.1.2.3', 12, 2]);
  assert.equal(table.list()[0]?.destination.toString(), '10.0.0.0');
});

test('every change is told', () => {
  let changes = 0;
  const table = new RouteTable(
    () => changes++,
    () => true,
  );
  table.add({ destination: ip('10.0.0.0'), prefixLength: 8, netif: 2 });
  table.add({ destination: ip('10.0.0.0'), prefixLength: 8, netif: 2 });
  table.remove(ip('10.0.0.0'), 8);
  table.remove(ip('10.0.0.0'), 8);
  assert.equal(changes, 2);
});
