import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bytes } from '../udp/fixture.ts';
import { tcpPair } from './tcp-fixture.ts';

describe('udp()', () => {
  it('sends and receives datagrams with their addresses', async () => {
    const { world, a, b } = tcpPair();
    const server = b.udp({ port: 53 });
    const client = a.udp();
    assert.deepEqual(server.addr, { transport: 'udp', hostname: '0.0.0.0', port: 53 });
    const serve = async (): Promise<void> => {
      for await (const { data, hostname, port } of server) {
        await server.send(Uint8Array.from(data).reverse(), { hostname, port });
        if (data.length === 0) return;
      }
    };
    const served = serve();
    const ask = async (text: string): Promise<string> => {
      assert.equal(await client.send(bytes(text), { hostname: '10.0.0.2', port: 53 }), text.length);
      const { data, hostname, port } = await client.receive();
      return `${new TextDecoder().decode(data)} from ${hostname}:${port}`;
    };
    assert.equal(await world.run(ask('abc')), 'cba from 10.0.0.2:53');
    assert.equal(await world.run(ask('')), ' from 10.0.0.2:53');
    await world.run(served);
  });

  it('several receivers get one datagram each, whole whatever their sizes', async () => {
    const { world, a, b } = tcpPair();
    const server = b.udp({ port: 53 });
    const client = a.udp();
    const receiving = Promise.all([server.receive(), server.receive()]);
    await world.run(client.send(bytes('x'), { hostname: '10.0.0.2', port: 53 }));
    await world.run(client.send(bytes('longer'), { hostname: '10.0.0.2', port: 53 }));
    const received = await world.run(receiving);
    assert.deepEqual(
      received.map(({ data }) => data.length),
      [1, 6],
    );
  });

  it('broadcasts when it may', async () => {
    const { world, a, b } = tcpPair();
    const receiving = b.udp({ port: 53 }).receive();
    const all = { hostname: '10.0.0.255', port: 53 };
    await assert.rejects(world.run(a.udp().send(bytes('x'), all)), {
      code: 'EACCES',
      message: 'send EACCES 10.0.0.255:53',
    });
    await world.run(a.udp({ broadcast: true }).send(bytes('x'), all));
    assert.equal((await world.run(receiving)).hostname, '10.0.0.1');
  });

  it('says what is wrong', async () => {
    const { world, a } = tcpPair();
    const socket = a.udp({ port: 53 });
    assert.throws(() => a.udp({ port: 53 }), {
      code: 'EADDRINUSE',
      message: 'bind EADDRINUSE: address already in use 0.0.0.0:53',
    });
    const to = { hostname: '10.0.0.2', port: 53 };
    await assert.rejects(world.run(socket.send(new Uint8Array(65508), to)), { code: 'EMSGSIZE' });
    await assert.rejects(world.run(socket.send(bytes('x'), { hostname: 'example.org', port: 1 })), {
      code: 'ENOTFOUND',
    });
  });

  it('close(), a signal and the end of the stack tell everyone who waits', async () => {
    const { world, a, b } = tcpPair();
    const closed = a.udp();
    const receiving = closed.receive();
    closed.close();
    await assert.rejects(world.run(receiving), { code: 'EBADF', syscall: 'recv' });
    await assert.rejects(world.run(closed.send(bytes('x'), { hostname: '10.0.0.2', port: 1 })), {
      code: 'EBADF',
    });

    const abort = new AbortController();
    const tied = a.udp({ port: 53, signal: abort.signal });
    const iterating = (async () => {
      for await (const _ of tied) assert.fail('nobody sends');
    })();
    const single = a.udp().receive({ signal: abort.signal });
    const aborted = assert.rejects(single, { name: 'AbortError' });
    abort.abort();
    await world.run(iterating);
    await world.run(aborted);
    a.udp({ port: 53 }).close();

    const last = b.udp().receive();
    b.close();
    await assert.rejects(world.run(last), { code: 'EBADF' });
  });
});
