import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rng } from '../../src/base/rng.ts';
import { SOL_TCP, TCP_FASTOPEN } from '../../src/socket/constants.ts';
import { RST, SYN } from '../../src/wire/tcp.ts';
import { anywhere, Lab, MS, routeOutside, SECOND } from './lab.ts';

const DATA = new Uint8Array(500).fill(65);

/** A server with Fast Open that reaches the rest of the world by the attacker's card. */
function openLab(queue: number): { lab: Lab; listener: number } {
  const lab = new Lab({ tcp_fastopen: 3 });
  routeOutside(lab);
  const listener = lab.listen(64);
  assert.equal(lab.server.sys.setsockopt(listener, SOL_TCP, TCP_FASTOPEN, queue), 0);
  return { lab, listener };
}

test('spoofed SYNs with data and made-up cookies open nothing: each is a half-open request, or a SYN cookie', () => {
  const { lab, listener } = openLab(16);
  const rng = new Rng(1);
  const heldBefore = lab.world.pool.inUse;
  for (let i = 0; i < 5000; i++) {
    const cookie = Uint8Array.from({ length: 8 }, () => rng.below(256));
    lab.forge({ ...anywhere(rng), seq: rng.u32(), flags: SYN, mss: 1460, data: DATA, cookie });
    if (i % 50 === 0) lab.pass(MS);
  }
  const { TcpExt } = lab.server.mib;
  assert.equal(TcpExt.TCPFastOpenPassive, 0);
  assert.ok(lab.server.tcp.flows.size <= 65, `${lab.server.tcp.flows.size} requests`);
  assert.equal(lab.server.sys.accept(listener) < 0, true, 'nothing to accept');
  assert.ok(lab.canConnect(listener), 'a real client connects');
  lab.pass(200 * SECOND);
  assert.equal(lab.world.pool.inUse, heldBefore);
  lab.end();
});

test('a stolen cookie opens as many connections as TCP_FASTOPEN says, and the rest is an ordinary handshake', () => {
  const { lab } = openLab(4);
  // Whoever sits on the path of an address can ask for its cookie, and use it from elsewhere.
  const victim = { from: '11.0.0.1' };
  lab.forge({ ...victim, sport: 999, seq: 1, flags: SYN, mss: 1460, cookie: new Uint8Array(0) });
  lab.pass(10 * MS);
  const { options } = lab.heard.at(-1) ?? assert.fail('no answer');
  assert.equal(options.cookieLength, 8);
  const cookie = options.cookie.slice(0, 8);
  for (let i = 0; i < 200; i++) {
    lab.forge({ ...victim, sport: 2000 + i, seq: i, flags: SYN, mss: 1460, data: DATA, cookie });
    lab.pass(MS);
  }
  const { TcpExt } = lab.server.mib;
  assert.equal(TcpExt.TCPFastOpenPassive, 4);
  assert.ok(TcpExt.TCPFastOpenListenOverflow >= 60, `${TcpExt.TCPFastOpenListenOverflow}`);
  lab.end();
});

test('the resets of a host in whose name connections were opened keep the next ones out for a minute', () => {
  const { lab, listener } = openLab(2);
  const victim = { from: '11.0.0.1' };
  lab.forge({ ...victim, sport: 999, seq: 1, flags: SYN, mss: 1460, cookie: new Uint8Array(0) });
  lab.pass(10 * MS);
  const cookie = lab.heard.at(-1)?.options.cookie.slice(0, 8) ?? assert.fail('no answer');
  const { sys } = lab.server;
  const attack = (sport: number): boolean => {
    const before = lab.server.mib.TcpExt.TCPFastOpenPassive;
    lab.forge({ ...victim, sport, seq: 1, flags: SYN, mss: 1460, data: DATA, cookie });
    lab.pass(MS);
    // The program answers at once, and the victim knows nothing of it.
    const fd = sys.accept(listener);
    const opened = lab.server.mib.TcpExt.TCPFastOpenPassive > before;
    if (opened) {
      assert.ok(fd >= 0);
      lab.forge({ ...victim, sport, seq: 2 + DATA.length, flags: RST, ack: 0 });
      lab.pass(MS);
      sys.close(fd);
    }
    return opened;
  };
  assert.deepEqual(
    [1, 2, 3, 4].map(n => attack(3000 + n)),
    [true, true, false, false],
  );
  lab.pass(61 * SECOND);
  assert.equal(attack(4000), true);
  lab.end();
});

test('a SYN with a cookie cannot be made to answer more bytes than it has, but for what the program sends', () => {
  const { lab } = openLab(16);
  lab.forge({ sport: 1000, seq: 1, flags: SYN, mss: 1460, data: DATA, cookie: new Uint8Array(8) });
  lab.forge({ sport: 1001, seq: 1, flags: SYN, mss: 1460, cookie: new Uint8Array(16) });
  lab.pass(10 * MS);
  assert.ok(lab.heard.every(({ flags, length }) => flags === 'S.' && length === 0));
  lab.end();
});
