import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { libc, O_NONBLOCK } from '../../../src/node/linux/libc.ts';
import { DRAINED, MORE, NOTHING, register } from '../../../src/node/linux/poller.ts';
import { turn } from '../../../src/node/turn.ts';

const skip = process.platform === 'linux' ? false : 'SKIPPED: needs Linux';
const opened: number[] = [];

/** An eventfd: writing makes it readable, reading makes it not. */
class Event {
  readonly fd: number;
  private readonly word = new BigUint64Array(1);

  constructor() {
    this.fd = libc().eventfd(0, O_NONBLOCK);
    opened.push(this.fd);
  }

  set(): void {
    this.word[0] = 1n;
    assert.equal(libc().write(this.fd, libc().addressOf(this.word), 8), 8);
  }

  /** Whether it was set. */
  take(): boolean {
    return libc().read(this.fd, libc().addressOf(this.word), 8) === 8;
  }
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await turn();
}

describe('readiness of descriptors', { skip, timeout: 10_000 }, () => {
  afterEach(() => {
    for (const fd of opened.splice(0)) libc().close(fd);
  });

  it('calls when there is something, and no more once it was read', async () => {
    const event = new Event();
    let found = 0;
    let calls = 0;
    const watch = register(event.fd, () => {
      calls++;
      if (!event.take()) return NOTHING;
      found++;
      return DRAINED;
    });
    await turn();
    assert.equal(calls, 0);
    event.set();
    assert.equal(calls, 0, 'never from inside the call that makes it readable');
    await until(() => found === 1);
    // It looks a few turns longer, then sleeps.
    for (let i = 0; i < 50; i++) await turn();
    const asleep = calls;
    for (let i = 0; i < 50; i++) await turn();
    assert.equal(calls, asleep);
    event.set();
    await until(() => found === 2);
    watch.close();
  });

  it('comes back in the next turn to who said that there is more, and lets others run between', async () => {
    const event = new Event();
    const order: string[] = [];
    let left = 3;
    const watch = register(event.fd, () => {
      order.push('read');
      event.take();
      process.nextTick(() => order.push('stack'));
      return --left > 0 ? MORE : DRAINED;
    });
    event.set();
    await until(() => left === 0);
    await turn();
    watch.close();
    assert.deepEqual(order.slice(0, 6), ['read', 'stack', 'read', 'stack', 'read', 'stack']);
  });

  it('says that a descriptor is writable only when asked', async () => {
    const event = new Event();
    let writable = 0;
    const watch = register(
      event.fd,
      () => (event.take() ? DRAINED : NOTHING),
      () => {
        writable++;
        watch.setWritable(false);
      },
    );
    event.set();
    for (let i = 0; i < 20; i++) await turn();
    assert.equal(writable, 0);
    watch.setWritable(true);
    await until(() => writable === 1);
    for (let i = 0; i < 20; i++) await turn();
    assert.equal(writable, 1);
    watch.close();
  });

  it('stops reading, and reads again', async () => {
    const event = new Event();
    let found = 0;
    const watch = register(event.fd, () => {
      if (!event.take()) return NOTHING;
      found++;
      return DRAINED;
    });
    watch.setReadable(false);
    event.set();
    for (let i = 0; i < 20; i++) await turn();
    assert.equal(found, 0);
    watch.setReadable(true);
    await until(() => found === 1);
    watch.close();
  });

  it('is silent after close, even from inside its own call', async () => {
    const event = new Event();
    let calls = 0;
    const watch = register(event.fd, () => {
      calls++;
      watch.close();
      return MORE;
    });
    event.set();
    await until(() => calls === 1);
    for (let i = 0; i < 20; i++) await turn();
    assert.equal(calls, 1);
    watch.close();
  });

  it('serves any number of descriptors', async () => {
    const events = Array.from({ length: 50 }, () => new Event());
    const seen = new Set<number>();
    const watches = events.map(event =>
      register(event.fd, () => {
        if (!event.take()) return NOTHING;
        seen.add(event.fd);
        return DRAINED;
      }),
    );
    for (const event of events) event.set();
    await until(() => seen.size === events.length);
    for (const watch of watches) watch.close();
  });

  it('refuses what cannot be watched', () => {
    assert.throws(() => register(9999, () => NOTHING), { code: 'EBADF' });
    const file = libc().open('/proc/self/status', 0, 0);
    opened.push(file);
    assert.throws(() => register(file, () => NOTHING), { code: 'EPERM' });
  });
});
