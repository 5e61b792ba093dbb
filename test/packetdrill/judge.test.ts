import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ESTABLISHED, failure, passes, verdictOf } from './support.ts';

/** 10 bytes at 0.1 s; without an answer they are sent again at 0.4 s (round trip 0.1 s, RTO 0.3 s). */
const WRITTEN = [...ESTABLISHED, '+0 write(4, ..., 10) = 10', '+0 > P. 1:11(10) ack 1'];

describe('packetdrill: times', () => {
  it('an eighth of the time since the event before, early or late', async () => {
    for (const time of ['+.3', '+.342', '+.267', '0.4'])
      await passes([...WRITTEN, `${time} > P. 1:11(10) ack 1`]);
    const early = await failure([...WRITTEN, '+.343 > P. 1:11(10) ack 1']);
    assert.match(
      early,
      /expected outbound packet at 0\.443000 sec but happened at 0\.400000 sec; tolerance 0\.042875/,
    );
    assert.match(await failure([...WRITTEN, '+.266 > P. 1:11(10) ack 1']), /tolerance 0\.033250/);
  });

  it('but never less than 4 ms, or what --tolerance_usecs says', async () => {
    const write = [...ESTABLISHED, '+0 write(4, ..., 10) = 10'];
    await passes([...write, '+.004 > P. 1:11(10) ack 1']);
    assert.match(await failure([...write, '+.005 > P. 1:11(10) ack 1']), /tolerance 0\.004000/);
    await passes(['--tolerance_usecs=5000', ...write, '+.005 > P. 1:11(10) ack 1']);
    const exact = await failure(['--tolerance_percent=0', ...WRITTEN, '+.305 > P. 1:11(10) ack 1']);
    assert.match(exact, /tolerance 0\.004000/);
  });

  it('a range is as far off as its begin is away', async () => {
    await passes([...WRITTEN, '+.2~+.28 > P. 1:11(10) ack 1']);
    assert.match(
      await failure([...WRITTEN, '+.2~+.27 > P. 1:11(10) ack 1']),
      /in time range 0\.300000~0\.370000/,
    );
    await passes([...WRITTEN, '* > P. 1:11(10) ack 1']);
  });

  it('what should have happened already fails, too', async () => {
    const late = [...WRITTEN, '+.3 > P. 1:11(10) ack 1', '0.2 close(4) = 0'];
    assert.match(
      await failure(late),
      /expected system call start at 0\.200000 sec but happened at 0\.400000 sec/,
    );
  });

  it('relative times count from now, but those of inbound packets in a row from each other', async () => {
    const times: string[] = [];
    await passes(
      [
        ...WRITTEN,
        '+.31 > P. 1:11(10) ack 1',
        '+.1 < . 1:1(0) ack 11 win 100',
        '+.1 < . 1:1(0) ack 11 win 101',
        '+0 write(4, ..., 10) = 10',
      ],
      { note: line => times.push(line.split(' ')[0] as string) },
    );
    // Expected at 0.41, seen at 0.4: the next line counts from there.
    assert.deepEqual(times.slice(-4), ['0.400000', '0.500000', '0.600000', '0.600000']);
  });

  it('a packet that does not come is not waited for longer than 2 seconds', async () => {
    const message = await failure([...ESTABLISHED, '+1 > P. 1:11(10) ack 1']);
    assert.match(
      message,
      /Timed out waiting for packet\n {2}expected > P\. 1:11\(10\) ack 1\n {2}actual {3}> \(nothing\) at 3\.1/,
    );
  });
});

