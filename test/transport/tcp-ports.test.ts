import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EADDRINUSE, EADDRNOTAVAIL } from '../../src/base/errno.ts';
import type { PortBinding, TcpEndpoint } from '../../src/transport/tcp-layer.ts';
import { ANY_V4 } from '../../src/wire/address.ts';
import { ip, LayerBench, LOCAL, PEER } from './harness.ts';

const OTHER = ip('10.0.0.3');

function connect(bench: LayerBench, remote = PEER, port = 80): TcpEndpoint | number {
  return bench.layer.connect(null, remote, port, bench.layer.defaults, null);
}

describe('bind', () => {
  it('gives an address and port to one only, unless all agree to share (SO_REUSEADDR, SO_REUSEPORT)', () => {
    const cases = [
      { first: [false, false], second: [false, false], result: -EADDRINUSE },
      { first: [true, false], second: [false, false], result: -EADDRINUSE },
      { first: [false, false], second: [true, false], result: -EADDRINUSE },
      { first: [true, false], second: [true, false], result: 0 },
      { first: [false, true], second: [false, true], result: 0 },
      { first: [false, true], second: [true, false], result: -EADDRINUSE },
    ] as const;
    for (const { first, second, result } of cases) {
      const { layer } = new LayerBench();
      assert.equal(typeof layer.bind(ANY_V4, 80, first[0], first[1]), 'object');
      const again = layer.bind(ANY_V4, 80, second[0], second[1]);
      assert.equal(typeof again === 'number' ? again : 0, result, `${first} ${second}`);
    }
  });

  it('does not share a port on which someone listens, though both set SO_REUSEADDR', () => {
    const bench = new LayerBench();
    bench.listen();
    assert.equal(bench.layer.bind(ANY_V4, 80, true, false), -EADDRINUSE);
  });

  it('keeps a wildcard and an address apart only from other ports', () => {
    const { layer } = new LayerBench();
    layer.bind(LOCAL, 80, false, false);
    assert.equal(layer.bind(ANY_V4, 80, false, false), -EADDRINUSE);
    assert.equal(typeof layer.bind(ANY_V4, 81, false, false), 'object');
  });

  it('refuses an address that is not ours', () => {
    assert.equal(new LayerBench().layer.bind(PEER, 80, false, false), -EADDRNOTAVAIL);
  });

  it('picks a port of ip_local_port_range for 0, each once, until none is left', () => {
    const { layer } = new LayerBench({ ip_local_port_range: [40000, 40003] });
    const ports = Array.from({ length: 4 }, () => (layer.bind(ANY_V4, 0, false, false) as PortBinding).port);
    assert.deepEqual(ports.sort(), [40000, 40001, 40002, 40003]);
    assert.equal(layer.bind(ANY_V4, 0, false, false), -EADDRINUSE);
  });

  it('frees a port with its last holder', () => {
    const { layer } = new LayerBench();
    const binding = layer.bind(ANY_V4, 80, false, false) as PortBinding;
    binding.hold();
    binding.release();
    assert.equal(layer.ports.size, 1);
    binding.release();
    assert.equal(layer.ports.size, 0);
  });
});

describe('the ports of outgoing connections', () => {
  it('serve one connection to each peer, and many peers', () => {
    const bench = new LayerBench({ ip_local_port_range: [40000, 40001] });
    const ports = [connect(bench), connect(bench)].map(endpoint => (endpoint as TcpEndpoint).localPort);
    assert.deepEqual(ports.sort(), [40000, 40001]);
    assert.equal(connect(bench), -EADDRNOTAVAIL);
    assert.equal(typeof connect(bench, OTHER), 'object');
    assert.equal(typeof connect(bench, PEER, 81), 'object');
  });

  it('leave alone what a socket is bound to', () => {
    const bench = new LayerBench({ ip_local_port_range: [40000, 40001] });
    bench.layer.bind(ANY_V4, 40000, true, true);
    assert.equal((connect(bench) as TcpEndpoint).localPort, 40001);
    assert.equal(connect(bench), -EADDRNOTAVAIL);
  });

  it('are free again when the connection has failed', () => {
    const bench = new LayerBench();
    const endpoint = connect(bench) as TcpEndpoint;
    const iss = bench.takeSent()[0]?.seq ?? 0;
    bench.receive({ flags: 'R.', seq: 0, ack: iss + 1, port: 80, localPort: endpoint.localPort });
    assert.equal(endpoint.stateName, 'CLOSED');
    assert.equal(bench.layer.ports.size, 0);
    assert.equal(bench.layer.flows.size, 0);
  });

  it('do not follow each other (RFC 6056), nor do sequence numbers of different flows (RFC 6528)', () => {
    const bench = new LayerBench();
    const steps = new Set<number>();
    const gaps = new Set<number>();
    let [lastPort, lastSeq] = [0, 0];
    for (let i = 0; i < 20; i++) {
      const endpoint = connect(bench, ip(`10.0.1.${i + 1}`)) as TcpEndpoint;
      const seq = bench.takeSent()[0]?.seq ?? 0;
      steps.add(endpoint.localPort - lastPort);
      gaps.add((seq - lastSeq) >>> 16);
      [lastPort, lastSeq] = [endpoint.localPort, seq];
    }
    assert.ok(steps.size > 15 && gaps.size > 15);
  });

  it('give the same flow sequence numbers that rise with the clock, 250 a millisecond', () => {
    const bench = new LayerBench();
    const flow = { localAddress: LOCAL, localPort: 1, remoteAddress: PEER, remotePort: 2 };
    const first = bench.layer.initialSeq(flow);
    bench.advance(1e6);
    assert.equal((bench.layer.initialSeq(flow) - first) | 0, 250_000);
  });
});

describe('listeners of one port', () => {
  it('an exact address goes before the wildcard', () => {
    const bench = new LayerBench();
    const any = bench.layer.bind(ANY_V4, 80, false, true) as PortBinding;
    const exact = bench.layer.bind(LOCAL, 80, false, true) as PortBinding;
    const { layer } = bench;
    const wide = layer.listen(any, 5, layer.defaults, null);
    const narrow = layer.listen(exact, 5, layer.defaults, null);
    assert.ok(typeof wide !== 'number' && typeof narrow !== 'number');
    bench.handshake();
    assert.deepEqual([wide.acceptQueueLength, narrow.acceptQueueLength], [0, 1]);
  });

  it('a SO_REUSEPORT group shares the connections', () => {
    const bench = new LayerBench();
    const { layer } = bench;
    const group = [1, 2, 3].map(() => {
      const listener = layer.listen(
        layer.bind(ANY_V4, 80, false, true) as PortBinding,
        99,
        layer.defaults,
        null,
      );
      assert.ok(typeof listener !== 'number');
      return listener;
    });
    for (let port = 1000; port < 1060; port++) bench.handshake(port);
    const shares = group.map(({ acceptQueueLength }) => acceptQueueLength);
    assert.equal(
      shares.reduce((a, b) => a + b),
      60,
    );
    assert.ok(
      shares.every(share => share > 5),
      `${shares}`,
    );
  });
});
