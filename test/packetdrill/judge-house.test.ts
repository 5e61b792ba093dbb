import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { failure as failureOf, passes } from './support.ts';

const run = (...lines: string[]): Promise<void> => passes(lines, { house: true });
const failure = (...lines: string[]): Promise<string> => failureOf(lines, { house: true });

describe('house scripts: what must fail does', () => {
  it('passes what is right', () =>
    run(
      '--established',
      '+0 write(4, ..., 10) = 10',
      '+0 > P. 1:11(10) ack 1',
      '+.1 < . 1:1(0) ack 11 win 100',
    ));

  it('a packet that differs, with both shown', async () => {
    const message = await failure('--established', '+0 write(4, ..., 10) = 10', '+0 > P. 1:12(11) ack 1');
    assert.match(message, /^line 3: /);
    assert.match(message, /\n {2}expected > P\. 1:12\(11\) ack 1\n {2}actual {3}> P\. 1:11\(10\) ack 1/);
    assert.match(
      await failure('--established', '+0 write(4, ..., 10) = 10', '+0 > . 1:11(10) ack 1'),
      /flags P\., expected \./,
    );
    assert.match(
      await failure('--established', '+0 write(4, ..., 10) = 10', '+0 > P. 1:11(10) ack 2'),
      /ack 1, expected 2/,
    );
    assert.match(await failure('0 < S 0:0(0) win 1', '+0 > R. 0:0(0) ack 1 win 5'), /win 0/);
    assert.match(
      await failure('0 < S 0:0(0) win 1', '+0 > R. 0:0(0) ack 1 <nop>'),
      /options <>, expected <nop>/,
    );
  });

  it('a packet that does not come, comes late or comes early', async () => {
    assert.match(await failure('--established', '+0 > P. 1:11(10) ack 1'), /Timed out waiting for packet/);
    const write = ['--established', '+0 write(4, ..., 10) = 10', '+0 > P. 1:11(10) ack 1'];
    assert.match(
      await failure(...write, '+.2 > P. 1:11(10) ack 1'),
      /timing error: expected outbound packet at 0\.400000 sec but happened at 0\.500000 sec/,
    );
    assert.match(
      await failure(...write, '+.4 > P. 1:11(10) ack 1'),
      /at 0\.600000 sec but happened at 0\.500000 sec/,
    );
    await run(...write, '+.29 > P. 1:11(10) ack 1');
    await run(...write, '+.2~+.4 > P. 1:11(10) ack 1');
    await run(...write, '* > P. 1:11(10) ack 1');
  });

  it('a packet that nobody expects', async () => {
    const write = ['--established', '+0 write(4, ..., 10) = 10'];
    assert.match(await failure(...write), /unexpected packet:\n {2}0\.200000 > P\. 1:11\(10\)/);
    assert.match(await failure(...write, '+0 expect_nothing()'), /unexpected packet/);
    assert.match(await failure(...write, '+1 < . 1:1(0) ack 11 win 100'), /unexpected packets:/);
  });

  it('a call with another result, errno or value', async () => {
    const start = '--established';
    assert.match(
      await failure(start, '+0 read(4, ..., 10) = 5'),
      /Expected result 5 but got -1 with errno 11 \(Resource temporarily unavailable\)/,
    );
    assert.match(
      await failure(start, '+0 read(4, ..., 10) = -1 EPIPE'),
      /Expected errno EPIPE but got EAGAIN/,
    );
    assert.match(
      await failure(start, '+0 ioctl(4, SIOCOUTQ, [7]) = 0'),
      /Bad ioctl optval: expected: 7 actual: 0/,
    );
    assert.match(
      await failure(start, '+0 getsockopt(4, SOL_TCP, TCP_NODELAY, [1], [4]) = 0'),
      /Bad getsockopt optval: expected: 1 actual: 0/,
    );
    const poll = '+0 poll([{fd=4, events=POLLOUT, revents=0}], 1, 0) = 1';
    assert.match(await failure(start, poll), /Expected revents of 0x0 but got 0x4 for pollfd 0/);
  });

  it('a call that returns too early, too late or never', async () => {
    const data = '+.1 < P. 1:11(10) ack 1 win 100';
    const ack = '+0 > . 1:1(0) ack 11';
    const end = '+1 expect_nothing()';
    await run('--established', '+0...0.1 read(4, ..., 10) = 10', data, ack, end);
    assert.match(
      await failure('--established', '+0...0.3 read(4, ..., 10) = 10', data, ack, end),
      /expected system call return at 0\.500000 sec but happened at 0\.300000 sec/,
    );
    assert.match(await failure('--established', '+0...0.1 read(4, ..., 10) = 10', end), /but it still waits/);
    assert.match(await failure('--established', '+0...0.1 read(4, ..., 10) = 10'), /but it still waits/);
    assert.match(
      await failure('--established', '+0...0.1 read(4, ..., 10) = 9', data, ack, end),
      /Expected result 9 but got 10/,
    );
  });

  it('an assertion, a state or a counter that does not hold', async () => {
    assert.match(await failure('--established', '%{ assert tcpi_snd_cwnd == 9 }%'), /tcpi_snd_cwnd = 10/);
    assert.match(
      await failure('--established', '%{ assert tcpi_nonsense == 9 }%'),
      /TCP_INFO has no tcpi_nonsense/,
    );
    assert.match(
      await failure('--established', '+0 expect_state(TIME_WAIT)'),
      /the state is ESTABLISHED, not TIME_WAIT/,
    );
    assert.match(
      await failure('--established', '+0 counter(Tcp.PassiveOpens) = 7'),
      /Tcp.PassiveOpens is 1, not 7/,
    );
    assert.match(
      await failure('--established', '+0 counter(Tcp.Nonsense) = 7'),
      /unknown counter Tcp.Nonsense/,
    );
  });

  it('commands, calls, constants and options that do not exist', async () => {
    assert.match(await failure('`reboot -f`', '0 close(3) = 0'), /unknown command 'reboot -f'/);
    assert.match(await failure('`sysctl -q net.ipv4.tcp_nonsense=1`', '0 close(3) = 0'), /unknown sysctl/);
    assert.match(await failure('0 frobnicate(3) = 0'), /Unknown system call: 'frobnicate'/);
    assert.match(await failure('0 socket(..., SOCK_NONSENSE, 0) = 3'), /unknown symbol: 'SOCK_NONSENSE'/);
    assert.match(await failure('--nonsense=1', '0 close(3) = -1 EBADF'), /unknown option --nonsense/);
  });

  it('an inbound segment without a window', async () => {
    assert.match(await failure('0 < S 0:0(0)'), /needs a window/);
  });
});

