import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeDelimited, readDelimited } from '../../src/socket/framing.ts';
import { bytes } from '../udp/fixture.ts';
import { type TcpPair, tcpPair } from './tcp-fixture.ts';

const SERVER = { hostname: '10.0.0.2', port: 80 };

async function readAll(source: AsyncIterable<Uint8Array>): Promise<string> {
  let found = '';
  for await (const chunk of source) found += new TextDecoder().decode(chunk);
  return found;
}

/** An echo server on b, which closes its side when the client has closed its own. */
function echo(pair: TcpPair): void {
  const serve = async (): Promise<void> => {
    for await (const socket of pair.b.listen({ port: 80 })) {
      void socket.readable.pipeTo(socket.writable).catch(() => {});
    }
  };
  void serve();
}

describe('connect() and listen()', () => {
  it('echo: readable, writable, opened, closed', async () => {
    const pair = tcpPair();
    echo(pair);
    const talk = async (): Promise<string> => {
      const socket = pair.a.connect(SERVER, { allowHalfOpen: true });
      const { remoteAddress, localAddress } = await socket.opened;
      assert.equal(remoteAddress, '10.0.0.2:80');
      assert.match(localAddress, /^10\.0\.0\.1:\d+$/);
      const writer = socket.writable.getWriter();
      await writer.write(bytes('over and '));
      await writer.write(bytes('out'));
      await writer.close();
      const answer = await readAll(socket.readable);
      await socket.closed;
      return answer;
    };
    assert.equal(await pair.world.run(talk()), 'over and out');
    await pair.run(100_000);
    assert.deepEqual(
      [...pair.a.sockets(), ...pair.b.sockets()].map(row => row.state),
      ['LISTEN'],
    );
  });

  it('megabytes in both directions at once, with back-pressure', async () => {
    const pair = tcpPair();
    echo(pair);
    const data = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 7) >>> 2);
    const talk = async (): Promise<Uint8Array> => {
      await using socket = pair.a.connect('10.0.0.2:80', { allowHalfOpen: true });
      const writer = socket.writable.getWriter();
      const written = writer.write(data).then(() => writer.close());
      const got = new Uint8Array(data.length);
      let at = 0;
      for await (const chunk of socket.readable) {
        got.set(chunk, at);
        at += chunk.length;
      }
      await written;
      return got;
    };
    assert.deepEqual(await pair.world.run(talk()), data);
  });

  it('a writer waits while the peer does not read', async () => {
    const pair = tcpPair();
    const listener = pair.b.listen({ port: 80 });
    const accepted = listener.accept();
    const socket = pair.a.connect(SERVER);
    const writer = socket.writable.getWriter();
    let written = false;
    void writer.write(new Uint8Array(20_000_000)).then(() => {
      written = true;
    });
    const server = await pair.world.run(accepted);
    await pair.run(60_000);
    assert.equal(written, false);
    const drain = async (): Promise<number> => {
      let total = 0;
      for await (const chunk of server.readable) {
        total += chunk.length;
        if (total === 20_000_000) break;
      }
      return total;
    };
    assert.equal(await pair.world.run(drain()), 20_000_000);
    assert.equal(written, true);
  });

  it('reads into the buffer of a BYOB reader', async () => {
    const pair = tcpPair();
    echo(pair);
    const talk = async (): Promise<string> => {
      const socket = pair.a.connect(SERVER, { allowHalfOpen: true });
      await socket.writable.getWriter().write(bytes('abcdef'));
      // The DOM's type, which the core does not declare.
      const readable = socket.readable as unknown as import('node:stream/web').ReadableStream;
      const reader = readable.getReader({ mode: 'byob' });
      const first = await reader.read(new Uint8Array(4));
      const second = await reader.read(new Uint8Array(4));
      const parts = [first, second].map(part => new TextDecoder().decode(part.value));
      void socket.close();
      const last = await reader.read(new Uint8Array(4));
      return `${parts.join('|')} ${last.done}`;
    };
    assert.equal(await pair.world.run(talk()), 'abcd|ef true');
  });

  it('without allowHalfOpen the end of reading closes the writable', async () => {
    const pair = tcpPair();
    const listener = pair.b.listen({ port: 80 });
    const serve = async (): Promise<string> => {
      const socket = await listener.accept();
      const writer = socket.writable.getWriter();
      await writer.write(bytes('bye'));
      await writer.close();
      const rest = await readAll(socket.readable);
      await socket.closed;
      return rest;
    };
    const served = serve();
    const socket = pair.a.connect(SERVER);
    assert.equal(await pair.world.run(readAll(socket.readable)), 'bye');
    await pair.world.run(socket.closed);
    assert.equal(await pair.world.run(served), '');
  });

  it('close() sends what was written; `await using` closes', async () => {
    const pair = tcpPair();
    const accepted = pair.b.listen({ port: 80 }).accept();
    const say = async (): Promise<void> => {
      await using socket = pair.a.connect(SERVER);
      void socket.writable.getWriter().write(new Uint8Array(100_000).fill(65));
      await socket.opened;
    };
    const said = say();
    const server = await pair.world.run(accepted);
    assert.equal((await pair.world.run(readAll(server.readable))).length, 100_000);
    await pair.world.run(said);
  });

  it('closed resolves for one who only writes, when the peer has closed, too', async () => {
    const pair = tcpPair();
    const accepted = pair.b.listen({ port: 80 }).accept();
    const socket = pair.a.connect(SERVER, { allowHalfOpen: true });
    const server = await pair.world.run(accepted);
    await pair.world.run(socket.writable.close());
    await pair.world.run(readAll(server.readable));
    await pair.world.run(server.close());
    await pair.world.run(socket.closed);
  });

  it('messages by framing helpers', async () => {
    const pair = tcpPair();
    echo(pair);
    const talk = async (): Promise<string[]> => {
      const socket = pair.a.connect(SERVER, { allowHalfOpen: true });
      const writer = socket.writable.getWriter();
      for (const line of ['one', '', 'three']) await writer.write(encodeDelimited(bytes(line)));
      await writer.close();
      const lines: string[] = [];
      for await (const line of readDelimited(socket.readable)) lines.push(new TextDecoder().decode(line));
      return lines;
    };
    assert.deepEqual(await pair.world.run(talk()), ['one', '', 'three']);
  });
});

