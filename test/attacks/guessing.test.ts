import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Rng } from '../../src/base/rng.ts';
import { Host } from '../../src/core/host.ts';
import { PacketPool } from '../../src/core/pool.ts';
import { DEFAULT_SYSCTL } from '../../src/core/sysctl.ts';
import { SynCookies } from '../../src/tcp/syn-cookie.ts';
import { TcpSecrets } from '../../src/transport/tcp-secrets.ts';
import { IpAddress } from '../../src/wire/address.ts';
import { ip } from '../net/harness.ts';
import { ManualEnv } from '../tcp/harness.ts';

const LOCAL = ip('10.0.0.1');
const SAMPLES = 20_000;
const BINS = 64;
/** Chi-square with 63 degrees of freedom exceeds this once in a million times. */
const CHI_SQUARE_MAX = 130;

/** Pearson's statistic of values 0 .. 2^bits - 1 in 64 bins of their highest bits. */
function chiSquare(values: readonly number[], bits: number): number {
  const counts = new Array<number>(BINS).fill(0);
  for (const value of values) {
    const bin = Math.floor((value / 2 ** bits) * BINS);
    counts[bin] = (counts[bin] as number) + 1;
  }
  const expected = values.length / BINS;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

/** In any eight bits of them, from the top down, nothing stands out. */
function assertUniform(values: readonly number[], bits: number, what: string): void {
  for (let drop = 0; drop + 6 <= bits; drop += 5) {
    const rest = values.map(value => value % 2 ** (bits - drop));
    const chi = chiSquare(rest, bits - drop);
    assert.ok(chi < CHI_SQUARE_MAX, `${what}: chi-square ${chi.toFixed(1)} without its ${drop} highest bits`);
  }
}

function flowTo(remote: number, remotePort: number, localPort = 80) {
  return { localAddress: LOCAL, localPort, remoteAddress: IpAddress.v4(remote | 0), remotePort };
}

/** The host of a stack, with randomness that nobody else has. */
function newHost(seed = 1): Host {
  const env = new ManualEnv();
  const rng = new Rng(seed);
  env.fillRandom = out => rng.fill(out);
  return new Host('h', env, new PacketPool({ smallSlots: 1, largeSlots: 0 }), DEFAULT_SYSCTL);
}

function newSecrets(seed = 1): TcpSecrets {
  return new TcpSecrets(newHost(seed));
}

describe('initial sequence numbers (RFC 6528)', () => {
  it('towards many flows are uniform in every bit, though the clock stands still', () => {
    const secrets = newSecrets();
    const values = Array.from(
      { length: SAMPLES },
      (_, i) => secrets.initialSeq(flowTo(0x0b000000 + i, 1024)) >>> 0,
    );
    assertUniform(values, 32, 'by address');
    const ports = Array.from(
      { length: SAMPLES },
      (_, i) => secrets.initialSeq(flowTo(0x0b000001, 1024 + i)) >>> 0,
    );
    assertUniform(ports, 32, 'by port');
  });

  it('of one flow say nothing about the next: the differences are uniform, too', () => {
    const secrets = newSecrets();
    const differences: number[] = [];
    for (let i = 0; i < SAMPLES; i++) {
      const one = secrets.initialSeq(flowTo(0x0b000001, 1024 + i));
      const next = secrets.initialSeq(flowTo(0x0b000001, 1025 + i));
      differences.push((next - one) >>> 0);
    }
    assertUniform(differences, 32, 'differences of neighbouring ports');
  });

  it('of the same flow grow with the clock, so that an old segment is not taken for a new one', () => {
    const host = newHost();
    const secrets = new TcpSecrets(host);
    const flow = flowTo(0x0b000001, 1024);
    const first = secrets.initialSeq(flow);
    host.nowUs += 1_000_000;
    assert.equal((secrets.initialSeq(flow) - first) | 0, 250_000);
  });
});

describe('ephemeral ports (RFC 6056)', () => {
  it('begin anywhere for each peer, uniformly over the range', () => {
    const secrets = newSecrets();
    const [low, high] = [32768, 60999];
    const values = Array.from(
      { length: SAMPLES },
      (_, i) => (secrets.portStart(LOCAL, IpAddress.v4(0x0b000000 + i), 80) >>> 0) % (high - low + 1),
    );
    const chi = chiSquare(
      values.map(value => (value / (high - low + 1)) * 2 ** 16),
      16,
    );
    assert.ok(chi < CHI_SQUARE_MAX, `chi-square ${chi.toFixed(1)}`);
  });

  it('an observer of connections to himself does not learn where those to another begin', () => {
    const [mine, other] = [ip('11.0.0.1'), ip('11.0.0.2')];
    // From one peer to the next it is a distance that only the secret tells.
    const distances = Array.from({ length: SAMPLES }, (_, seed) => {
      const secrets = newSecrets(seed);
      return (secrets.portStart(LOCAL, other, 80) - secrets.portStart(LOCAL, mine, 80)) >>> 0;
    });
    assertUniform(distances, 32, 'distances');
  });
});

describe('SYN cookies (RFC 4987)', () => {
  it('are uniform in their 24 secret bits', () => {
    const host = newHost();
    const cookies = new SynCookies(host.newHash(), host.newHash());
    const values = Array.from(
      { length: SAMPLES },
      (_, i) => cookies.make(flowTo(0x0b000000 + i, 1024), 0, 1460, host.nowUs) & 0xffffff,
    );
    assertUniform(values, 24, 'cookies');
  });

  it('a guess is right about once in 2^22 times (four sizes, two minutes), not more often', () => {
    const host = newHost();
    const cookies = new SynCookies(host.newHash(), host.newHash());
    const flow = flowTo(0x0b000001, 1024);
    let hits = 0;
    for (let guess = 0; guess < 1_000_000; guess++) {
      if (cookies.check(flow, 7, Math.imul(guess, 0x9e3779b1) | 0, host.nowUs) > 0) hits++;
    }
    assert.ok(hits <= 4, `${hits} of a million guesses`);
  });
});

describe('timestamp offsets (RFC 7323 section 7.1)', () => {
  it('differ from peer to peer, so that the uptime does not show', () => {
    const secrets = newSecrets();
    const values = Array.from(
      { length: SAMPLES },
      (_, i) => secrets.timestampOffset(LOCAL, IpAddress.v4(0x0b000000 + i)) >>> 0,
    );
    assertUniform(values, 32, 'offsets');
  });
});