describe('packetdrill: packets', () => {
  const write = [...ESTABLISHED, '+0 write(4, ..., 2500) = 2500'];

  it('several segments make up one, when their lengths do exactly', async () => {
    await passes([...write, '+0 > P. 1:2501(2500) ack 1']);
    await passes([...write, '+0 > . 1:1001(1000) ack 1', '+0 > P. 1001:2501(1500) ack 1']);
    // Two segments of 1000 bytes that were sent together: neither 1500 nor 2000 without PSH.
    assert.match(
      await failure([...write, '+0 > P. 1:1501(1500) ack 1']),
      /expected 1500 bytes vs actual 2000 bytes/,
    );
    assert.match(
      await failure([...write, '+0 > . 1:2001(2000) ack 1']),
      /flags P\., expected \..*\n.*\n.* in 2 parts/,
    );
    // The short one must be the last.
    const more = await failure([...write, '+0 > P. 1:2601(2600) ack 1']);
    assert.match(more, /a part of 500 bytes after one of 1000, with 100 bytes to come/);
  });

  it('with --strict_segments they do not', async () => {
    const message = await failure(['--strict_segments', ...write, '+0 > . 1:2501(2500) ack 1']);
    assert.match(message, /expected 2500 bytes vs actual 1000 bytes/);
  });

  it('an unexpected packet fails when the next one is expected', async () => {
    const two = [...ESTABLISHED, '+0 write(4, ..., 10) = 10', '+.1 < F. 1:1(0) ack 11 win 100'];
    const message = await failure([...two, '+0 > . 11:11(0) ack 2']);
    assert.match(message, /flags P\., expected \./);
    assert.match(message, /state: CLOSE_WAIT, ca_state 0, snd_cwnd 10/);
  });

  it('at the end it does so only with `strict`', async () => {
    const lines = [...ESTABLISHED, '+0 write(4, ..., 10) = 10'];
    await passes(lines);
    assert.match(
      await failure(lines, { strict: true }),
      /unexpected packet:\n {2}0\.100000 > P\. 1:11\(10\) ack 1/,
    );
  });

  it('packets of other connections are not looked at', async () => {
    const lines = [
      ...WRITTEN,
      '+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 5',
      '+0 fcntl(5, F_SETFL, O_RDWR|O_NONBLOCK) = 0',
      '+0 connect(5, ..., ...) = -1 EINPROGRESS (Operation now in progress)',
      '+0 > S 0:0(0) <...>',
      '+1 > S 0:0(0) <...>',
    ];
    await passes(lines);
    assert.match(await failure(lines, { strict: true }), /unexpected packets?:/);
  });

  it('nor is the SYN that an earlier connection sends again', () => {
    const connect = (fd: number): string[] => [
      `+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = ${fd}`,
      `+0 fcntl(${fd}, F_SETFL, O_RDWR|O_NONBLOCK) = 0`,
      `+0 connect(${fd}, ..., ...) = -1 EINPROGRESS (Operation now in progress)`,
      '+0 > S 0:0(0) <...>',
    ];
    // The first connection's SYN comes again at 1 s, the second one's at 1.5 s.
    return passes([...connect(3), '+.5 %{ assert True }%', ...connect(4), '+1 > S 0:0(0) <...>']);
  });

  it('what comes in may be longer than the MTU', () =>
    passes([...ESTABLISHED, '+0 < P. 1:10001(10000) ack 1 win 32792', '+0 read(4, ..., 20000) = 10000']));

  it('ECN bits and TTL are looked at where they stand', async () => {
    const open = ESTABLISHED.slice(0, 5);
    await passes([...open, '+0 > [noecn] S. 0:0(0) ack 1 <...>']);
    await passes([...open, '+0 > [ttl 64] S. 0:0(0) ack 1 <...>']);
    assert.match(await failure([...open, '+0 > [ect0] S. 0:0(0) ack 1 <...>']), /ip_ecn 0, expected 2/);
    assert.match(await failure([...open, '+0 > [ttl 63] S. 0:0(0) ack 1 <...>']), /ttl 64, expected 63/);
  });

  it('sequence numbers of a SYN count as they stand, all others from it', () =>
    passes([
      ...ESTABLISHED.slice(0, 4),
      '+0  < S 123:123(0) win 32792 <mss 1000>',
      '+0  > S. 456:456(0) ack 124 <mss 1460>',
      '+.1 < . 1:1(0) ack 1 win 32792',
      '+0  accept(3, ..., ...) = 4',
      '+0  write(4, ..., 10) = 10',
      '+0  > P. 1:11(10) ack 1',
    ]));
});

describe('packetdrill: timestamps', () => {
  const open = [
    ...ESTABLISHED.slice(0, 4),
    '+0  < S 0:0(0) win 32792 <mss 1000,sackOK,TS val 7 ecr 0,nop,nop,nop,nop>',
    '+0  > S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 100 ecr 7>',
  ];
  const data = (val: number, ecr: number): string[] => [
    ...open,
    '+.1 < . 1:1(0) ack 1 win 32792 <nop,nop,TS val 107 ecr 100>',
    '+0  accept(3, ..., ...) = 4',
    '+0  write(4, ..., 10) = 10',
    `+0  > P. 1:11(10) ack 1 <nop,nop,TS val ${val} ecr ${ecr}>`,
  ];

  it('the value of ours is looked at only with --tcp_ts_tick_usecs', async () => {
    await passes(data(999, 107));
    await passes(['--tcp_ts_tick_usecs=1000', ...data(200, 107)]);
    assert.match(
      await failure(['--tcp_ts_tick_usecs=1000', ...data(999, 107)]),
      /options <nop,nop,TS val 200/,
    );
  });

  it('what we echo is looked at only with `strict`', async () => {
    await passes(data(200, 42));
    assert.match(await failure(data(200, 42), { strict: true }), /TS val 200 ecr 107/);
  });

  it('the peer can echo only what was sent, unless by its distance', async () => {
    const lines = [...open, '+.1 < . 1:1(0) ack 1 win 32792 <nop,nop,TS val 107 ecr 150>'];
    assert.match(await failure(lines), /unable to infer live TS ecr for script TS ecr 150/);
    await passes(['--tcp_ts_ecr_scaled', ...lines]);
  });
});

