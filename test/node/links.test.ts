/**
 * Links between processes: whole stacks at both ends, real sockets in between.
 */
import assert from 'node:assert/strict';
import { connect as connectTcp } from 'node:net';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import type { Env } from '../../src/core/env.ts';
import type { RemoteLink, RemoteLinkOptions } from '../../src/link/remote.ts';
import { createWebSocketLink } from '../../src/link/web-socket.ts';
import { createDuplexLink } from '../../src/node/duplex.ts';
import { nodeEnv } from '../../src/node/env.ts';
import { Stack } from '../../src/stack/stack.ts';
import { accept, connect, Lan, talk } from './talk.ts';

const BYTES = 20_000_000;
const KINDS = ['tcp', 'ws'] as const;

/** A link to the switch of a Lan that finds it again. */
function linkTo(env: Env, kind: 'tcp' | 'ws', port: number, options: RemoteLinkOptions = {}): RemoteLink {
  const reconnect = { minMs: 10, maxMs: 100 };
  return kind === 'tcp'
    ? createDuplexLink(env, () => connectTcp(port, '127.0.0.1'), { reconnect, ...options })
    : createWebSocketLink(env, () => new WebSocket(`ws://127.0.0.1:${port}`), { reconnect, ...options });
}

for (const kind of KINDS) {
  test(`${kind}: two stacks in two processes, 20 MB each way at once, byte for byte`, async () => {
    const lan = new Lan(kind, 0, BYTES);
    try {
      const env = nodeEnv();
      const stack = new Stack({ env, name: 'here' });
      const link = linkTo(env, kind, Number(await lan.line()), { pool: stack.host.pool });
      stack.attach(link, { address: '10.9.0.1/24' });
      await link.whenUp();
      const received = await talk(stack, await connect(stack, '10.9.0.2', 5000), BYTES, 1, 2);
      assert.deepEqual(received, { bytes: BYTES, wrongAt: -1 });
      assert.deepEqual(JSON.parse(await lan.line()), { bytes: BYTES, wrongAt: -1 });
      stack.close();
      assert.equal(stack.host.pool.inUse, 0);
      assert.equal(await lan.ended(), 0, 'the other process ends by itself');
    } finally {
      await lan.kill();
    }
  });

  test(`${kind}: the process in the middle is killed and started again: the TCP connection lives on`, async () => {
    const env = nodeEnv();
    const lans = [new Lan(kind, 0, 0)];
    const port = Number(await (lans[0] as Lan).line());
    const stacks = ['a', 'b'].map(name => new Stack({ env, name }));
    const [a, b] = stacks as [Stack, Stack];
    let down = 0;
    const links = stacks.map((stack, n) => {
      const link = linkTo(env, kind, port, { pool: stack.host.pool, onDown: () => down++ });
      stack.attach(link, { address: `10.9.0.${n + 1}/24` });
      return link;
    });
    try {
      await Promise.all(links.map(link => link.whenUp()));
      const accepted = accept(b, 5000);
      const there = connect(a, '10.9.0.2', 5000).then(fd => talk(a, fd, BYTES, 1, 2));
      const back = accepted.then(fd => talk(b, fd, BYTES, 2, 1));
      await accepted;
      const isBusy = () => b.host.mib.Ip.InReceives > 1000;
      while (!isBusy()) await new Promise(resolve => setTimeout(resolve, 1));
      await (lans[0] as Lan).kill();
      while (down < 2 || links.some(link => link.up)) await new Promise(resolve => setTimeout(resolve, 1));
      lans.push(new Lan(kind, port, 0));
      const whole = { bytes: BYTES, wrongAt: -1 };
      assert.deepEqual(await Promise.all([there, back]), [whole, whole]);
      for (const link of links) assert.equal(link.counters.connections, 2);
    } finally {
      for (const stack of stacks) stack.close();
      for (const lan of lans) await lan.kill();
    }
    for (const stack of stacks) assert.equal(stack.host.pool.inUse, 0);
  });
}
