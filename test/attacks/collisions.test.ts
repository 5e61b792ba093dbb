import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Rng } from '../../src/base/rng.ts';
import { Host } from '../../src/core/host.ts';
import { PacketPool } from '../../src/core/pool.ts';
import { DEFAULT_SYSCTL } from '../../src/core/sysctl.ts';
import type { Flow } from '../../src/transport/flow.ts';
import { FlowTable } from '../../src/transport/flow-table.ts';
import { IpAddress } from '../../src/wire/address.ts';
import { ip } from '../net/harness.ts';
import { ManualEnv } from '../tcp/harness.ts';

const LOCAL = ip('10.0.0.1');
const FLOWS = 8192;
/** The mean number of places looked at in a table that is half full is 1.5 with a perfect hash (Knuth). */
const PROBES_MAX = 2;
const SECRETS = 8;

/** A table with secrets that nobody else has. */
function newTable(seed: number): FlowTable {
  const env = new ManualEnv();
  const rng = new Rng(seed);
  env.fillRandom = out => rng.fill(out);
  return new FlowTable(new Host('h', env, new PacketPool({ smallSlots: 1, largeSlots: 0 }), DEFAULT_SYSCTL));
}

function flow(remote: number, remotePort: number): Flow {
  return {
    localAddress: LOCAL,
    localPort: 80,
    remoteAddress: IpAddress.v4(remote | 0),
    remotePort,
    flowHash: 0,
    segment() {},
    icmp() {},
    destroy() {},
  };
}

/** The mean number of places that finding each of the flows looks at. */
function probes(seed: number, chosen: readonly (readonly [number, number])[]): number {
  const table = newTable(seed);
  const flows = chosen.map(([remote, port]) => flow(remote, port));
  for (const each of flows) table.add(each);
  const slots = (table as unknown as { flows: (Flow | undefined)[] }).flows;
  const mask = slots.length - 1;
  let sum = 0;
  slots.forEach((each, at) => {
    if (each !== undefined) sum += 1 + ((at - (each.flowHash & mask)) & mask);
  });
  return sum / flows.length;
}

/** What an adversary who knows the algorithm, and not the secrets, might try. */
const CHOSEN: Record<string, readonly (readonly [number, number])[]> = {
  'consecutive ports': range(FLOWS).map(i => [0x0b000001, 1024 + i]),
  'consecutive addresses': range(FLOWS).map(i => [0x0b000000 + i, 1024]),
  'addresses that differ in their highest bits': range(FLOWS).map(i => [(i << 19) | 1, 1024]),
  'ports that differ in their highest bits': range(FLOWS).map(i => [0x0b000000 + (i >> 5), (i & 31) << 11]),
  'both in steps of a power of two': range(FLOWS).map(i => [(i >> 6) << 16, (i & 63) << 10]),
  'pairs in which the port undoes what the top bit of the address does': range(FLOWS / 2).flatMap(i => {
    const remote = Math.imul(i, 0x9e3779b1);
    return [
      [remote, i],
      [remote ^ 0x80000000, i ^ 0x8001],
    ] as const;
  }),
  'an address and a port that change together': range(FLOWS).map(i => [i << 15, i]),
};

function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

describe('flows chosen to collide in the hash table', () => {
  for (const [what, chosen] of Object.entries(CHOSEN)) {
    it(`${what}: found as fast as any others`, () => {
      let sum = 0;
      for (let seed = 1; seed <= SECRETS; seed++) sum += probes(seed, chosen);
      assert.ok(sum / SECRETS < PROBES_MAX, `${(sum / SECRETS).toFixed(2)} places on average`);
    });
  }

  it('flows that were found to collide under one secret do not under another', () => {
    const victim = newTable(1);
    const rng = new Rng(5);
    const colliding: (readonly [number, number])[] = [];
    while (colliding.length < 500) {
      const candidate = [rng.u32(), rng.below(65536)] as const;
      const each = flow(...candidate);
      victim.add(each);
      if ((each.flowHash & 0xff) === 7) colliding.push(candidate);
      victim.remove(each);
    }
    assert.ok(probes(1, colliding) > 20, 'under the secret that they were chosen for they do');
    assert.ok(probes(2, colliding) < PROBES_MAX);
  });

  it('no pair of flows has the same hash whatever the secrets', () => {
    const rng = new Rng(11);
    for (let i = 0; i < 300; i++) {
      const [remote, port, bit, mask] = [rng.u32(), rng.below(65536), rng.below(32), rng.below(65536)];
      const hashes = range(6).map(seed => {
        const table = newTable(seed + 1);
        const pair = [flow(remote, port), flow(remote ^ (1 << bit), port ^ mask)];
        for (const each of pair) table.add(each);
        return pair[0]?.flowHash === pair[1]?.flowHash;
      });
      assert.ok(hashes.includes(false), `${remote} ${port} ${bit} ${mask}`);
    }
  });
});