describe('packetdrill: calls', () => {
  it('the descriptors, their number and what they return', async () => {
    const socket = '0 socket(..., SOCK_STREAM, IPPROTO_UDP)';
    await passes([`${socket} = -1`]);
    assert.match(
      await failure([`${socket} = 3`]),
      /runtime error in socket call: Expected non-negative result but got -1 with errno 93 \(Protocol not supported\)/,
    );
    assert.match(await failure([`${socket} = -99`]), /Expected result -99 but got -1 with errno 93/);
    assert.match(
      await failure([`${socket} = -1 EINVAL (x)`]),
      /Expected errno EINVAL but got EPROTONOSUPPORT/,
    );
    assert.match(await failure(['0 close(3) = 0']), /unable to find fd with script fd 3/);
    assert.match(await failure(['0 close(3, 4) = 0']), /Expected 1 args but got 2/);
    assert.match(await failure(['0 frobnicate(3) = 0']), /Unknown system call: 'frobnicate'/);
    assert.match(
      await failure([...ESTABLISHED, '+0 read(4, 7, 10) = 0']),
      /Expected \.\.\. or NULL for buffer/,
    );
    await passes([...ESTABLISHED, '+0 read(4, NULL, 10) = -1 EFAULT (Bad address)']);
  });

  it('a call that waits returns when it should, within the tolerance of its own time', async () => {
    const read = (end: string): string[] => [
      ...ESTABLISHED,
      `+0...${end} read(4, ..., 10) = 10`,
      '+.4 < P. 1:11(10) ack 1 win 100',
      '+0 > . 1:1(0) ack 11',
    ];
    await passes(read('.4'));
    await passes(read('.45'));
    assert.match(
      await failure(read('.46')),
      /line 9: timing error: expected system call return at 0\.560000 sec but happened at 0\.500000/,
    );
    assert.match(await failure(read('.2')), /but it still waits/);
  });

  it('one at a time, and none at the end', async () => {
    const two = [...ESTABLISHED, '+0...5 read(4, ..., 10) = 10', '+0...5 accept(3, ..., ...) = 5'];
    assert.match(await failure(two), /line 10: blocking system call while another/);
    assert.match(
      await failure([...ESTABLISHED, '+0...5 read(4, ..., 10) = 10']),
      /exiting while a blocking system call is in progress/,
    );
  });

  it('one that waits without saying so holds up the script', async () => {
    assert.match(await failure([...ESTABLISHED, '+0 read(4, ..., 10) = 10']), /read does not return/);
    const poll = [...ESTABLISHED, '+0 poll([{fd=4, events=POLLIN, revents=0}], 1, 300) = 0'];
    await passes(poll);
    assert.match(await failure([...poll, '0.2 close(4) = 0']), /happened at 0\.400000/);
  });

  it('epoll: the first event, with what was put in', async () => {
    const watch = [
      ...ESTABLISHED,
      '+0 epoll_create(1) = 5',
      '+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN|EPOLLOUT, fd=4}) = 0',
    ];
    await passes([...watch, '+0 epoll_wait(5, {events=EPOLLOUT, fd=4}, 1, 0) = 1']);
    assert.match(
      await failure([...watch, '+0 epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 0) = 1']),
      /events does not match/,
    );
    assert.match(
      await failure([...watch, '+0 epoll_wait(5, {events=EPOLLOUT, u32=9}, 1, 0) = 1']),
      /data does not match/,
    );
  });

  it('files and pipes, for sendfile and splice', () =>
    passes([
      '`dd if=/dev/zero of=/tmp/file bs=1 count=5`',
      ...ESTABLISHED,
      '+0 open("/tmp/file", O_RDONLY) = 5',
      '+0 sendfile(4, 5, [0], 10) = 5',
      '+0 > P. 1:6(5) ack 1',
      '+0 pipe([6, 7]) = 0',
      '+0 < P. 1:11(10) ack 6 win 100',
      '+0 splice(4, NULL, 7, NULL, 8, 0) = 8',
      '+0 splice(6, NULL, 4, NULL, 8, 0) = 8',
      '* > P. 6:14(8) ack 11',
    ]));
});

