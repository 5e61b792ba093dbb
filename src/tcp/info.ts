import { seqDiff } from '../base/seq.ts';
import { TcpConnection } from './connection.ts';
import type { TcpContext } from './context.ts';
import { ECN_OK, ECN_SEEN } from './ecn.ts';
import { CHRONO_BUSY, CHRONO_RWND_LIMITED, CHRONO_SNDBUF_LIMITED, chronoUs } from './send/chrono.ts';
import { pacingRate } from './send/pacing.ts';
import { deliveryRate } from './send/rate-sample.ts';
import { DELAYED_ACK_MAX_US, type TcpSettings } from './settings.ts';
import { linuxState } from './state.ts';
import type { Tcb, TcpOutput } from './tcb.ts';
import {
  TIMER_COMPRESSED_ACK,
  TIMER_DELAYED_ACK,
  TIMER_FIN_WAIT_2,
  TIMER_KEEPALIVE,
  TIMER_LOSS_PROBE,
  TIMER_PERSIST,
  TIMER_REORDER,
  TIMER_RETRANSMIT,
  timerDue,
} from './timers.ts';

/**
 * TCP_INFO: Linux's struct tcp_info by its field names without their prefix; times in microseconds, or milliseconds
 * where Linux has them.
 */
export interface TcpInfo {
  state: number;
  /** 0 Open, 1 Disorder, 2 CWR, 3 Recovery, 4 Loss. */
  ca_state: number;
  retransmits: number;
  probes: number;
  backoff: number;
  /**
   * 1 timestamps, 2 SACK, 4 window scaling, 8 ECN, 16 the peer has sent something ECN-capable, 32 data with the SYN was
   * taken, 128 made by a Fast Open cookie.
   */
  options: number;
  snd_wscale: number;
  rcv_wscale: number;
  rto: number;
  ato: number;
  snd_mss: number;
  rcv_mss: number;
  unacked: number;
  sacked: number;
  lost: number;
  retrans: number;
  last_data_sent: number;
  last_data_recv: number;
  last_ack_recv: number;
  pmtu: number;
  rcv_ssthresh: number;
  rtt: number;
  rttvar: number;
  snd_ssthresh: number;
  snd_cwnd: number;
  advmss: number;
  reordering: number;
  rcv_rtt: number;
  rcv_space: number;
  total_retrans: number;
  bytes_acked: number;
  bytes_received: number;
  segs_out: number;
  segs_in: number;
  notsent_bytes: number;
  min_rtt: number;
  data_segs_in: number;
  /** Segments that came out of order. */
  rcv_ooopack: number;
  data_segs_out: number;
  bytes_sent: number;
  bytes_retrans: number;
  /** Bytes a second that the path has delivered lately, and whether the user was the limit then. */
  delivery_rate: number;
  delivery_rate_app_limited: number;
  /**
   * Bytes a second at which data is meant to leave, and SO_MAX_PACING_RATE; 2^64 (as near as a number comes) while
   * there is no limit.
   */
  pacing_rate: number;
  max_pacing_rate: number;
  /** Microseconds for which there was something to send; of these, for which only the peer's window or a full send
   * buffer held it back. */
  busy_time: number;
  rwnd_limited: number;
  sndbuf_limited: number;
  snd_wnd: number;
  rcv_wnd: number;
  /** Segments that are known to have arrived, each time they were sent. */
  delivered: number;
  /** Of these, what was acknowledged with an ECN echo. */
  delivered_ce: number;
  /** Segments that arrived twice, by D-SACK. */
  dsack_dups: number;
  /** How often something arrived out of order. */
  reord_seen: number;
  /** Retransmission time-outs, recoveries that began with one, and the milliseconds those took. */
  total_rto: number;
  total_rto_recoveries: number;
  total_rto_time: number;
  /** Why data did not go with the SYN: 0 it did, 1 no cookie, 2 not acknowledged, 3 the SYN was sent again. */
  fastopen_client_fail: number;
}

/** The timer that `ss -o` shows. */
export interface RunningTimer {
  /** 'on' is the timer of what is in flight (transmit-timer.ts), 'unknown' any other. */
  readonly name: 'on' | 'keepalive' | 'persist' | 'unknown';
  /** When it is due, in microseconds. */
  readonly dueUs: number;
}

/** What a connection would send goes nowhere. */
const NOWHERE: TcpOutput = {
  local: '',
  remote: '',
  burstMax: 0,
  isBusy: () => false,
  emit: () => true,
  ready: () => {},
  ended: () => {},
  confirmed: () => {},
};

/** TCP_INFO of a socket that has no connection: what a fresh one would begin with. */
export function idleTcpInfo(context: TcpContext, settings: TcpSettings, listens: boolean): TcpInfo {
  const tcb = new TcpConnection(context, NOWHERE, settings, 0, 0, 20);
  return { ...tcpInfo(tcb), state: linuxState(listens ? 'LISTEN' : 'CLOSED') };
}

/** What Linux says for no limit: all bits of 64. */
const NO_LIMIT = 2 ** 64;

const CA_STATES = ['Open', 'Disorder', 'CWR', 'Recovery', 'Loss'];

