import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as C from '../../src/socket/constants.ts';
import type { OptionValue } from '../../src/socket/options.ts';
import { out } from '../../src/socket/sockaddr.ts';
import { named, udpPair } from './fixture.ts';

/** Sets an option of a fresh socket and reads it back: the errno of setting, or what is read. */
function setThenGet(
  type: number,
  level: number,
  name: number,
  value: OptionValue,
): OptionValue | null | undefined {
  const { sysA } = udpPair();
  const fd = sysA.socket(C.AF_INET, type);
  const result = sysA.setsockopt(fd, level, name, value);
  if (result < 0) return named(result);
  const got = out<OptionValue>();
  const read = sysA.getsockopt(fd, level, name, got);
  return read < 0 ? named(read) : got.value;
}

type Case = [string, number, number, OptionValue, OptionValue];

const TCP: Case[] = [
  ['SO_RCVLOWAT up to half of the largest buffer', C.SOL_SOCKET, C.SO_RCVLOWAT, -1, 3145728],
  ['TCP_RTO_MIN_US in ticks', C.SOL_TCP, C.TCP_RTO_MIN_US, 4001, 5000],
  ['TCP_RTO_MIN_US below two ticks', C.SOL_TCP, C.TCP_RTO_MIN_US, 1000, 'EINVAL'],
  ['TCP_RTO_MIN_US above 200 ms', C.SOL_TCP, C.TCP_RTO_MIN_US, 200_001, 'EINVAL'],
  ['TCP_RTO_MAX_MS', C.SOL_TCP, C.TCP_RTO_MAX_MS, 1000, 1000],
  ['TCP_RTO_MAX_MS below a second', C.SOL_TCP, C.TCP_RTO_MAX_MS, 999, 'EINVAL'],
  ['TCP_RTO_MAX_MS above two minutes', C.SOL_TCP, C.TCP_RTO_MAX_MS, 120_001, 'EINVAL'],
  ['TCP_DELACK_MAX_US', C.SOL_TCP, C.TCP_DELACK_MAX_US, 20_000, 20_000],
  ['TCP_DELACK_MAX_US of 0', C.SOL_TCP, C.TCP_DELACK_MAX_US, 0, 'EINVAL'],
  ['TCP_THIN_LINEAR_TIMEOUTS', C.SOL_TCP, C.TCP_THIN_LINEAR_TIMEOUTS, 1, 1],
  ['TCP_THIN_LINEAR_TIMEOUTS is a flag', C.SOL_TCP, C.TCP_THIN_LINEAR_TIMEOUTS, 2, 'EINVAL'],
  ['TCP_NODELAY', C.SOL_TCP, C.TCP_NODELAY, 5, 1],
  ['TCP_NODELAY as a boolean', C.SOL_TCP, C.TCP_NODELAY, true, 1],
  ['TCP_CORK', C.SOL_TCP, C.TCP_CORK, 1, 1],
  ['TCP_MAXSEG', C.SOL_TCP, C.TCP_MAXSEG, 1000, 1000],
  ['TCP_MAXSEG unset', C.SOL_TCP, C.TCP_MAXSEG, 0, 536],
  ['TCP_MAXSEG too small', C.SOL_TCP, C.TCP_MAXSEG, 87, 'EINVAL'],
  ['TCP_KEEPIDLE', C.SOL_TCP, C.TCP_KEEPIDLE, 60, 60],
  ['TCP_KEEPIDLE of nothing', C.SOL_TCP, C.TCP_KEEPIDLE, 0, 'EINVAL'],
  ['TCP_KEEPIDLE too large', C.SOL_TCP, C.TCP_KEEPIDLE, 32768, 'EINVAL'],
  ['TCP_KEEPINTVL', C.SOL_TCP, C.TCP_KEEPINTVL, 61, 61],
  ['TCP_KEEPCNT', C.SOL_TCP, C.TCP_KEEPCNT, 127, 127],
  ['TCP_KEEPCNT too large', C.SOL_TCP, C.TCP_KEEPCNT, 128, 'EINVAL'],
  ['TCP_SYNCNT', C.SOL_TCP, C.TCP_SYNCNT, 2, 2],
  ['TCP_USER_TIMEOUT in ms', C.SOL_TCP, C.TCP_USER_TIMEOUT, 1500, 1500],
  ['TCP_USER_TIMEOUT below 0', C.SOL_TCP, C.TCP_USER_TIMEOUT, -1, 'EINVAL'],
  ['TCP_DEFER_ACCEPT, rounded up to a retransmission', C.SOL_TCP, C.TCP_DEFER_ACCEPT, 5, 7],
  ['TCP_DEFER_ACCEPT off', C.SOL_TCP, C.TCP_DEFER_ACCEPT, 0, 0],
  ['TCP_LINGER2', C.SOL_TCP, C.TCP_LINGER2, 10, 10],
  ['TCP_LINGER2 up to two minutes', C.SOL_TCP, C.TCP_LINGER2, 121, 120],
  ['TCP_LINGER2 of 0: the default', C.SOL_TCP, C.TCP_LINGER2, 0, 60],
  ['TCP_LINGER2 below 0: none', C.SOL_TCP, C.TCP_LINGER2, -5, -1],
  ['TCP_WINDOW_CLAMP, at least half the smallest buffer', C.SOL_TCP, C.TCP_WINDOW_CLAMP, 10, 1152],
  ['TCP_QUICKACK', C.SOL_TCP, C.TCP_QUICKACK, 0, 0],
  ['TCP_CONGESTION', C.SOL_TCP, C.TCP_CONGESTION, 'reno', 'reno'],
  ['TCP_CONGESTION, by a model', C.SOL_TCP, C.TCP_CONGESTION, 'bbr', 'bbr'],
  ['SO_MAX_PACING_RATE', C.SOL_SOCKET, C.SO_MAX_PACING_RATE, 3_000_000_000, 3_000_000_000],
  ['SO_MAX_PACING_RATE without a limit', C.SOL_SOCKET, C.SO_MAX_PACING_RATE, 0xffffffff, 0xffffffff],
  ['SO_MAX_PACING_RATE below 0: no limit', C.SOL_SOCKET, C.SO_MAX_PACING_RATE, -1, 0xffffffff],
  ['SO_MAX_PACING_RATE as text', C.SOL_SOCKET, C.SO_MAX_PACING_RATE, 'fast', 'EINVAL'],
  ['TCP_CC_INFO is for reading', C.SOL_TCP, C.TCP_CC_INFO, 1, 'ENOPROTOOPT'],
  ['TCP_CONGESTION of an unknown name', C.SOL_TCP, C.TCP_CONGESTION, 'vegas2000', 'ENOENT'],
  ['TCP_CONGESTION as a number', C.SOL_TCP, C.TCP_CONGESTION, 1, 'EINVAL'],
  ['TCP_INFO is for reading', C.SOL_TCP, C.TCP_INFO, 1, 'ENOPROTOOPT'],
  ['IP_TOS keeps the ECN bits of a stream', C.SOL_IP, C.IP_TOS, 0x13, 0x10],
];