describe('house scripts: what is translated', () => {
  it('initial sequence numbers of both sides', () =>
    run(
      '--iss=4294967290',
      '--peer_isn=0xfffffff0',
      '--established=mss 1000,nop,nop,sackOK',
      '+0 write(4, ..., 100) = 100',
      '+0 > P. 1:101(100) ack 1',
      '+0 < P. 1001:1101(100) ack 101 win 100',
      '+0 > . 101:101(0) ack 1 <nop,nop,sack 1001:1101>',
    ));

  it('several of our segments into one expected one', () =>
    run('--established', '+0 write(4, ..., 2500) = 2500', '+0 > P. 1:2501(2500) ack 1'));

  it('sysctls, before the stack is made and while it runs', () =>
    run(
      '`sysctl -q net.ipv4.tcp_rmem="4096 20000 40000" net.ipv4.tcp_sack=0`',
      '0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3',
      '+0 bind(3, ..., ...) = 0',
      '+0 listen(3, 10) = 0',
      '+0 < S 0:0(0) win 1000 <mss 1000,nop,nop,sackOK>',
      '+0 > S. 0:0(0) ack 1 <mss 1460>',
      '`sysctl -q net.ipv4.tcp_sack=1`',
      '+0 < [peer 2] S 0:0(0) win 1000 <mss 1000,nop,nop,sackOK>',
      '+0 > [peer 2] S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK>',
    ));
});
