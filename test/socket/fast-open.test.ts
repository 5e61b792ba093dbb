import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EINVAL, ENOPROTOOPT } from '../../src/base/errno.ts';
import {
  MSG_FASTOPEN,
  SOCK_NONBLOCK,
  SOL_TCP,
  TCP_FASTOPEN,
  TCP_FASTOPEN_CONNECT,
  TCP_FASTOPEN_KEY,
  TCP_FASTOPEN_NO_COOKIE,
  TCP_INFO,
} from '../../src/socket/constants.ts';
import type { OptionValue } from '../../src/socket/options.ts';
import { out } from '../../src/socket/sockaddr.ts';
import type { TcpInfo } from '../../src/tcp/info.ts';
import { formatStrace } from '../../src/view/strace.ts';
import { bytes } from '../udp/fixture.ts';
import { listening, SERVER, stream, type TcpPair, tcpPair, text } from './tcp-fixture.ts';

/** Both sides of Fast Open. */
const ON = { tcp_fastopen: 3 };
const ADDRESS = { hostname: SERVER.address, port: SERVER.port };

/** Answers each connection with what it says, in capitals, once it has said something. */
function shout(pair: TcpPair, fastOpen: number): void {
  const serve = async (): Promise<void> => {
    for await (const socket of pair.b.listen({ port: SERVER.port, fastOpen })) {
      const answer = async (): Promise<void> => {
        const writer = socket.writable.getWriter();
        for await (const chunk of socket.readable)
          await writer.write(bytes(new TextDecoder().decode(chunk).toUpperCase()));
        await writer.close();
      };
      void answer().catch(() => {});
    }
  };
  void serve();
}

/** Says `words` on a connection of its own: the answer, and the milliseconds until it was there. */
async function ask(pair: TcpPair, words: string): Promise<[string, number]> {
  const began = pair.world.clock.nowUs;
  const socket = pair.a.connect(ADDRESS, { fastOpen: true, allowHalfOpen: true });
  const writer = socket.writable.getWriter();
  void writer.write(bytes(words)).then(() => writer.close());
  let answer = '';
  let atUs = 0;
  for await (const chunk of socket.readable) {
    answer += new TextDecoder().decode(chunk);
    if (atUs === 0) atUs = pair.world.clock.nowUs;
  }
  await socket.closed;
  return [answer, (atUs - began) / 1000];
}

function infoOf(pair: TcpPair, fd: number): TcpInfo {
  const info = out<OptionValue>();
  assert.equal(pair.sysA.getsockopt(fd, SOL_TCP, TCP_INFO, info), 0);
  return info.value as TcpInfo;
}

describe('Fast Open between two hosts', () => {
  it('the first request asks for a cookie, the second saves a round trip', async () => {
    const pair = tcpPair(ON);
    shout(pair, 16);
    const talk = async (): Promise<[string, number][]> => [
      await ask(pair, 'hello'),
      await ask(pair, 'again'),
    ];
    const [first, second] = (await pair.world.run(talk())) as [[string, number], [string, number]];
    assert.equal(first[0], 'HELLO');
    assert.equal(second[0], 'AGAIN');
    // A round trip takes 2 ms; the first one also looks for the neighbour.
    assert.ok(first[1] >= 4, `${first[1]} ms`);
    assert.ok(second[1] < 3, `${second[1]} ms`);
    assert.equal(pair.a.mib.TcpExt.TCPFastOpenActive, 1);
    assert.equal(pair.b.mib.TcpExt.TCPFastOpenCookieReqd, 1);
    assert.equal(pair.b.mib.TcpExt.TCPFastOpenPassive, 1);
    await pair.run(100_000);
    assert.deepEqual(
      [...pair.a.sockets(), ...pair.b.sockets()].map(row => row.state),
      ['LISTEN'],
    );
  });

  it('a server that does not do it, and one that is turned off, are spoken to as ever', async () => {
    for (const [sysctl, fastOpen] of [
      [ON, 0],
      [{ tcp_fastopen: 1 }, 16],
      [{ tcp_fastopen: 0 }, 16],
    ] as const) {
      const pair = tcpPair(sysctl);
      shout(pair, fastOpen);
      const talk = async (): Promise<string[]> => [(await ask(pair, 'one'))[0], (await ask(pair, 'two'))[0]];
      assert.deepEqual(await pair.world.run(talk()), ['ONE', 'TWO']);
      assert.equal(pair.b.mib.TcpExt.TCPFastOpenPassive, 0);
    }
  });

  it('over cables that lose, repeat and reorder every byte arrives once, in order', async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const pair = tcpPair(ON, { loss: 0.15, duplicate: 0.1, reorder: 0.1 }, seed);
      shout(pair, 4);
      const words = `abcdefghij ${'x'.repeat(200 * seed)} end`;
      const talk = async (): Promise<string[]> => {
        const found: string[] = [];
        for (let i = 0; i < 8; i++) found.push((await ask(pair, `${i} ${words}`))[0]);
        return found;
      };
      const found = await pair.world.run(talk());
      assert.deepEqual(
        found,
        Array.from({ length: 8 }, (_, i) => `${i} ${words}`.toUpperCase()),
        `seed ${seed}`,
      );
      await pair.run(400_000);
      assert.equal(pair.world.pool.inUse, 0, `seed ${seed}`);
    }
  });

  it('a stack that is closed meanwhile leaves nobody waiting', async () => {
    const pair = tcpPair(ON);
    shout(pair, 16);
    const talk = async (): Promise<void> => {
      await ask(pair, 'hello');
      const socket = pair.a.connect(ADDRESS, { fastOpen: true });
      await socket.opened;
      pair.a.close();
      await assert.rejects(socket.closed, /ECONNABORTED|ENETDOWN/);
    };
    await pair.world.run(talk());
  });
});