const UDP: Case[] = [
  ['SO_MAX_PACING_RATE is for streams', C.SOL_SOCKET, C.SO_MAX_PACING_RATE, 1000, 'ENOPROTOOPT'],
  ['IP_TOS', C.SOL_IP, C.IP_TOS, 0x13, 0x13],
  ['IP_TTL', C.SOL_IP, C.IP_TTL, 1, 1],
  ['IP_TTL of -1: the default', C.SOL_IP, C.IP_TTL, -1, 64],
  ['IP_TTL of 0', C.SOL_IP, C.IP_TTL, 0, 'EINVAL'],
  ['IP_TTL of 256', C.SOL_IP, C.IP_TTL, 256, 'EINVAL'],
  ['IP_MTU_DISCOVER', C.SOL_IP, C.IP_MTU_DISCOVER, C.IP_PMTUDISC_DO, C.IP_PMTUDISC_DO],
  ['IP_MTU_DISCOVER of 9', C.SOL_IP, C.IP_MTU_DISCOVER, 9, 'EINVAL'],
  ['a TCP option', C.SOL_TCP, C.TCP_NODELAY, 1, 'ENOPROTOOPT'],
];

const BOTH: Case[] = [
  ['SO_BROADCAST', C.SOL_SOCKET, C.SO_BROADCAST, 1, 1],
  ['SO_KEEPALIVE', C.SOL_SOCKET, C.SO_KEEPALIVE, 2, 1],
  ['IP_MTU_DISCOVER', C.SOL_IP, C.IP_MTU_DISCOVER, C.IP_PMTUDISC_OMIT, C.IP_PMTUDISC_OMIT],
  ['SO_RCVBUF below 0 is a huge number', C.SOL_SOCKET, C.SO_RCVBUF, -1, 8388608],
  ['SO_REUSEADDR', C.SOL_SOCKET, C.SO_REUSEADDR, 1, 1],
  ['SO_REUSEPORT', C.SOL_SOCKET, C.SO_REUSEPORT, 7, 1],
  ['SO_RCVBUF is doubled', C.SOL_SOCKET, C.SO_RCVBUF, 50000, 100000],
  ['SO_RCVBUF up to rmem_max', C.SOL_SOCKET, C.SO_RCVBUF, 10e6, 8388608],
  ['SO_RCVBUF down to one packet', C.SOL_SOCKET, C.SO_RCVBUF, 1, 2304],
  ['SO_SNDBUF down to two packets', C.SOL_SOCKET, C.SO_SNDBUF, 0, 4608],
  ['SO_SNDBUF up to wmem_max', C.SOL_SOCKET, C.SO_SNDBUF, 10e6, 8388608],
  ['SO_RCVLOWAT', C.SOL_SOCKET, C.SO_RCVLOWAT, 300, 300],
  ['SO_RCVLOWAT of 0 is 1', C.SOL_SOCKET, C.SO_RCVLOWAT, 0, 1],
  [
    'SO_RCVTIMEO',
    C.SOL_SOCKET,
    C.SO_RCVTIMEO,
    { tv_sec: 1, tv_usec: 500000 },
    { tv_sec: 1, tv_usec: 500000 },
  ],
  [
    'SO_SNDTIMEO of 0 is none',
    C.SOL_SOCKET,
    C.SO_SNDTIMEO,
    { tv_sec: 0, tv_usec: 0 },
    { tv_sec: 0, tv_usec: 0 },
  ],
  [
    'SO_RCVTIMEO with too many microseconds',
    C.SOL_SOCKET,
    C.SO_RCVTIMEO,
    { tv_sec: 0, tv_usec: 1e6 },
    'EDOM',
  ],
  ['SO_RCVTIMEO as a number', C.SOL_SOCKET, C.SO_RCVTIMEO, 5, 'EINVAL'],
  ['SO_RCVTIMEO of null', C.SOL_SOCKET, C.SO_RCVTIMEO, null as unknown as OptionValue, 'EINVAL'],
  ['SO_LINGER of null', C.SOL_SOCKET, C.SO_LINGER, null as unknown as OptionValue, 'EINVAL'],
  ['SO_LINGER', C.SOL_SOCKET, C.SO_LINGER, { l_onoff: 9, l_linger: 3 }, { l_onoff: 1, l_linger: 3 }],
  ['SO_LINGER without its struct', C.SOL_SOCKET, C.SO_LINGER, 1, 'EINVAL'],
  ['SO_REUSEADDR as text', C.SOL_SOCKET, C.SO_REUSEADDR, '1', 'EINVAL'],
  ['SO_REUSEADDR as a fraction', C.SOL_SOCKET, C.SO_REUSEADDR, 0.5, 'EINVAL'],
  ['SO_TYPE is for reading', C.SOL_SOCKET, C.SO_TYPE, 1, 'ENOPROTOOPT'],
  ['SO_RCVBUFFORCE is for writing', C.SOL_SOCKET, C.SO_RCVBUFFORCE, 1e6, 'ENOPROTOOPT'],
  ['an unknown option', C.SOL_SOCKET, 999, 1, 'ENOPROTOOPT'],
  ['an unknown level', 999, 1, 1, 'ENOPROTOOPT'],
];