describe('errors of the stream API', () => {
  it('a refused connection: Node’s fields and message, in opened, closed, reading and writing', async () => {
    const { world, a } = tcpPair();
    const socket = a.connect(SERVER);
    const refused = {
      name: 'SocketError',
      code: 'ECONNREFUSED',
      errno: -111,
      syscall: 'connect',
      address: '10.0.0.2',
      port: 80,
      message: 'connect ECONNREFUSED 10.0.0.2:80',
    };
    await assert.rejects(world.run(socket.opened), refused);
    await assert.rejects(world.run(socket.closed), refused);
    await assert.rejects(world.run(socket.readable.getReader().read()), refused);
    await assert.rejects(world.run(socket.writable.getWriter().write(bytes('x'))), refused);
    await world.run(socket.close());
  });

  it('addresses that are none', () => {
    const { a } = tcpPair();
    const notFound = { code: 'ENOTFOUND', message: 'getaddrinfo ENOTFOUND example.org' };
    assert.throws(() => a.connect({ hostname: 'example.org', port: 80 }), notFound);
    assert.throws(() => a.connect({ hostname: '10.0.0.2', port: 70000 }), { code: 'EINVAL' });
    assert.throws(() => a.connect('nonsense'), { code: 'EINVAL' });
  });

  it('a port in use', () => {
    const { b } = tcpPair();
    b.listen({ port: 80 });
    assert.throws(() => b.listen({ port: 80 }), {
      code: 'EADDRINUSE',
      syscall: 'listen',
      message: 'listen EADDRINUSE: address already in use 0.0.0.0:80',
    });
    assert.throws(() => b.listen({ port: 80, hostname: '10.0.0.77' }), { code: 'EADDRNOTAVAIL' });
    assert.ok(b.listen({ port: 0 }).addr.port >= 32768);
  });

  it('a reset, noticed by a reader, by a writer and by nobody', async () => {
    for (const notice of ['read', 'write', 'idle'] as const) {
      const pair = tcpPair();
      const accepted = pair.b.listen({ port: 80 }).accept();
      const socket = pair.a.connect(SERVER);
      const server = await pair.world.run(accepted);
      const reading = notice === 'read' ? socket.readable.getReader().read() : null;
      const writing = notice === 'write' ? socket.writable.getWriter().write(new Uint8Array(3e7)) : null;
      reading?.catch(() => {});
      writing?.catch(() => {});
      await pair.run(1000);
      server.abort();
      await assert.rejects(pair.world.run(socket.closed), { code: 'ECONNRESET' });
      if (reading !== null) await assert.rejects(pair.world.run(reading), { code: 'ECONNRESET' });
      if (writing !== null) await assert.rejects(pair.world.run(writing), { code: 'ECONNRESET' });
    }
  });

  it('what is written must be bytes', async () => {
    const pair = tcpPair();
    echo(pair);
    const socket = pair.a.connect(SERVER);
    await pair.world.run(socket.opened);
    const writing = socket.writable.getWriter().write('text' as never);
    await assert.rejects(pair.world.run(writing), TypeError);
  });
});

