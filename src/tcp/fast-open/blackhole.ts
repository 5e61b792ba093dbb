/**
 * Middleboxes that swallow Fast Open: some drop SYNs with data, some let the handshake pass and drop what follows. A
 * client that sees signs of it stops for a while, for all destinations, and for twice as long each time it
 * happens again (Linux's tcp_fastopen_blackhole_timeout_sec).
 * @module
 */
import { seqGt } from '../../base/seq.ts';
import type { Host } from '../../core/host.ts';
import type { Tcb } from '../tcb.ts';
import type { FastOpen } from './fast-open.ts';

/** The pause doubles this often at most. */
const DOUBLINGS_MAX = 6;
/** The third time-out in a row is a sign. */
const TIMEOUTS_BEFORE = 2;

/** Whether a stack's clients pause with Fast Open. */
export class FastOpenBlackhole {
  private readonly host: Host;
  /** How often it happened, and when last. */
  private times = 0;
  private sinceUs = 0;
  /** The sysctl as it was seen last: another value begins anew. */
  private timeoutSec: number;

  constructor(host: Host) {
    this.host = host;
    this.timeoutSec = host.sysctl.tcp_fastopen_blackhole_timeout_sec;
  }

  /** A sign was seen: the pause begins. */
  pause(): void {
    if (this.readTimeout() === 0) return;
    this.times++;
    this.sinceUs = this.host.nowUs;
    this.host.mib.TcpExt.TCPFastOpenBlackhole++;
  }

  /** All is well again. */
  end(): void {
    this.times = 0;
  }

  /** 'pause': no Fast Open now. 'trial': the pause is over, and what comes of the next one is looked at. */
  get state(): 'open' | 'pause' | 'trial' {
    const timeoutSec = this.readTimeout();
    if (timeoutSec === 0 || this.times === 0) return 'open';
    const pauseUs = timeoutSec * 2 ** Math.min(this.times - 1, DOUBLINGS_MAX) * 1e6;
    return this.host.nowUs - this.sinceUs < pauseUs ? 'pause' : 'trial';
  }

  private readTimeout(): number {
    const timeoutSec = this.host.sysctl.tcp_fastopen_blackhole_timeout_sec;
    if (timeoutSec !== this.timeoutSec) this.times = 0;
    this.timeoutSec = timeoutSec;
    return timeoutSec;
  }
}

/** A time-out: the third in a row is a sign, or an earlier one that ends the connection. `retransmits` before it. */
export function noteTimeout(tcb: Tcb, expired: boolean): void {
  const { fastOpen, retransmits, context } = tcb;
  if (fastOpen === null || !(fastOpen.asked || fastOpen.synData || fastOpen.synDataAcked)) return;
  if (retransmits !== TIMEOUTS_BEFORE && !(retransmits < TIMEOUTS_BEFORE && expired)) return;
  context.blackhole.pause();
  context.host.mib.TcpExt.TCPFastOpenActiveFail++;
}

/** A reset behind a hole: what came before it was swallowed. */
export function noteStrayReset(tcb: Tcb): void {
  if (tcb.fastOpen?.asked === true && tcb.dataSegsIn === 0 && tcb.state === 'ESTABLISHED')
    tcb.context.blackhole.pause();
}

/** Data with a FIN behind a hole, for a socket that was closed. */
export function noteStrayFin(tcb: Tcb): void {
  if (tcb.fastOpen?.asked === true) tcb.context.blackhole.pause();
}

/** The connection is over. A FIN behind a hole is all that came: a sign. Data after a pause: all is well again. */
export function noteEnd(tcb: Tcb, fastOpen: FastOpen): void {
  const { context } = tcb;
  if (!fastOpen.asked) return;
  if (tcb.dataSegsIn === 0) {
    if (tcb.finSeq !== null && !tcb.finReceived && seqGt(tcb.finSeq, tcb.rcvNxt)) context.blackhole.pause();
  } else if (fastOpen.afterPause && fastOpen.destination?.isLoopback === false) {
    context.blackhole.end();
  }
}