/** STATUS (RFC 9293 section 3.10.6): what is known of a connection now. Names without the prefix tcpi_. */
export function tcpInfo(tcb: Tcb): TcpInfo {
  const { nowUs, flight } = tcb;
  const rwndLimitedUs = chronoUs(tcb, CHRONO_RWND_LIMITED);
  const sndbufLimitedUs = chronoUs(tcb, CHRONO_SNDBUF_LIMITED);
  return {
    // What waits in TIME_WAIT has no socket; the socket sees that all is over.
    state: linuxState(tcb.state === 'TIME_WAIT' ? 'CLOSED' : tcb.state),
    ca_state: CA_STATES.indexOf(tcb.caState),
    retransmits: tcb.retransmits,
    probes: tcb.probesOut,
    backoff: tcb.backoff,
    options: optionBits(tcb),
    snd_wscale: tcb.sndWscale,
    rcv_wscale: tcb.windowScaling ? tcb.rcvWscale : 0,
    rto: tcb.rtoUs,
    ato: Math.min(tcb.atoUs, DELAYED_ACK_MAX_US),
    snd_mss: tcb.mss,
    rcv_mss: tcb.rcvMss,
    unacked: flight.packetsOut,
    sacked: flight.sackedOut,
    lost: flight.lostOut,
    retrans: flight.retransOut,
    last_data_sent: sinceMs(nowUs, tcb.lastSentUs),
    last_data_recv: sinceMs(nowUs, tcb.lastReceivedUs),
    last_ack_recv: sinceMs(nowUs, tcb.lastAckReceivedUs),
    pmtu: tcb.pathMtu,
    rcv_ssthresh: tcb.rcvSsthresh,
    rtt: tcb.srttUs,
    rttvar: tcb.mdevUs >> 2,
    snd_ssthresh: tcb.ssthresh,
    snd_cwnd: tcb.cwnd,
    advmss: tcb.advMss,
    reordering: tcb.reordering,
    rcv_rtt: Math.floor(tcb.rcvRttUs),
    rcv_space: tcb.rcvSpace,
    total_retrans: tcb.totalRetrans,
    bytes_acked: tcb.bytesAcked,
    bytes_received: tcb.bytesReceived,
    segs_out: tcb.segsOut,
    segs_in: tcb.segsIn,
    notsent_bytes: tcb.unsent,
    min_rtt: tcb.minRttUs,
    data_segs_in: tcb.dataSegsIn,
    rcv_ooopack: tcb.rcvOooPack,
    data_segs_out: tcb.dataSegsOut,
    bytes_sent: tcb.bytesSent,
    bytes_retrans: tcb.bytesRetrans,
    delivery_rate: deliveryRate(tcb),
    delivery_rate_app_limited: Number(tcb.rateAppLimited),
    pacing_rate: Math.min(Math.floor(pacingRate(tcb)), NO_LIMIT),
    max_pacing_rate: Math.min(tcb.maxPacingRate, NO_LIMIT),
    busy_time: rwndLimitedUs + sndbufLimitedUs + chronoUs(tcb, CHRONO_BUSY),
    rwnd_limited: rwndLimitedUs,
    sndbuf_limited: sndbufLimitedUs,
    snd_wnd: tcb.sndWnd,
    rcv_wnd: tcb.rcvWnd,
    delivered: tcb.delivered,
    delivered_ce: tcb.deliveredCe,
    dsack_dups: tcb.dsackDups,
    reord_seen: tcb.reorderingSeen,
    total_rto: tcb.timeouts?.count ?? 0,
    total_rto_recoveries: tcb.timeouts?.recoveries ?? 0,
    total_rto_time: Math.floor((tcb.timeouts?.repairUs ?? 0) / 1000),
    fastopen_client_fail: tcb.fastOpen?.clientFail ?? 0,
  };
}

/** Bits of tcpi_options: data with the SYN was taken; made by a Fast Open cookie. */
const OPTION_SYN_DATA = 32;
const OPTION_FAST_OPEN_CHILD = 128;

function optionBits(tcb: Tcb): number {
  const { fastOpen } = tcb;
  const synData = fastOpen?.synDataAcked === true ? OPTION_SYN_DATA : 0;
  const child = fastOpen !== null && fastOpen.destination === null ? OPTION_FAST_OPEN_CHILD : 0;
  const scaled = tcb.windowScaling;
  const ecn = ((tcb.ecnFlags & ECN_OK) !== 0 ? 8 : 0) | ((tcb.ecnFlags & ECN_SEEN) !== 0 ? 16 : 0);
  return (tcb.timestamps ? 1 : 0) | (tcb.sack ? 2 : 0) | (scaled ? 4 : 0) | ecn | synData | child;
}

function sinceMs(nowUs: number, thenUs: number): number {
  return thenUs === 0 ? 0 : Math.floor((nowUs - thenUs) / 1000);
}

/** The timer that `ss -o` shows: retransmission before the others, keepalive last; null when none is set. */
export function runningTimer(tcb: Tcb): RunningTimer | null {
  for (const [kind, name] of TIMERS_SHOWN) {
    const dueUs = timerDue(tcb, kind);
    if (dueUs !== Number.POSITIVE_INFINITY) return { name, dueUs };
  }
  return null;
}

const TIMERS_SHOWN = [
  [TIMER_RETRANSMIT, 'on'],
  [TIMER_LOSS_PROBE, 'on'],
  [TIMER_REORDER, 'on'],
  [TIMER_PERSIST, 'persist'],
  [TIMER_DELAYED_ACK, 'unknown'],
  [TIMER_COMPRESSED_ACK, 'unknown'],
  [TIMER_FIN_WAIT_2, 'unknown'],
  [TIMER_KEEPALIVE, 'keepalive'],
] as const;

/** Bytes that the peer has not acknowledged (SIOCOUTQ). */
export function outQueue(tcb: Tcb): number {
  return seqDiff(tcb.writeSeq, tcb.sndUna) > 0 ? tcb.sendQueue.length : 0;
}
