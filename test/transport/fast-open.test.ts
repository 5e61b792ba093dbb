import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Host } from '../../src/core/host.ts';
import { PacketPool } from '../../src/core/pool.ts';
import { DEFAULT_SYSCTL } from '../../src/core/sysctl.ts';
import { FastOpenCache } from '../../src/transport/fast-open-cache.ts';
import { FastOpenCookies, HostCookies, parseFastOpenKeys } from '../../src/transport/fast-open-cookies.ts';
import { FastOpenQueue } from '../../src/transport/fast-open-queue.ts';
import { TcpOptions } from '../../src/wire/tcp-options.ts';
import { ManualEnv } from '../tcp/harness.ts';
import { ip } from './harness.ts';

const KEY = 'a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4';
const OTHER = '00010203-04050607-08090a0b-0c0d0e0f';

function flow(local: string, remote: string) {
  return { localAddress: ip(local), localPort: 80, remoteAddress: ip(remote), remotePort: 5000 };
}

const V4 = flow('192.168.0.1', '192.0.2.1');
const V6 = flow('fd3d:a0b:17d6::1', 'fd3d:fa7b:d17d::1');

function cookies(text: string): FastOpenCookies {
  const keys = parseFastOpenKeys(text);
  assert.ok(keys);
  return new FastOpenCookies(keys);
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map(byte => byte.toString(16).padStart(2, '0')).join('');
}

function options(cookie: Uint8Array): TcpOptions {
  const result = new TcpOptions();
  result.putCookie(cookie, false);
  return result;
}

function host(sysctl = {}): Host {
  const pool = new PacketPool({ smallSlots: 4, largeSlots: 0 });
  return new Host('h', new ManualEnv(), pool, { ...DEFAULT_SYSCTL, ...sysctl });
}

describe('Fast Open cookies', () => {
  it('are those that Linux 6.18 makes, of either family', () => {
    assert.equal(hex(cookies(KEY).make(V4)), '3021b9d889017eeb');
    assert.equal(hex(cookies(OTHER).make(V4)), '743a69802a396757');
    assert.equal(hex(cookies(KEY).make(V6)), 'c1d1e9742a47a9bc');
  });

  it('are good for one pair of addresses, whatever the ports', () => {
    const made = options(cookies(KEY).make(V4));
    assert.equal(cookies(KEY).check({ ...V4, remotePort: 1, localPort: 2 }, made), 1);
    assert.equal(cookies(KEY).check(flow('192.168.0.1', '192.0.2.2'), made), 0);
    assert.equal(cookies(KEY).check(flow('192.168.0.2', '192.0.2.1'), made), 0);
    assert.equal(cookies(OTHER).check(V4, made), 0);
  });

  it('of two keys either is good, and the first makes them', () => {
    const both = cookies(`${OTHER},${KEY}`);
    assert.equal(hex(both.make(V4)), '743a69802a396757');
    assert.equal(both.check(V4, options(cookies(OTHER).make(V4))), 1);
    assert.equal(both.check(V4, options(cookies(KEY).make(V4))), 2);
  });

  it('one bit off, or of another length, is none', () => {
    const made = cookies(KEY).make(V4);
    for (let bit = 0; bit < 64; bit++) {
      const wrong = made.slice();
      wrong[bit >> 3] = (wrong[bit >> 3] as number) ^ (1 << (bit & 7));
      assert.equal(cookies(KEY).check(V4, options(wrong)), 0, `${bit}`);
    }
    assert.equal(cookies(KEY).check(V4, options(made.subarray(0, 6))), 0);
    assert.equal(cookies(KEY).check(V4, options(Uint8Array.of(...made, 0, 0))), 0);
  });

  it('keys as sysctl writes them', () => {
    assert.equal(
      hex(parseFastOpenKeys('a0bf63f7-ed803d81-cd641d30-cebc4a90') ?? new Uint8Array(0)),
      'f763bfa0813d80ed301d64cd904abcce',
    );
    assert.equal(parseFastOpenKeys('1-2-3-4\n')?.length, 16);
    assert.equal(parseFastOpenKeys(`${KEY},${OTHER}`)?.length, 32);
    for (const wrong of [
      '',
      'x',
      '1-2-3',
      '1-2-3-4-5',
      '123456789-2-3-4',
      `${KEY},`,
      `${KEY},${KEY},${KEY}`,
      '1-2-3-g',
    ])
      assert.equal(parseFastOpenKeys(wrong), null, wrong);
  });

  it('a host has a secret of its own until it is given a key, and keeps the last when that is none', () => {
    const one = host();
    const secret = new HostCookies(one);
    const first = hex(secret.current.make(V4));
    assert.equal(hex(secret.current.make(V4)), first);
    one.sysctl.tcp_fastopen_key = KEY;
    assert.equal(hex(secret.current.make(V4)), '3021b9d889017eeb');
    one.sysctl.tcp_fastopen_key = 'nonsense';
    assert.equal(hex(secret.current.make(V4)), '3021b9d889017eeb');
  });

  it('a stack is not made with a key that is none', () => {
    assert.throws(() => new HostCookies(host({ tcp_fastopen_key: 'secret' })), {
      name: 'RangeError',
      message: /tcp_fastopen_key 'secret' is no key: write four words/,
    });
  });
});

describe('what a client remembers of servers', () => {
  it('by both addresses, until it is flushed', () => {
    const cache = new FastOpenCache(host());
    const here = cache.destination(ip('10.0.0.1'), ip('10.0.0.2'), false);
    assert.equal(here.recall(), null);
    here.learn().mss = 1000;
    assert.equal(here.recall()?.mss, 1000);
    assert.equal(cache.destination(ip('10.0.0.1'), ip('10.0.0.2'), false).recall()?.mss, 1000);
    assert.equal(cache.destination(ip('10.0.0.9'), ip('10.0.0.2'), false).recall(), null);
    cache.clear();
    assert.equal(here.recall(), null);
  });

  it('no more than ethertype_tcp_metrics; who was heard of least recently goes', () => {
    const cache = new FastOpenCache(host({ ethertype_tcp_metrics: 3 }));
    const to = (n: number) => cache.destination(ip('10.0.0.1'), ip(`10.0.1.${n}`), false);
    for (let n = 1; n <= 3; n++) to(n).learn();
    to(1).learn();
    to(4).learn();
    assert.equal(cache.size, 3);
    assert.deepEqual(
      [1, 2, 3, 4].map(n => to(n).recall() !== null),
      [true, false, true, true],
    );
  });
});

describe('the queue of a listener', () => {
  it('has places, which are given back', () => {
    const queue = new FastOpenQueue();
    const first = queue.enter();
    assert.equal(queue.hasRoom(1, 0), false);
    first.leave();
    assert.equal(queue.hasRoom(1, 0), true);
  });

  it('a reset keeps the place of a connection that was accepted, for a minute', () => {
    const queue = new FastOpenQueue();
    queue.enter().reset(0);
    assert.equal(queue.hasRoom(1, 0), true);
    const accepted = queue.enter();
    accepted.accepted = true;
    accepted.reset(1e6);
    assert.equal(queue.hasRoom(1, 60e6), false);
    assert.equal(queue.hasRoom(1, 61e6), true);
    assert.equal(queue.hasRoom(1, 61e6), true);
  });
});
