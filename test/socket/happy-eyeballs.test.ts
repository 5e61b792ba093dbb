/**
 * Connections by name: RFC 8305 in virtual time.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NameResolver } from '../../src/core/name-resolver.ts';
import { turn } from '../../src/node/turn.ts';
import { World } from '../../src/sim/world.ts';
import { Delay } from '../../src/socket/api/delay.ts';
import { ConnectError } from '../../src/socket/api/happy-eyeballs.ts';
import type { Stack } from '../../src/stack/stack.ts';
import { TRACE_STATE } from '../../src/trace/events.ts';
import { traceTo } from '../../src/trace/sink.ts';
import { type AddressFamily, AF_INET, AF_INET6, IpAddress } from '../../src/wire/address.ts';

const PORT = 80;

/** When which addresses become known, in milliseconds. */
type Plan = readonly (readonly [atMs: number, family: 4 | 6, ...addresses: string[]])[];

/** A client and a server; 10.0.0.66 and 2001:db8::66 are addresses that nobody has. */
class Net {
  readonly world = new World({ seed: 3, turn });
  readonly client: Stack = this.world.host('client', { address6: '2001:db8::1/64' });
  readonly server: Stack = this.world.host('server', { address6: '2001:db8::2/64' });
  /** [milliseconds since the connect, address] of each attempt. */
  readonly syns: [number, string][] = [];
  private beganUs = 0;

  constructor() {
    this.world.connect(this.client, this.server, { delayUs: 5000 });
    this.server.ip.netif('eth0')?.addAddress(IpAddress.parse('10.0.0.3') as IpAddress, 24);
  }

  /** Lets both hosts know each other's hardware addresses, and their own to be unique. */
  async settle(): Promise<void> {
    await this.world.runFor(3_000_000);
    for (const hostname of ['10.0.0.2', '10.0.0.3', '2001:db8::2']) {
      const socket = this.client.udp({ hostname: hostname.includes(':') ? '::' : '0.0.0.0' });
      await this.world.run(socket.send(new Uint8Array(1), { hostname, port: 9 }));
    }
    await this.world.runFor(100_000);
    this.client.trace = traceTo(event => {
      if (event.type !== 'tcp:state' || event.to !== 'SYN_SENT') return;
      this.syns.push([this.sinceMs, event.remote.replace(/:80$/, '').replace(/[[\]]/g, '')]);
    }, TRACE_STATE);
  }

  /** Frames to these addresses get lost behind the neighbour who would take them. */
  silence(...addresses: string[]): void {
    const { ip } = this.server;
    for (const text of addresses) {
      const address = IpAddress.parse(text) as IpAddress;
      ip.netif('eth0')?.addAddress(address, address.byteLength === 4 ? 24 : 64);
    }
    this.server.hook('ingress', ({ view, start }) => {
      const isV4 = view.getUint16(start + 12) === 0x0800;
      const isTcp = view.getUint8(start + (isV4 ? 23 : 20)) === 6;
      const to = isV4 ? IpAddress.v4(view.getInt32(start + 30)) : IpAddress.read6(view, start + 38);
      return !isTcp || !addresses.includes(String(to));
    });
  }

  get sinceMs(): number {
    return Math.round((this.world.nowUs - this.beganUs) / 1000);
  }

  /** A resolver that knows what the plan says, when it says so. */
  resolver(plan: Plan, error?: Error): NameResolver {
    const { host } = this.client;
    return {
      findAddresses: (_, found) =>
        new Promise((resolve, reject) => {
          let left = plan.length;
          if (left === 0) reject(error);
          for (const [atMs, family, ...texts] of plan) {
            new Delay(host, () => {
              const addresses = texts.map(text => IpAddress.parse(text) as IpAddress);
              found(family === 4 ? AF_INET : (AF_INET6 as AddressFamily), addresses);
              left--;
              if (left === 0) resolve();
            }).start(atMs * 1000);
          }
        }),
    };
  }