describe('Fast Open in the calls', () => {
  it('why data did not go with the SYN: tcpi_fastopen_client_fail', async () => {
    const pair = tcpPair(ON);
    const { sysA, sysB } = pair;
    const listener = listening(sysB);
    sysB.setsockopt(listener, SOL_TCP, TCP_FASTOPEN, 8);
    const open = async (): Promise<TcpInfo> => {
      const fd = stream(sysA);
      assert.equal(await pair.world.run(sysA.wait.sendto(fd, bytes('hi'), MSG_FASTOPEN, SERVER)), 2);
      return infoOf(pair, fd);
    };
    assert.equal((await open()).fastopen_client_fail, 1, 'no cookie');
    const fast = await open();
    assert.equal(fast.fastopen_client_fail, 0);
    assert.equal(fast.options & 32, 32);
    // The server takes no more: the data goes again.
    sysB.setsockopt(listener, SOL_TCP, TCP_FASTOPEN, 0);
    const refused = await open();
    assert.equal(refused.fastopen_client_fail, 2, 'not acknowledged');
    assert.equal(refused.options & 32, 0);
  });

  it('options: what they take, when, and what they say', () => {
    const pair = tcpPair(ON);
    const { sysA } = pair;
    const fd = stream(sysA);
    const get = (name: number): OptionValue | null => {
      const value = out<OptionValue>();
      assert.equal(sysA.getsockopt(fd, SOL_TCP, name, value), 0);
      return value.value;
    };
    for (const name of [TCP_FASTOPEN_CONNECT, TCP_FASTOPEN_NO_COOKIE]) {
      assert.equal(get(name), 0);
      for (const wrong of [-1, 2, 1.5, 'on'])
        assert.equal(sysA.setsockopt(fd, SOL_TCP, name, wrong), -EINVAL);
      assert.equal(sysA.setsockopt(fd, SOL_TCP, name, true), 0);
      assert.equal(get(name), 1);
    }
    assert.equal(sysA.setsockopt(fd, SOL_TCP, TCP_FASTOPEN, -1), -EINVAL);
    assert.equal(sysA.setsockopt(fd, SOL_TCP, TCP_FASTOPEN, 1_000_000), 0);
    assert.equal(get(TCP_FASTOPEN), 4096, 'at most somaxconn');
    assert.deepEqual(get(TCP_FASTOPEN_KEY), new Uint8Array(0));
    for (const wrong of [new Uint8Array(15), 'short', 5]) {
      assert.equal(sysA.setsockopt(fd, SOL_TCP, TCP_FASTOPEN_KEY, wrong), -EINVAL);
    }
    const key = Uint8Array.from({ length: 32 }, (_, i) => i);
    assert.equal(sysA.setsockopt(fd, SOL_TCP, TCP_FASTOPEN_KEY, key), 0);
    key[0] = 99;
    assert.deepEqual((get(TCP_FASTOPEN_KEY) as Uint8Array)[0], 0, 'a copy');
    assert.equal(sysA.connect(fd, SERVER), 0, 'nothing is sent yet');
    assert.equal(sysA.setsockopt(fd, SOL_TCP, TCP_FASTOPEN, 1), -EINVAL);
    assert.equal(sysA.setsockopt(fd, SOL_TCP, TCP_FASTOPEN_NO_COOKIE, 1), -EINVAL);
    const datagram = sysA.socket(2, 2, 0);
    assert.equal(sysA.setsockopt(datagram, SOL_TCP, TCP_FASTOPEN, 1), -ENOPROTOOPT);
  });

  it('strace names them', () => {
    const pair = tcpPair({ tcp_fastopen: 7 });
    const fd = stream(pair.sysA, SOCK_NONBLOCK);
    pair.sysA.setsockopt(fd, SOL_TCP, TCP_FASTOPEN_CONNECT, 1);
    pair.sysA.sendto(fd, bytes('hi'), MSG_FASTOPEN, SERVER);
    const lines = pair.log.events.map(event => (event.type === 'call' ? formatStrace(event) : '')).join('\n');
    assert.match(lines, /setsockopt\(3, SOL_TCP, TCP_FASTOPEN_CONNECT, \[1\], 4\) = 0/);
    assert.match(lines, /sendto\(3, "hi", 2, MSG_FASTOPEN, \{sa_family=AF_INET, .*\}, 16\) = 2/);
  });

  it('a reader that waits beside a deferred connect() reads the answer to the first write', async () => {
    const pair = tcpPair(ON);
    const { sysA, sysB } = pair;
    shout(pair, 8);
    const talk = async (): Promise<string> => {
      await ask(pair, 'cookie');
      const fd = stream(sysA);
      sysA.setsockopt(fd, SOL_TCP, TCP_FASTOPEN_CONNECT, 1);
      assert.equal(await sysA.wait.connect(fd, SERVER), 0);
      const buffer = new Uint8Array(20);
      const reading = sysA.wait.recv(fd, buffer);
      assert.equal(await sysA.wait.write(fd, bytes('late')), 4);
      return text(buffer, await reading);
    };
    assert.equal(await pair.world.run(talk()), 'LATE');
    assert.equal(sysB.context.host.mib.TcpExt.TCPFastOpenPassive, 1);
  });
});