describe('packetdrill: code and commands', () => {
  it('code sees the socket that was made last', async () => {
    await passes([...ESTABLISHED, '+0 %{ assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd }%']);
    assert.match(
      await failure([...ESTABLISHED, '+0 %{ assert tcpi_snd_cwnd == 9, tcpi_snd_cwnd }%']),
      /error in code: does not hold: assert tcpi_snd_cwnd == 9, tcpi_snd_cwnd: 10/,
    );
    assert.match(await failure([...ESTABLISHED.slice(0, 7), '+0 %{ x = 1 }%']), /can't find getsockopt/);
    assert.match(await failure(['0 %{ x = 1 }%']), /no socket to use for code/);
  });

  it('a command that is not known is an error, wherever it stands', async () => {
    assert.match(
      await failure(['`frobnicate now`', ...ESTABLISHED]),
      /line 1: error executing init command: unknown command 'frobnicate now'/,
    );
    assert.match(
      await failure([...ESTABLISHED, '+0 `frobnicate`']),
      /line 9: error executing command: unknown command/,
    );
    assert.match(await failure([...ESTABLISHED, '`frobnicate`']), /unknown command/);
    assert.match(await failure(['`./setup.sh`', ...ESTABLISHED]), /setup\.sh: not found/);
  });

  it('sysctls change the stack, of sockets to come and of those there are', async () => {
    const sack = (value: number): string[] => [
      `\`sysctl -q net.ipv4.tcp_sack=${value}\``,
      ...ESTABLISHED.slice(0, 4),
      '+0 < S 0:0(0) win 32792 <mss 1000,nop,nop,sackOK>',
    ];
    await passes([...sack(0), '+0 > S. 0:0(0) ack 1 <mss 1460>']);
    await passes([...sack(1), '+0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK>']);
    await passes([
      '`sysctl -q net.ipv4.tcp_syn_retries=1 net.ipv4.tcp_syn_linear_timeouts=0`',
      '0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3',
      '+0...3 connect(3, ..., ...) = -1 ETIMEDOUT (Connection timed out)',
      '+0 > S 0:0(0) <...>',
      '+1 > S 0:0(0) <...>',
      '+3 close(3) = 0',
    ]);
  });

  it('a link that drops everything', () =>
    passes([
      ...ESTABLISHED,
      '+0 `tc qdisc replace dev tun0 root pfifo limit 0`',
      '+0 write(4, ..., 10) = 10',
      '+.1 `tc qdisc delete dev tun0 root`',
      '+.2 > P. 1:11(10) ack 1',
    ]));

  it("a script's file of commands is read from beside it", () =>
    passes(
      [
        '`../common/setup.sh`',
        '0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3',
        '+0 getsockopt(3, SOL_SOCKET, SO_RCVBUF, [20000], [4]) = 0',
      ],
      {
        readFile: path =>
          path === '../common/setup.sh'
            ? '#!/bin/sh\nsysctl -q net.ipv4.tcp_rmem="4096 $((2*10000)) 40000"\n'
            : null,
      },
    ));
});

describe('packetdrill: verdicts', () => {
  it('--ip_version=ipv4-mapped-ipv6: IPv6 sockets, IPv4 packets', async () => {
    const lines = [
      '--ip_version=ipv4-mapped-ipv6',
      '0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3',
      '+0 getsockopt(3, SOL_SOCKET, SO_DOMAIN, [AF_INET6], [4]) = 0',
      '+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0',
      '+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)',
      '+0 > S 0:0(0) <...>',
      '+0 < icmp unreachable host_unreachable [0:0(0)]',
      '+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [EHOSTUNREACH], [4]) = 0',
    ];
    const verdict = await verdictOf(lines);
    assert.deepEqual([verdict.result, verdict.family], ['pass', 'ipv4'], verdict.reason);
    const wrong = await verdictOf(['--ip_version=ipv5', ...lines.slice(1)]);
    assert.match(wrong.reason, /unknown IP version 'ipv5'/);
  });

  it('what the runner does not have is a skip, with the reason', async () => {
    for (const [line, reason] of [
      ['0 > udp (100)', /UDP packets/],
      ['0 cap_set(1, 2, 3) = 0', /cap_set\(\)/],
      ['--wire_client\n0 close(3) = 0', /--wire_client/],
      ['0 < gre: . 1:1(0) win 1', /gre encapsulation/],
    ] as const) {
      const verdict = await verdictOf([line]);
      assert.equal(verdict.result, 'skip', line);
      assert.match(verdict.reason, reason);
    }
  });

  it('a script that cannot be read fails with the line', async () => {
    assert.match(await failure(['0 close(3) = 0', '+0 close(']), /^line 2: value expected/);
    assert.match(await failure(['--nonsense', '0 close(3) = 0']), /unknown option --nonsense/);
    assert.match(await failure(['--mss=x', '0 close(3) = 0']), /number expected: --mss/);
  });
});