  /** Connects by name; gives when it stood, and with whom. */
  async connect(plan: Plan): Promise<[number, string]> {
    this.client.resolver = this.resolver(plan);
    this.beganUs = this.world.nowUs;
    const { remoteAddress } = await this.world.run(this.client.connect(`www.test:${PORT}`).opened);
    return [this.sinceMs, remoteAddress];
  }
}

async function makeNet(...listening: string[]): Promise<Net> {
  const net = new Net();
  await net.settle();
  for (const hostname of listening) net.server.listen({ hostname, port: PORT });
  return net;
}

describe('a connection by name', () => {
  it('goes to the preferred family, and to it alone when it works', async () => {
    const net = await makeNet('0.0.0.0', '2001:db8::2');
    assert.deepEqual(
      await net.connect([
        [10, 6, '2001:db8::2'],
        [10, 4, '10.0.0.2'],
      ]),
      [20, '[2001:db8::2]:80'],
    );
    assert.deepEqual(net.syns, [[10, '2001:db8::2']]);
    net.world.close();
  });

  it('waits 50 ms for IPv6 addresses when IPv4 is known (section 3)', async () => {
    const net = await makeNet('0.0.0.0', '2001:db8::2');
    assert.deepEqual(
      await net.connect([
        [10, 4, '10.0.0.2'],
        [59, 6, '2001:db8::2'],
      ]),
      [69, '[2001:db8::2]:80'],
    );
    assert.deepEqual(
      await net.connect([
        [10, 4, '10.0.0.2'],
        [200, 6, '2001:db8::2'],
      ]),
      [70, '10.0.0.2:80'],
    );
    assert.deepEqual(
      await net.connect([
        [10, 4, '10.0.0.2'],
        [30, 6],
      ]),
      [40, '10.0.0.2:80'],
    );
    assert.deepEqual(
      await net.connect([
        [10, 6, '2001:db8::2'],
        [500, 4, '10.0.0.2'],
      ]),
      [20, '[2001:db8::2]:80'],
    );
    net.world.close();
  });

  it('tries the next address after 250 ms, the families in turn (section 4 and 5)', async () => {
    const net = await makeNet('10.0.0.3');
    net.silence('2001:db8::66', '2001:db8::67', '10.0.0.66');
    const [atMs, remote] = await net.connect([
      [0, 6, '2001:db8::66', '2001:db8::67'],
      [0, 4, '10.0.0.66', '10.0.0.3'],
    ]);
    assert.deepEqual(
      net.syns.map(([ms, address]) => `${ms} ${address}`),
      ['0 2001:db8::66', '250 10.0.0.66', '500 2001:db8::67', '750 10.0.0.3'],
    );
    assert.deepEqual([atMs, remote], [760, '10.0.0.3:80']);
    net.world.close();
  });

  it('tries the next address at once when one is refused', async () => {
    const net = await makeNet('10.0.0.3');
    assert.deepEqual(
      await net.connect([
        [0, 6, '2001:db8::2'],
        [0, 4, '10.0.0.2', '10.0.0.3'],
      ]),
      [30, '10.0.0.3:80'],
    );
    net.world.close();
  });

  it('keeps the first that stands and ends the others', async () => {
    const net = await makeNet('10.0.0.2');
    net.silence('2001:db8::66');
    await net.connect([
      [0, 6, '2001:db8::66'],
      [0, 4, '10.0.0.2'],
    ]);
    await net.world.runFor(1000);
    assert.deepEqual(
      net.client.sockets().map(({ state, peer }) => `${state} ${peer}`),
      ['ESTABLISHED 10.0.0.2:80'],
    );
    net.world.close();
  });

  it('takes late addresses into the order', async () => {
    const net = await makeNet('2001:db8::2');
    net.silence('10.0.0.66', '10.0.0.67');
    const [atMs] = await net.connect([
      [0, 4, '10.0.0.66', '10.0.0.67'],
      [100, 6, '2001:db8::2'],
    ]);
    assert.equal(atMs, 310, 'IPv6 is the next in turn: 50 + 250 + 10');
    assert.deepEqual(
      net.syns.map(([, address]) => address),
      ['10.0.0.66', '2001:db8::2'],
    );
    net.world.close();
  });

  it('says with one error what happened at each address', async () => {
    const net = await makeNet();
    net.client.resolver = net.resolver([
      [0, 6, '2001:db8::2', 'fd77::1'],
      [0, 4, '10.0.0.2'],
    ]);
    const socket = net.client.connect({ hostname: 'www.test', port: PORT });
    const error = await net.world.run(socket.opened.catch(reason => reason));
    assert.ok(error instanceof ConnectError);
    assert.equal(error.code, 'ECONNREFUSED');
    assert.deepEqual([error.syscall, error.address, error.port], ['connect', 'www.test', PORT]);
    assert.equal(
      error.message,
      'connect ECONNREFUSED www.test:80 (2001:db8::2 ECONNREFUSED, 10.0.0.2 ECONNREFUSED, fd77::1 ENETUNREACH)',
    );
    await assert.rejects(socket.closed, error);
    net.world.close();
  });

  it('says what the resolver says when there is no address', async () => {
    const net = await makeNet();
    const why = new Error('no such name');
    net.client.resolver = net.resolver([], why);
    const socket = net.client.connect('www.test:80');
    await assert.rejects(net.world.run(socket.opened), why);
    await assert.rejects(socket.writable.getWriter().write(new Uint8Array(1)), why);
    await assert.rejects(socket.readable.getReader().read(), why);
    net.client.resolver = null;
    assert.throws(() => net.client.connect('www.test:80'), { code: 'ENOTFOUND' });
    net.client.resolver = net.resolver([]);
    assert.throws(() => net.client.connect({ hostname: 'www.test', port: 99_999 }), { code: 'EINVAL' });
    net.world.close();
  });

  it('can be given up at any time, and leaves nothing behind', async () => {
    for (const afterMs of [0, 30, 55, 100, 400]) {
      const net = await makeNet();
      net.silence('10.0.0.66', '2001:db8::66');
      net.client.resolver = net.resolver([
        [20, 4, '10.0.0.66'],
        [200, 6, '2001:db8::66'],
      ]);
      const controller = new AbortController();
      const socket = net.client.connect('www.test:80', { signal: controller.signal });
      await net.world.runFor(afterMs * 1000);
      controller.abort(new Error('enough'));
      await assert.rejects(net.world.run(socket.opened), /enough/);
      await net.world.runFor(1_000_000);
      assert.deepEqual(net.client.sockets(), [], `after ${afterMs} ms`);
      net.world.close();
    }
  });

  it('ends with its stack', async () => {
    const net = await makeNet();
    net.silence('10.0.0.66');
    net.client.resolver = net.resolver([
      [20, 4, '10.0.0.66'],
      [30, 6],
    ]);
    const socket = net.client.connect('www.test:80');
    await net.world.runFor(100_000);
    net.client.close();
    await assert.rejects(net.world.run(socket.opened), { code: 'ECONNABORTED' });
    net.world.close();
  });

  it('carries data that was written before it stood', async () => {
    const net = await makeNet('0.0.0.0');
    const listener = net.server.listen({ hostname: '2001:db8::2', port: PORT });
    net.client.resolver = net.resolver([
      [20, 6, '2001:db8::2'],
      [30, 4],
    ]);
    const socket = net.client.connect('www.test:80');
    const writer = socket.writable.getWriter();
    void writer.write(new TextEncoder().encode('hello')).then(() => writer.close());
    const peer = await net.world.run(listener.accept());
    const { value } = await net.world.run(peer.readable.getReader().read());
    assert.equal(new TextDecoder().decode(value), 'hello');
    net.world.close();
  });
});
