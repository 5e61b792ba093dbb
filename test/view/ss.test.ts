import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatSockets, type SocketRow } from '../../src/view/ss.ts';

const plain = { recvQ: 0, sendQ: 0, timer: null, congestion: '', info: null };

test('a table of sockets, with the timers and tcp_info of those that have them', () => {
  const rows: SocketRow[] = [
    { ...plain, state: 'LISTEN', sendQ: 511, local: '10.0.0.2:65500', peer: '0.0.0.0:*' },
    {
      ...plain,
      state: 'ESTABLISHED',
      recvQ: 25,
      local: '10.0.0.1:35766',
      peer: '10.0.0.2:65500',
      timer: { name: 'keepalive', leftUs: 59_400_000, retransmits: 0 },
      congestion: 'cubic',
      info: {
        options: 7,
        snd_wscale: 7,
        rcv_wscale: 7,
        rto: 204_000,
        rtt: 150,
        rttvar: 75,
        snd_mss: 1448,
        snd_cwnd: 10,
        snd_ssthresh: 0x7fffffff,
        bytes_sent: 81,
        last_data_sent: 3,
        total_retrans: 2,
        min_rtt: 100,
      },
    },
    {
      ...plain,
      state: 'TIME_WAIT',
      local: '10.0.0.1:35764',
      peer: '10.0.0.2:65500',
      timer: { name: 'timewait', leftUs: 59_000_000, retransmits: 0 },
    },
  ];
  assert.deepEqual(formatSockets(rows), [
    'State     Recv-Q Send-Q Local Address:Port Peer Address:Port Process',
    'LISTEN    0      511        10.0.0.2:65500 0.0.0.0:*',
    'ESTAB     25     0          10.0.0.1:35766 10.0.0.2:65500    timer:(keepalive,59sec,0)',
    '\t ts sack cubic wscale:7,7 rto:204 rtt:0.15/0.075 mss:1448 cwnd:10 bytes_sent:81 send 772266667bps lastsnd:3 minrtt:0.1 retrans:0/2',
    'TIME-WAIT 0      0          10.0.0.1:35764 10.0.0.2:65500    timer:(timewait,59sec,0)',
  ]);
});

test('ECN, pacing and what BBR tells', () => {
  const info = {
    options: 27,
    rtt: 40_100,
    rttvar: 200,
    snd_mss: 1448,
    snd_cwnd: 692,
    pacing_rate: 14_750_000,
    max_pacing_rate: 20_000_000,
    delivery_rate: 11_940_000,
    delivery_rate_app_limited: 1,
    last_data_sent: 2,
    delivered: 5000,
    delivered_ce: 12,
    min_rtt: 40_000,
  };
  const model = { bw: 11_950_000, min_rtt: 40_000, pacing_gain: 320, cwnd_gain: 739 };
  const bbr = { ...plain, state: 'ESTABLISHED', local: 'a:1', peer: 'b:2', congestion: 'bbr', info, model };
  assert.equal(
    formatSockets([bbr])[2],
    '\t ts sack ecn ecnseen bbr rtt:40.1/0.2 mss:1448 cwnd:692 ' +
      'bbr:(bw:95600000bps,mrtt:40,pacing_gain:1.25,cwnd_gain:2.88672) send 199903441bps lastsnd:2 ' +
      'pacing_rate 118000000bps/160000000bps delivery_rate 95520000bps delivered:5000 delivered_ce:12 ' +
      'app_limited minrtt:40',
  );
  const unlimited = { ...bbr, info: { ...info, pacing_rate: 2 ** 64, max_pacing_rate: 2 ** 64 } };
  assert.doesNotMatch(formatSockets([unlimited])[2] ?? '', /pacing_rate/);
});

const LEFT: readonly [leftUs: number, shown: string][] = [
  [7_190_000_000, '119min'],
  [65_000_000, '1min5sec'],
  [59_900_000, '59sec'],
  [1_200_000, '1.200ms'],
  [1_000_000, '1sec'],
  [200_000, '200ms'],
  [40_000, '040ms'],
];

for (const [leftUs, shown] of LEFT) {
  test(`a timer that goes off in ${leftUs} µs shows ${shown}`, () => {
    const row: SocketRow = {
      ...plain,
      state: 'ESTABLISHED',
      local: 'a:1',
      peer: 'b:2',
      timer: { name: 'on', leftUs, retransmits: 1 },
    };
    assert.ok(formatSockets([row])[1]?.endsWith(`timer:(on,${shown},1)`));
  });
}

test('ss leaves out what it is not asked for, and says which protocol it is when there are several', () => {
  const row: SocketRow = {
    ...plain,
    state: 'ESTABLISHED',
    local: '10.0.0.1:35766',
    peer: '10.0.0.2:65500',
    timer: { name: 'on', leftUs: 200_000, retransmits: 0 },
    congestion: 'cubic',
    info: { rto: 204_000 },
  };
  const bare = formatSockets([row], { info: false, timer: false });
  assert.equal(bare.length, 2);
  assert.doesNotMatch(bare[1] ?? '', /timer|cubic/);
  const udp = { ...row, netid: 'udp', state: 'UNCONN', info: null, timer: null, congestion: '' };
  const both = formatSockets([udp, { ...row, netid: 'tcp' }], { info: false, netid: true });
  assert.match(both[0] ?? '', /^Netid State +Recv-Q Send-Q +Local Address:Port +Peer Address:Port +Process$/);
  assert.match(both[1] ?? '', /^udp {3}UNCONN /);
  assert.match(both[2] ?? '', /^tcp {3}.* timer:\(/);
});
