/**
 * What the commands do, between two stacks on a cable: without a device, so that it runs everywhere.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Failure } from '../../src/cli/failure.ts';
import { runFlood } from '../../src/cli/flood/flood.ts';
import type { GetSettings } from '../../src/cli/get/command.ts';
import { fetchUrl } from '../../src/cli/get/fetch.ts';
import { targetOf } from '../../src/cli/get/target.ts';
import { type NcSettings, runNc, type UserStreams } from '../../src/cli/nc/nc.ts';
import { serveFolder } from '../../src/cli/serve/serve.ts';
import { runSink } from '../../src/cli/sink/sink.ts';
import { Resolver } from '../../src/dns/resolver.ts';
import { serveDns } from '../../src/dns/server.ts';
import { createCable } from '../../src/link/cable.ts';
import { nodeEnv } from '../../src/node/env.ts';
import { FolderFiles } from '../../src/node/files.ts';
import { Pattern } from '../../src/sim/pattern.ts';
import { hostPort } from '../../src/socket/api/errors.ts';
import { Stack } from '../../src/stack/stack.ts';

/** The two hosts, in each family. */
const PAIRS = [
  ['10.65.0.1', '10.65.0.2'],
  ['fd65::1', 'fd65::2'],
] as const;

let here: Stack;
let there: Stack;
let folder = '';
let ending: AbortController;

beforeEach(() => {
  const env = nodeEnv();
  const [a, b] = createCable(env);
  here = new Stack({ env, name: 'here', sysctl: { dad_transmits: 0 } });
  there = new Stack({ env, name: 'there', sysctl: { dad_transmits: 0 } });
  here.attach(a, { address: '10.65.0.1/24', address6: 'fd65::1/64' });
  there.attach(b, { address: '10.65.0.2/24', address6: 'fd65::2/64' });
  folder = mkdtempSync(join(tmpdir(), 'ethertype-commands-'));
  ending = new AbortController();
});
afterEach(() => {
  ending.abort();
  here.close();
  there.close();
  rmSync(folder, { recursive: true });
});

/** A stack as far as a command's host that connects needs it: addresses need no name server. */
function hostOf(stack: Stack) {
  return { stack, hosts: new Resolver(stack), lookup: async (host: string) => host };
}

/** The other stack as a command's host. */
function hostThere(announce: () => void = () => undefined) {
  const { env } = there.host;
  return {
    stack: there,
    env,
    signal: ending.signal,
    announce,
    end: (reason: unknown) => assert.fail(String(reason)),
  };
}

/** Resolves when a server of the other stack listens, with what it will return. */
async function listening<T>(
  run: (host: ReturnType<typeof hostThere>) => Promise<T>,
): Promise<{ done: Promise<T> }> {
  let done: Promise<T> | null = null;
  await new Promise<void>((resolve, reject) => {
    done = run(hostThere(resolve));
    done.catch(reject);
  });
  return { done: done as unknown as Promise<T> };
}

describe('get', () => {
  it('understands URLs as curl does', () => {
    assert.deepEqual(targetOf('10.1.2.3'), { hostname: '10.1.2.3', port: 80, path: '/', host: '10.1.2.3' });
    assert.deepEqual(targetOf('http://10.1.2.3:8080/a b?c#d'), {
      hostname: '10.1.2.3',
      port: 8080,
      path: '/a%20b?c',
      host: '10.1.2.3:8080',
    });
    const v6 = { hostname: 'fd65::1', port: 80, path: '/', host: '[fd65::1]' };
    assert.deepEqual(targetOf('[fd65::1]'), v6);
    assert.deepEqual(targetOf('http://[FD65:0::1]:80'), v6);
    // The Host field has no zone (RFC 6874 section 1).
    const zoned = { hostname: 'fe80::1%tap0', port: 8080, path: '/a', host: '[fe80::1]:8080' };
    assert.deepEqual(targetOf('http://[fe80::1%25tap0]:8080/a'), zoned);
    assert.deepEqual(targetOf('http://[fe80::1%tap0]:8080/a'), zoned);
    const named = { hostname: 'www.example.test', port: 8080, path: '/a', host: 'www.example.test:8080' };
    assert.deepEqual(targetOf('WWW.example.test:8080/a'), named);
  });
});

