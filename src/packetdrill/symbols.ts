import * as errno from '../base/errno.ts';
import * as constants from '../socket/constants.ts';

/** Constants of Linux (x86-64) that scripts name and the socket calls here have no use for. */
const OTHERS: Record<string, number> = {
  PF_INET: constants.AF_INET,
  PF_INET6: constants.AF_INET6,
  AF_PACKET: 17,
  NULL: 0,
  IPPROTO_ICMPV6: 58,
  IPPROTO_IPV6: 41,
  IPPROTO_RAW: 255,
  SOL_IPV6: 41,
  // socket(7)
  SO_DEBUG: 1,
  SO_DONTROUTE: 5,
  SO_OOBINLINE: 10,
  SO_NO_CHECK: 11,
  SO_PRIORITY: 12,
  SO_BSDCOMPAT: 14,
  SO_PASSCRED: 16,
  SO_PEERCRED: 17,
  SO_RCVLOWAT: 18,
  SO_SNDLOWAT: 19,
  SO_BINDTODEVICE: 25,
  SO_ATTACH_FILTER: 26,
  SO_DETACH_FILTER: 27,
  SO_PEERNAME: 28,
  SO_PEERSEC: 31,
  SO_MARK: 36,
  SO_TIMESTAMPING: 37,
  SO_MAX_PACING_RATE: 47,
  SO_ZEROCOPY: 60,
  SCM_TIMESTAMPING: 37,
  SCM_TIMESTAMPING_OPT_STATS: 54,
  SCM_TSTAMP_SND: 0,
  SCM_TSTAMP_SCHED: 1,
  SCM_TSTAMP_ACK: 2,
  SO_EE_ORIGIN_TIMESTAMPING: 4,
  SO_EE_ORIGIN_ZEROCOPY: 5,
  SO_EE_CODE_ZEROCOPY_COPIED: 1,
  ...bits(
    'SOF_TIMESTAMPING_',
    'TX_HARDWARE TX_SOFTWARE RX_HARDWARE RX_SOFTWARE SOFTWARE SYS_HARDWARE RAW_HARDWARE OPT_ID TX_SCHED TX_ACK ' +
      'OPT_CMSG OPT_TSONLY OPT_STATS OPT_PKTINFO OPT_TX_SWHW BIND_PHC OPT_ID_TCP',
  ),
  // ip(7), ipv6(7)
  IP_FREEBIND: 15,
  IPV6_MTU_DISCOVER: 23,
  IPV6_MTU: 24,
  IPV6_RECVERR: 25,
  IPV6_HOPLIMIT: 52,
  IPV6_TCLASS: 67,
  // tcp(7)
  TCP_MD5SIG: 14,
  TCP_COOKIE_TRANSACTIONS: 15,
  TCP_THIN_LINEAR_TIMEOUTS: 16,
  TCP_THIN_DUPACK: 17,
  TCP_TIMESTAMP: 24,
  TCP_NOTSENT_LOWAT: 25,
  TCP_CC_INFO: 26,
  TCP_INQ: 36,
  TCP_CM_INQ: 36,
  TCP_TX_DELAY: 37,
  ...numbers(
    'TCP_NLA_',
    'PAD BUSY RWND_LIMITED SNDBUF_LIMITED DATA_SEGS_OUT TOTAL_RETRANS PACING_RATE DELIVERY_RATE SND_CWND REORDERING ' +
      'MIN_RTT RECUR_RETRANS DELIVERY_RATE_APP_LMT SNDQ_SIZE CA_STATE SND_SSTHRESH DELIVERED DELIVERED_CE BYTES_SENT ' +
      'BYTES_RETRANS DSACK_DUPS REORD_SEEN SRTT',
  ),
  TCP_INFINITE_SSTHRESH: 0x7fffffff,
  ...numbers('TCP_CA_', 'Open Disorder CWR Recovery Loss'),
  ...numbers('TCP_CA_', 'OPEN DISORDER CWR RECOVERY LOSS'),
  ...numbers(
    'TCP_',
    'ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT CLOSE CLOSE_WAIT LAST_ACK LISTEN CLOSING',
    1,
  ),
  ...bits('TCPI_OPT_', 'TIMESTAMPS SACK WSCALE ECN ECN_SEEN SYN_DATA USEC_TS TFO_CHILD'),
  // send(2), recv(2)
  MSG_PROXY: 0x10,
  MSG_FIN: 0x200,
  MSG_SYN: 0x400,
  MSG_RST: 0x1000,
  MSG_ZEROCOPY: 0x4000000,
  MSG_CMSG_CLOEXEC: 0x40000000,
  // open(2), fcntl(2), splice(2)
  O_RDONLY: 0,
  O_WRONLY: 1,
  O_ACCMODE: 3,
  O_CREAT: 0o100,
  O_EXCL: 0o200,
  O_NOCTTY: 0o400,
  O_TRUNC: 0o1000,
  O_APPEND: 0o2000,
  ...numbers('F_', 'DUPFD GETFD SETFD GETFL SETFL GETLK SETLK SETLKW SETOWN GETOWN SETSIG GETSIG'),
  ...bits('SPLICE_F_', 'MOVE NONBLOCK MORE GIFT'),
  // poll(2), epoll(7)
  POLLMSG: 0x400,
  POLLREMOVE: 0x1000,
  EPOLLRDBAND: 0x080,
  EPOLLWRBAND: 0x200,
  EPOLLMSG: 0x400,
};

/** Names that count up from `from`. */
function numbers(prefix: string, names: string, from = 0): Record<string, number> {
  return Object.fromEntries(names.split(' ').map((name, index) => [prefix + name, from + index]));
}

/** Names of bits, the lowest first. */
function bits(prefix: string, names: string): Record<string, number> {
  return Object.fromEntries(names.split(' ').map((name, index) => [prefix + name, 1 << index]));
}

/** ECONNREFUSED and the others, as SO_ERROR has them. */
const ERRORS = Object.fromEntries(
  Object.entries(errno).flatMap(([name, value]) => (typeof value === 'number' ? [[name, value]] : [])),
);

const SYMBOLS: Readonly<Record<string, number>> = { ...OTHERS, ...ERRORS, ...constants };

/** A constant of the socket calls; undefined when there is none of this name. */
export function constantOf(name: string): number | undefined {
  return Object.hasOwn(SYMBOLS, name) ? SYMBOLS[name] : undefined;
}