describe('ending the stream API early', () => {
  it('a signal resets at any time, with its reason', async () => {
    const reason = new Error('enough');
    const pair = tcpPair();
    const accepted = pair.b.listen({ port: 80 }).accept();
    const abort = new AbortController();
    const socket = pair.a.connect(SERVER, { signal: abort.signal });
    const server = await pair.world.run(accepted);
    await pair.world.run(socket.opened);
    const reading = socket.readable.getReader().read();
    abort.abort(reason);
    await assert.rejects(pair.world.run(reading), reason);
    await assert.rejects(pair.world.run(socket.closed), reason);
    await assert.rejects(pair.world.run(server.readable.getReader().read()), { code: 'ECONNRESET' });
    assert.throws(() => pair.a.connect(SERVER, { signal: abort.signal }), reason);
  });

  it('a signal ends a handshake', async () => {
    const pair = tcpPair();
    const abort = new AbortController();
    const socket = pair.a.connect(SERVER, { signal: abort.signal });
    abort.abort();
    await assert.rejects(pair.world.run(socket.opened), { name: 'AbortError' });
    assert.deepEqual(pair.a.sockets(), []);
  });

  it('close() before it is open', async () => {
    const pair = tcpPair();
    echo(pair);
    const socket = pair.a.connect(SERVER);
    await pair.world.run(socket.close());
    await assert.rejects(pair.world.run(socket.opened), { code: 'ECONNABORTED' });
  });

  it('accept() with a signal, and after close()', async () => {
    const pair = tcpPair();
    const listener = pair.b.listen({ port: 80 });
    const abort = new AbortController();
    const accepting = listener.accept({ signal: abort.signal });
    abort.abort();
    await assert.rejects(pair.world.run(accepting), { name: 'AbortError' });
    const other = listener.accept();
    listener.close();
    await assert.rejects(pair.world.run(other), { code: 'EBADF', syscall: 'accept' });
    await assert.rejects(pair.world.run(listener.accept()), { code: 'EBADF' });
  });

  it('a signal closes a listener and ends its iteration', async () => {
    const pair = tcpPair();
    const abort = new AbortController();
    const listener = pair.b.listen({ port: 80, signal: abort.signal });
    const iterating = (async () => {
      for await (const _ of listener) assert.fail('nobody connects');
    })();
    abort.abort();
    await pair.world.run(iterating);
    pair.b.listen({ port: 80 });
  });

  it('cancel of readable and close of writable end the connection', async () => {
    const pair = tcpPair();
    const accepted = pair.b.listen({ port: 80 }).accept();
    const socket = pair.a.connect(SERVER);
    const server = await pair.world.run(accepted);
    await pair.world.run(socket.readable.cancel());
    await pair.world.run(socket.writable.close());
    await pair.world.run(socket.closed);
    assert.equal(await pair.world.run(readAll(server.readable)), '');
  });

  it('closing the stack settles every promise', async () => {
    const pair = tcpPair();
    const listener = pair.b.listen({ port: 80 });
    const accepted = listener.accept();
    const socket = pair.a.connect(SERVER);
    const server = await pair.world.run(accepted);
    const half = pair.a.connect({ hostname: '10.0.0.3', port: 1 });
    await pair.world.run(socket.opened);
    const pending = [
      socket.closed,
      socket.readable.getReader().read(),
      socket.writable.getWriter().write(new Uint8Array(3e7)),
      half.opened,
      half.closed,
      server.closed,
      server.readable.getReader().read(),
      listener.accept(),
    ];
    pair.a.close();
    pair.b.close();
    const settled = await pair.world.run(Promise.allSettled(pending));
    assert.deepEqual(new Set(settled.map(result => result.status)), new Set(['rejected']));
    await pair.world.run(socket.close());
    assert.throws(() => pair.a.connect(SERVER), { code: 'ENETDOWN' });
    pair.world.close();
    assert.equal(pair.world.clock.armed, 0);
    assert.equal(pair.world.pool.inUse, 0);
  });
});