function table(title: string, type: number, cases: Case[]): void {
  describe(title, () => {
    for (const [what, level, name, value, expected] of cases) {
      it(what, () => assert.deepEqual(setThenGet(type, level, name, value), expected));
    }
  });
}

table('options of a stream', C.SOCK_STREAM, [...TCP, ...BOTH]);
table('options of a datagram socket', C.SOCK_DGRAM, [...UDP, ...BOTH]);

describe('options', () => {
  it('that tell what a socket is', () => {
    const { sysA } = udpPair();
    const fd = sysA.socket(C.AF_INET, C.SOCK_STREAM);
    const got = (name: number): OptionValue | null => {
      const value = out<OptionValue>();
      sysA.getsockopt(fd, C.SOL_SOCKET, name, value);
      return value.value;
    };
    const names = [C.SO_TYPE, C.SO_DOMAIN, C.SO_PROTOCOL, C.SO_ACCEPTCONN, C.SO_ERROR];
    assert.deepEqual(names.map(got), [C.SOCK_STREAM, C.AF_INET, C.IPPROTO_TCP, 0, 0]);
  });

  it('of an unknown level: setting and getting say it differently, as in Linux', () => {
    const { sysA } = udpPair();
    const fd = sysA.socket(C.AF_INET, C.SOCK_DGRAM);
    const value = out<OptionValue>();
    assert.equal(named(sysA.setsockopt(fd, C.SOL_TCP, C.TCP_NODELAY, 1)), 'ENOPROTOOPT');
    assert.equal(named(sysA.getsockopt(fd, C.SOL_TCP, C.TCP_NODELAY, value)), 'EOPNOTSUPP');
    assert.equal(named(sysA.getsockopt(fd, C.SOL_SOCKET, 999, value)), 'ENOPROTOOPT');
    assert.equal(named(sysA.getsockopt(fd, C.SOL_SOCKET, C.SO_TYPE, null as never)), 'EFAULT');
  });

  it('IP_MTU needs a connected socket', () => {
    const { sysA } = udpPair();
    const fd = sysA.socket(C.AF_INET, C.SOCK_DGRAM);
    const value = out<OptionValue>();
    assert.equal(named(sysA.getsockopt(fd, C.SOL_IP, C.IP_MTU, value)), 'ENOTCONN');
    sysA.connect(fd, { address: '10.0.0.2', port: 1 });
    assert.equal(sysA.getsockopt(fd, C.SOL_IP, C.IP_MTU, value), 0);
    assert.equal(value.value, 1500);
  });

  it('of one socket leave others alone', () => {
    const { sysA } = udpPair();
    const [one, two] = [0, 1].map(() => sysA.socket(C.AF_INET, C.SOCK_STREAM)) as [number, number];
    sysA.setsockopt(one, C.SOL_TCP, C.TCP_NODELAY, 1);
    sysA.setsockopt(one, C.SOL_SOCKET, C.SO_REUSEADDR, 1);
    const value = out<OptionValue>();
    sysA.getsockopt(two, C.SOL_TCP, C.TCP_NODELAY, value);
    assert.equal(value.value, 0);
    sysA.getsockopt(two, C.SOL_SOCKET, C.SO_REUSEADDR, value);
    assert.equal(value.value, 0);
  });
});