for (const [HERE, THERE] of PAIRS) {
  const at = (port: number): string => hostPort(THERE, port);

  describe(`serve and get over ${THERE}`, () => {
    const settings = (more: Partial<GetSettings> = {}): GetSettings => ({
      header: [],
      output: join(folder, 'got'),
      ...more,
    });
    const get = (path: string, more: Partial<GetSettings> = {}): Promise<void> =>
      fetchUrl(hostOf(here), targetOf(`http://${at(8080)}${path}`), settings(more));
    const got = (): string => readFileSync(join(folder, 'got'), 'utf8');

    beforeEach(async () => {
      writeFileSync(join(folder, 'a.txt'), '0123456789'.repeat(100_000));
      await listening(host => serveFolder(host, new FolderFiles(folder), { port: 8080, log: false }));
    });

    it('moves a file, and part of one', async () => {
      await get('/a.txt');
      assert.equal(got(), '0123456789'.repeat(100_000));
      await get('/a.txt', { range: '15-24' });
      assert.equal(got(), '5678901234');
    });

    it("ends with curl's statuses", async () => {
      const status = (wanted: number, says: RegExp) => (error: unknown) => {
        assert.ok(error instanceof Failure, String(error));
        assert.match(error.message, says);
        return error.exitStatus === wanted;
      };
      await assert.rejects(get('/b.txt', { fail: true }), status(22, /:8080 answered 404 Not Found/));
      await assert.rejects(get('/a.txt', { output: folder }), status(23, /it is a folder/));
      const refused = fetchUrl(hostOf(here), targetOf(at(81)), settings());
      await assert.rejects(refused, status(7, /cannot connect to .*:81: Connection refused/));
      const cut = there.listen({ hostname: '::', port: 82 });
      const answering = cut.accept().then(async socket => {
        const writer = socket.writable.getWriter();
        await writer.write(new TextEncoder().encode('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234'));
        await writer.close();
      });
      await assert.rejects(
        fetchUrl(hostOf(here), targetOf(at(82)), settings()),
        status(18, /the answer was cut short after 5 bytes/),
      );
      await answering;
    });

    it('finds the host by its name', async () => {
      const zone = { www: { [THERE.includes(':') ? 'AAAA' : 'A']: THERE }, gone: { A: '10.65.0.3' } };
      serveDns(there, { zones: { 'example.test': zone } });
      const hosts = new Resolver(here, { servers: [THERE] });
      const fetch = (url: string, more = {}): Promise<void> =>
        fetchUrl({ stack: here, hosts }, targetOf(url), settings(more));
      await fetch('http://www.example.test:8080/a.txt', { range: '0-9' });
      assert.equal(got(), '0123456789');
      await assert.rejects(fetch('http://no.example.test/'), { code: 'ENOTFOUND' });
      await assert.rejects(fetch('http://www.example.test:81/'), {
        message: 'cannot connect to www.example.test:81: Connection refused',
        exitStatus: 7,
      });
    });

    it('stops listening when it is told to', async () => {
      ending.abort();
      const socket = here.connect({ hostname: THERE, port: 8080 });
      await assert.rejects(socket.opened, { code: 'ECONNREFUSED' });
    });
  });

  describe(`nc over ${THERE}`, () => {
    const common = { port: 7, verbose: false, waitSeconds: null };
    const client: NcSettings = { ...common, udp: false, peer: THERE };
    const server: NcSettings = { ...common, udp: false, peer: null };

    /** A user who says `input`, and what the user gets to see. */
    function user(input: AsyncIterable<Uint8Array>, listens: () => void = () => undefined) {
      const seen: string[] = [];
      const streams: UserStreams = {
        input,
        write: async bytes => {
          seen.push(new TextDecoder().decode(bytes));
        },
        listening: listens,
        close: () => undefined,
      };
      return { streams, seen };
    }

    async function* say(...pieces: readonly (string | Promise<unknown>)[]): AsyncGenerator<Uint8Array> {
      for (const piece of pieces) {
        if (typeof piece === 'string') yield new TextEncoder().encode(piece);
        else await piece;
      }
    }

    /** Both ends at once: `first` speaks, and what `second` says may wait for it. */
    async function talk(
      settings: readonly [NcSettings, NcSettings],
      first: AsyncIterable<Uint8Array>,
      second: AsyncIterable<Uint8Array>,
    ): Promise<[string, string]> {
      let bob = user(second);
      let done: Promise<void> = Promise.resolve();
      await new Promise<void>((resolve, reject) => {
        bob = user(second, resolve);
        done = runNc(hostOf(there), settings[1], bob.streams);
        done.catch(reject);
      });
      const alice = user(first);
      await Promise.all([runNc(hostOf(here), settings[0], alice.streams), done]);
      return [alice.seen.join(''), bob.seen.join('')];
    }

    it('moves both directions, each to its own end', async () => {
      const [alice, bob] = await talk([client, server], say('ping ', 'pong'), say('answer'));
      assert.deepEqual([alice, bob], ['answer', 'ping pong']);
    });

    it('moves UDP datagrams, and ends when nothing comes any more', async () => {
      const quiet = { waitSeconds: 1 };
      const settings = [
        { ...client, udp: true, ...quiet },
        { ...server, udp: true, ...quiet },
      ] as const;
      assert.deepEqual(await talk(settings, say('question'), say('answer')), ['answer', 'question']);
    });

    it('says why there is no connection', async () => {
      const nobody = user(say());
      await assert.rejects(
        runNc(hostOf(here), client, nobody.streams),
        new Failure(`cannot connect to ${at(7)}: Connection refused`),
      );
      const udp = runNc(hostOf(here), { ...client, udp: true, waitSeconds: 5 }, user(say('x')).streams);
      await assert.rejects(udp, new Failure('recv: Connection refused'));
    });
  });

  describe(`flood and sink over ${THERE}`, () => {
    const sinkSettings = { port: 9, check: true, once: true, interval: 1, json: true };
    const floodSettings = {
      address: THERE,
      port: 9,
      seconds: null,
      bytes: 3_000_000,
      parallel: 2,
      interval: 1,
    };
    const lastOf = (reports: readonly string[]) =>
      JSON.parse(reports.at(-1) ?? '') as { bytes: number; type: string };

    it('agree about every byte and about how many there were', async () => {
      const sent: string[] = [];
      const received: string[] = [];
      const sink = await listening(host =>
        runSink(host, { ...sinkSettings, print: text => received.push(text) }),
      );
      const host = { stack: here, signal: ending.signal };
      await runFlood(host, { ...floodSettings, json: true, print: text => sent.push(text) });
      await sink.done;
      assert.deepEqual([lastOf(sent).type, lastOf(sent).bytes], ['end', 6_000_000]);
      assert.deepEqual([lastOf(received).type, lastOf(received).bytes], ['end', 6_000_000]);
    });

    it('flood stops when it is told to, and says what it has sent', async () => {
      const sent: string[] = [];
      await listening(host => runSink(host, { ...sinkSettings, once: false, print: () => undefined }));
      const stop = new AbortController();
      // Once enough has arrived that something of it was acknowledged.
      const looking = setInterval(() => {
        if (there.mib.Tcp.InSegs > 20) stop.abort();
      }, 5);
      stop.signal.addEventListener('abort', () => clearInterval(looking));
      const settings = { ...floodSettings, bytes: null, seconds: 60, parallel: 1, json: false };
      await runFlood({ stack: here, signal: stop.signal }, { ...settings, print: text => sent.push(text) });
      assert.match(
        sent.join(''),
        /^0\.0-\d\.\d s +[\d.]+ [kMG]B .* retrans \d+ {2}cwnd \d+ .* sent in all\n$/,
      );
    });

    it('sink finds a wrong byte', async () => {
      const { done } = await listening(host => runSink(host, { ...sinkSettings, print: () => undefined }));
      const piece = new Pattern().piece(0, 0, 5000).slice();
      piece.fill((piece[4321] ?? 0) ^ 1, 4321, 4322);
      const socket = here.connect({ hostname: THERE, port: 9 });
      await socket.writable.getWriter().write(piece);
      await assert.rejects(done, (error: Failure) => {
        assert.equal(
          error.message.replace(/:\d+:/, ':*:'),
          `from ${hostPort(HERE, 0).slice(0, -2)}:*: byte 4321 is not the one that was sent`,
        );
        return true;
      });
    });
  });
}
