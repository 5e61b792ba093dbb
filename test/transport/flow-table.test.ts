import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Host } from '../../src/core/host.ts';
import { PacketPool } from '../../src/core/pool.ts';
import { DEFAULT_SYSCTL } from '../../src/core/sysctl.ts';
import type { Flow } from '../../src/transport/flow.ts';
import { FlowTable } from '../../src/transport/flow-table.ts';
import type { IpAddress } from '../../src/wire/address.ts';
import { ManualEnv } from '../tcp/harness.ts';
import { ip } from './harness.ts';

const ADDRESSES: readonly IpAddress[] = ['10.0.0.1', '10.0.0.2', '10.1.0.1', 'fd00::1', 'fd00::2'].map(ip);

function newTable(): FlowTable {
  return new FlowTable(
    new Host('h', new ManualEnv(), new PacketPool({ smallSlots: 1, largeSlots: 0 }), DEFAULT_SYSCTL),
  );
}

function newFlow(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): Flow {
  return {
    localAddress: local,
    localPort,
    remoteAddress: remote,
    remotePort,
    flowHash: 0,
    segment() {},
    icmp() {},
    destroy() {},
  };
}

const command = fc.record({
  what: fc.constantFrom('add', 'add', 'remove', 'replace'),
  local: fc.nat(4),
  remote: fc.nat(4),
  localPort: fc.integer({ min: 1, max: 4 }),
  remotePort: fc.integer({ min: 1, max: 12 }),
});

describe('the flow table', () => {
  it('is a map of five-tuples, whatever is added, replaced and removed', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 400 }), commands => {
        const table = newTable();
        const model = new Map<string, Flow>();
        for (const { what, local, remote, localPort, remotePort } of commands) {
          const key = `${local} ${localPort} ${remote} ${remotePort}`;
          const [a, b] = [ADDRESSES[local] as IpAddress, ADDRESSES[remote] as IpAddress];
          const known = model.get(key);
          const flow = newFlow(a, localPort, b, remotePort);
          if (what === 'add' && known === undefined) {
            table.add(flow);
            model.set(key, flow);
          } else if (what === 'replace' && known !== undefined) {
            table.replace(known, flow);
            model.set(key, flow);
          } else if (what === 'remove' && known !== undefined) {
            table.remove(known);
            model.delete(key);
            assert.equal(table.has(known), false);
          }
          assert.equal(table.find(a, localPort, b, remotePort), model.get(key));
        }
        assert.equal(table.size, model.size);
        assert.deepEqual(new Set(table), new Set(model.values()));
        for (const { localAddress, localPort, remoteAddress, remotePort } of model.values())
          assert.notEqual(table.find(localAddress, localPort, remoteAddress, remotePort), undefined);
      }),
      { numRuns: 50 },
    );
  });

  it('finds all of ten thousand, and half of them after the others are gone', () => {
    const table = newTable();
    const [local, remote] = [ip('10.0.0.1'), ip('10.0.0.2')];
    const flows = Array.from({ length: 10_000 }, (_, i) => newFlow(local, 80, remote, 10_000 + i));
    for (const flow of flows) table.add(flow);
    flows.forEach((flow, i) => {
      if (i % 2 === 0) table.remove(flow);
    });
    for (const [i, flow] of flows.entries()) assert.equal(table.has(flow), i % 2 === 1);
    assert.equal(table.size, 5000);
  });

  it('hashes with secrets: two stacks put the same flow in different places', () => {
    const env = new ManualEnv();
    const places = new Set<number>();
    for (let i = 0; i < 20; i++) {
      const pool = new PacketPool({ smallSlots: 1, largeSlots: 0 });
      const flow = newFlow(ip('10.0.0.1'), 80, ip('10.0.0.2'), 5000);
      new FlowTable(new Host('h', env, pool, DEFAULT_SYSCTL)).add(flow);
      places.add(flow.flowHash);
    }
    assert.ok(places.size > 15);
  });
});
