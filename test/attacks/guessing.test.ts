import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SynCookies } from '../../src/tcp/syn-cookie.ts';
import type { TcpLayer } from '../../src/transport/tcp-layer.ts';
import { IpAddress } from '../../src/wire/address.ts';
import { ip } from '../net/harness.ts';
import { LayerBench } from '../transport/harness.ts';

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

/** A stack with secrets of its own. */
function newLayer(skip = 0): TcpLayer {
  const bench = new LayerBench();
  // The bench's randomness is the same each time: another stack is one that draws later.
  for (let i = 0; i < skip; i++) bench.host.random32();
  return skip === 0 ? bench.layer : new LayerBenchLater(bench, skip).layer;
}

class LayerBenchLater extends LayerBench {
  constructor(before: LayerBench, skip: number) {
    super();
    for (let i = 0; i < skip; i++) this.host.random32();
    void before;
  }
}

describe('initial sequence numbers (RFC 6528)', () => {
  it('towards many flows are uniform in every bit, though the clock stands still', () => {
    const layer = newLayer();
    const values = Array.from({ length: SAMPLES }, (_, i) => layer.initialSeq(flowTo(0x0b000000 + i, 1024)) >>> 0);
    assertUniform(values, 32, 'by address');
    const ports = Array.from({ length: SAMPLES }, (_, i) => layer.initialSeq(flowTo(0x0b000001, 1024 + i)) >>> 0);
    assertUniform(ports, 32, 'by port');
  });

  it('of one flow say nothing about the next: the differences are uniform, too', () => {
    const layer = newLayer();
    const differences: number[] = [];
    for (let i = 0; i < SAMPLES; i++) {
      const one = layer.initialSeq(flowTo(0x0b000001, 1024 + i));
      const next = layer.initialSeq(flowTo(0x0b000001, 1025 + i));
      differences.push((next - one) >>> 0);
    }
    assertUniform(differences, 32, 'differences of neighbouring ports');
  });

  it('of the same flow grow with the clock, so that an old segment is not taken for a new one', () => {
    const bench = new LayerBench();
    const flow = flowTo(0x0b000001, 1024);
    const first = bench.layer.initialSeq(flow);
    bench.advance(1_000_000);
    assert.equal((bench.layer.initialSeq(flow) - first) | 0, 250_000);
  });
});

describe('ephemeral ports (RFC 6056)', () => {
  it('begin anywhere for each peer, uniformly over the range', () => {
    const { secrets } = newLayer();
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
    const { secrets } = newLayer();
    const mine = ip('11.0.0.1');
    const other = ip('11.0.0.2');
    const gaps = Array.from({ length: 2000 }, () => {
      const seen = secrets.portStart(LOCAL, mine, 80) >>> 0;
      return ((secrets.portStart(LOCAL, other, 80) >>> 0) - seen) % 28232;
    });
    // The distance stays (that is how ports are not reused soon), but it is a secret of this stack and this pair.
    const between = (layer: TcpLayer): number =>
      ((layer.secrets.portStart(LOCAL, other, 80) >>> 0) - (layer.secrets.portStart(LOCAL, mine, 80) >>> 0)) % 28232;
    assert.ok(gaps.length === 2000);
    assert.notEqual(between(newLayer(1)), between(newLayer(2)));
  });
});

describe('SYN cookies (RFC 4987)', () => {
  it('are uniform in their 24 secret bits', () => {
    const bench = new LayerBench();
    const cookies = new SynCookies(bench.host.newHash(), bench.host.newHash());
    const values = Array.from(
      { length: SAMPLES },
      (_, i) => cookies.make(flowTo(0x0b000000 + i, 1024), 0, 1460, bench.host.nowUs) & 0xffffff,
    );
    assertUniform(values, 24, 'cookies');
  });

  it('a guess is right about once in 2^22 times (four sizes, two minutes), not more often', () => {
    const bench = new LayerBench();
    const cookies = new SynCookies(bench.host.newHash(), bench.host.newHash());
    const flow = flowTo(0x0b000001, 1024);
    let hits = 0;
    for (let guess = 0; guess < 1_000_000; guess++) {
      if (cookies.check(flow, 7, Math.imul(guess, 0x9e3779b1) | 0, bench.host.nowUs) > 0) hits++;
    }
    assert.ok(hits <= 4, `${hits} of a million guesses`);
  });
});

describe('timestamp offsets (RFC 7323 section 7.1)', () => {
  it('differ from peer to peer, so that the uptime does not show', () => {
    const { secrets } = newLayer();
    const values = Array.from(
      { length: SAMPLES },
      (_, i) => secrets.timestampOffset(LOCAL, IpAddress.v4(0x0b000000 + i)) >>> 0,
    );
    assertUniform(values, 32, 'offsets');
  });
});
