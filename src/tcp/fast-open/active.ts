/**
 * TCP Fast Open, the client's side (RFC 7413 section 4.2): data goes with the SYN to a server whose cookie is known;
 * another one is asked for its cookie.
 * @module
 */
import { changeState } from '../change-state.ts';
import { updateMss } from '../mss.ts';
import { sendSyn } from '../open.ts';
import { selectInitialWindow } from '../receive/window.ts';
import { markLostWithoutCongestion } from '../recovery/recovery.ts';
import type { Segment } from '../segment.ts';
import type { Tcb } from '../tcb.ts';
import {
  COOKIE_UNAVAILABLE,
  DATA_NOT_ACKED,
  FAST_OPEN_CLIENT_NO_COOKIE,
  FastOpen,
  type FastOpenCookie,
  type FastOpenDestination,
  SYN_RETRANSMITTED,
} from './fast-open.ts';

/** Room that is left to middleboxes which add options of their own, in bytes (Linux's MAX_TCP_OPTION_SPACE). */
const OPTION_SPACE = 40;
const REQUEST: Uint8Array = new Uint8Array(0);

/** What may go with a SYN: data or not, and which option; null for none. */
interface Permission {
  readonly data: boolean;
  readonly cookie: FastOpenCookie | null;
}

/**
 * connect(2) with TCP_FASTOPEN_CONNECT. True when data may go with the SYN: then nothing is sent until there is
 * some. False, and nothing has happened, when the server has to be asked for a cookie first.
 */
export function deferOpen(tcb: Tcb, destination: FastOpenDestination): boolean {
  const fastOpen = new FastOpen(destination);
  if (!permission(tcb, fastOpen).data) return false;
  fastOpen.deferred = true;
  tcb.fastOpen = fastOpen;
  selectInitialWindow(tcb);
  changeState(tcb, 'active open');
  return true;
}

/**
 * OPEN, active, with data: sends the SYN with what it can take of bytes[start, end) and returns how many bytes that is.
 * 0 when the server has to be asked for a cookie: the data is to be written once the connection stands.
 */
export function openFast(
  tcb: Tcb,
  destination: FastOpenDestination,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  const fastOpen = tcb.fastOpen ?? new FastOpen(destination);
  if (!fastOpen.deferred) {
    selectInitialWindow(tcb);
    changeState(tcb, 'active open');
  }
  fastOpen.deferred = false;
  tcb.fastOpen = fastOpen;
  const { data, cookie } = permission(tcb, fastOpen);
  let length = 0;
  if (data) {
    tcb.peerMss = destination.recall()?.mss || tcb.advMss;
    updateMss(tcb);
    length = Math.min(Math.max(tcb.mss - OPTION_SPACE, 0), end - start);
    tcb.sendQueue.append(bytes, start, start + length);
    tcb.pushSeq = tcb.writeSeq;
  }
  fastOpen.synData = length > 0;
  fastOpen.asked = sendSyn(tcb, cookie, length) && cookie !== null;
  fastOpen.experimental = cookie?.experimental === true;
  return length;
}

/** Linux's tcp_fastopen_cookie_check. */
function permission(tcb: Tcb, fastOpen: FastOpen): Permission {
  const { blackhole, host } = tcb.context;
  const { state } = blackhole;
  if (state === 'pause') return { data: false, cookie: null };
  fastOpen.afterPause = state === 'trial';
  if ((host.sysctl.tcp_fastopen & FAST_OPEN_CLIENT_NO_COOKIE) !== 0 || tcb.settings.fastOpenNoCookie)
    return { data: true, cookie: null };
  const metrics = fastOpen.destination?.recall() ?? null;
  const cookie = metrics?.cookie ?? null;
  if (cookie !== null) return { data: true, cookie };
  fastOpen.clientFail = COOKIE_UNAVAILABLE;
  return { data: false, cookie: { bytes: REQUEST, experimental: metrics?.tryExperimental === 1 } };
}

/**
 * The SYN-ACK has come and was processed: remembers what it says, and sends data that the server did not take again
 * at once (RFC 7413 section 4.2.2; Linux's tcp_rcv_fastopen_synack). Whether text that came with it counts.
 */
export function synAckArrived(tcb: Tcb, fastOpen: FastOpen, segment: Segment): boolean {
  const { TcpExt } = tcb.context.host.mib;
  if (!fastOpen.asked && !fastOpen.synData) return false;
  const refused = fastOpen.synData && tcb.flight.packetsOut > 0;
  remember(tcb, fastOpen, segment);
  if (refused) {
    fastOpen.clientFail = tcb.totalRetrans > 0 ? SYN_RETRANSMITTED : DATA_NOT_ACKED;
    markLostWithoutCongestion(tcb, 0);
    TcpExt.TCPFastOpenActiveFail++;
    return false;
  }
  fastOpen.synDataAcked = fastOpen.synData;
  if (fastOpen.synData) {
    TcpExt.TCPFastOpenActive++;
    // SYN and data lie in the flight as two, and were one segment on the wire.
    if (tcb.delivered > 1) tcb.delivered--;
  }
  return true;
}

/** What a SYN-ACK tells of a server: its MSS, a cookie, or that it gives none. */
function remember(tcb: Tcb, fastOpen: FastOpen, { options }: Segment): void {
  const entry = fastOpen.destination?.learn();
  if (entry === undefined) return;
  // A cookie that nobody asked for says nothing.
  const length = fastOpen.asked ? options.cookieLength : -1;
  entry.mss = options.mss > 0 ? options.mss : tcb.peerMss;
  if (length > 0)
    entry.cookie = { bytes: options.cookie.slice(0, length), experimental: options.cookieExperimental };
  const inVain = fastOpen.asked && length < 0 && tcb.totalRetrans === 0 && !fastOpen.synData;
  const next = fastOpen.experimental ? 2 : 1;
  if (inVain && entry.cookie === null && next > entry.tryExperimental) entry.tryExperimental = next;
}

/** Whether a SYN with data is out: as two in the flight, and one packet on the way. */
export function isSynDataOut(tcb: Tcb): boolean {
  return tcb.state === 'SYN_SENT' && tcb.fastOpen !== null && tcb.fastOpen.synData;
}
