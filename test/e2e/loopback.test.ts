/** What seeded worlds have found about a host that talks to itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Sysctl } from '../../src/core/sysctl.ts';
import { turn } from '../../src/node/turn.ts';
import { World } from '../../src/sim/world.ts';
import { AF_INET, SIOCOUTQ, SOCK_STREAM } from '../../src/socket/constants.ts';
import { out } from '../../src/socket/sockaddr.ts';
import { assertNothingLeft, exchange, ip } from './transfer.ts';

function alone(sysctl: Partial<Sysctl> = {}) {
  const world = new World({ seed: 1, turn });
  return { world, host: world.host('alone', { sysctl }) };
}

test('a full segment fits the length field of IP, with and without options', async () => {
  for (const tcp_timestamps of [0, 1] as const) {
    // Without super-segments, every segment is handed to IP as it is.
    const { world, host } = alone({ tcp_timestamps, ethertype_gso_max_size: 0 });
    const route = host.ip.route(ip('127.0.0.1'), null);
    assert.equal(typeof route === 'number' ? route : route.mtu, 65535);
    await world.run(exchange(host, host, '127.0.0.1', 1_000_000));
    assert.equal(host.mib.TcpExt.TCPTimeouts, 0);
    await assertNothingLeft(world, host);
  }
});

test('what a timer sends to the host itself arrives at once', async () => {
  const { world, host } = alone();
  const { sys } = host;
  const listener = sys.socket(AF_INET, SOCK_STREAM);
  sys.bind(listener, { address: '127.0.0.1', port: 7 });
  sys.listen(listener, 1);
  const fd = sys.socket(AF_INET, SOCK_STREAM);
  await world.run(sys.wait.connect(fd, { address: '127.0.0.1', port: 7 }));
  const unacknowledged = (): number | null => {
    const count = out<number>();
    sys.ioctl(fd, SIOCOUTQ, count);
    return count.value;
  };
  // The first segments are acknowledged at once; later a timer does it, within 40 ms.
  for (let i = 0; i < 40; i++) {
    sys.write(fd, new Uint8Array(1));
    assert.equal(unacknowledged(), 1);
    await world.runFor(41_000);
    assert.equal(unacknowledged(), 0, `write ${i}`);
  }
  for (const each of [fd, listener]) sys.close(each);
  await assertNothingLeft(world, host);
});
