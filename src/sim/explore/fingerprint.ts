import type { TcpConnection } from '../../tcp/connection.ts';
import type { Pair } from './pair.ts';
import type { Party } from './party.ts';

const OFF = Number.POSITIVE_INFINITY;

/**
 * Everything that decides how a pair goes on, as text: two states with the same fingerprint are one. Times are
 * relative to the clock of their host; figures that are only for people (TCP_INFO, counters) are left out.
 */
export function fingerprint(pair: Pair): string {
  return `${ofParty(pair.a)}|${ofParty(pair.b)}`;
}

function ofParty(party: Party): string {
  const { nowUs } = party.host;
  const { halfOpen, connection, channel } = party;
  const waiting =
    halfOpen === null ? '' : `${halfOpen.syn.key}:${halfOpen.dueUs - nowUs}:${halfOpen.retransmits}`;
  const timeWait = party.timeWaitUs === OFF ? '' : party.timeWaitUs - nowUs;
  const sent = channel
    .map(({ key }) => key)
    .sort()
    .join(';');
  const app = `${party.done},${party.written},${party.received},${party.sawEnd ? 1 : 0},${party.errno}`;
  return `${app}|${waiting}|${timeWait}|${connection === null ? '' : ofConnection(connection, nowUs)}|${sent}`;
}

function ofConnection(tcb: TcpConnection, nowUs: number): string {
  const ago = (us: number): number => (us === 0 ? -1 : nowUs - us);
  if (tcb.state === 'CLOSED' || tcb.state === 'TIME_WAIT')
    return [tcb.state, tcb.error, tcb.orphan, tcb.readable, tcb.eof, tcb.sndNxt, tcb.rcvNxt].join();
  return [
    tcb.state,
    bits(tcb.orphan, tcb.readShut, tcb.finQueued, tcb.finSeq !== null, tcb.finReceived, tcb.writeBlocked),
    bits(tcb.ackPending, tcb.ackNow, tcb.pingPong, tcb.cwndLimited, tcb.sack),
    [tcb.error, tcb.softError, tcb.caState, tcb.finSeq],
    [tcb.sndUna, tcb.sndNxt, tcb.sndWnd, tcb.sndWl1, tcb.maxSndWnd, tcb.queueSeq, tcb.writeSeq],
    [tcb.pushSeq, tcb.smallSeq, tcb.mss, tcb.rcvMss, tcb.nagle],
    [tcb.irs, tcb.rcvNxt, tcb.rcvWnd, tcb.rcvWup, tcb.copiedSeq, tcb.rcvSsthresh, tcb.readable],
    tcb.receiveQueue.sackRanges.map(({ start, end }) => `${start}/${end}`),
    [tcb.srtt8Us, tcb.rttvarUs, tcb.mdevUs, tcb.mdevMaxUs, tcb.rttSeq, tcb.rtoUs],
    [tcb.backoff, tcb.retransmits, ago(tcb.retransmitStampUs), tcb.probesOut, tcb.totalRetrans],
    [tcb.cwnd, tcb.ssthresh, tcb.cwndCount, tcb.highSeq, tcb.reordering, tcb.highSacked],
    [
      tcb.priorCwnd,
      tcb.prrDelivered,
      tcb.prrOut,
      tcb.maxPacketsOut,
      tcb.cwndUsageSeq,
      tcb.cwndUsed,
      ago(tcb.cwndStampUs),
    ],
    ...ofRecovery(tcb, ago),
    [tcb.quickAcks, tcb.atoUs, tcb.dsackStart, tcb.dsackEnd, ago(tcb.lastOutOfWindowAckUs)],
    [
      ago(tcb.lastSentUs),
      ago(tcb.lastReceivedUs),
      ago(tcb.lastAckReceivedUs),
      (nowUs - tcb.lastEmitStamp) | 0,
      tcb.lastEmitEnd,
    ],
    tcb.deadlines.map(dueUs => (dueUs === OFF ? '' : dueUs - nowUs)),
    flightOf(tcb, nowUs),
    writeQueueOf(tcb),
  ].join();
}

/** RACK, the tail loss probe, and what may still be undone. */
function ofRecovery(tcb: TcpConnection, ago: (us: number) => number): unknown[] {
  return [
    bits(
      tcb.rackAdvanced,
      tcb.reordered?.dsackSeen === true,
      tcb.undo !== null,
      tcb.frto,
      tcb.reorderingSeen > 0,
    ),
    [tcb.rackRttUs, tcb.reoWndSteps, tcb.reordered?.persist ?? 0, tcb.repair],
    [tcb.reordered?.delivered ? tcb.delivered - tcb.reordered.delivered : 0],
    [tcb.probeOut, tcb.probeSeq, tcb.dsackDups, tcb.minRttUs],
    [tcb.undo?.seq, tcb.undo?.retrans, ago(tcb.undoStampUs), tcb.priorSsthresh],
  ];
}

function writeQueueOf({ writeQueue }: TcpConnection): string {
  let text = '';
  for (let i = 0; i < writeQueue.length; i++) text += `;${writeQueue.at(i)?.end}:${writeQueue.at(i)?.marks}`;
  return text;
}

function flightOf(tcb: TcpConnection, nowUs: number): string {
  const { flight } = tcb;
  let text = `${flight.sackedOut}:${flight.lostOut}:${flight.retransOut}`;
  for (let i = 0; i < flight.packetsOut; i++) {
    const segment = flight.at(i);
    if (segment === undefined) continue;
    text += `;${segment.seq}:${segment.end}:${segment.marks}:${segment.attempts}:${nowUs - segment.sentUs}`;
    text += `:${segment.order - tcb.rackOrder}:${segment.delivered < 0 ? '' : tcb.delivered - segment.delivered}`;
  }
  return text;
}

function bits(...flags: boolean[]): number {
  return flags.reduce((sum, flag) => 2 * sum + (flag ? 1 : 0), 0);
}

/**
 * 53 bits of a text: two multiplicative hashes side by side. Among a million states, two that share a hash are to be
 * expected once in ten thousand runs; one of them would then not be looked at.
 */
export function hash53(text: string): number {
  let high = 0x2545f491 | 0;
  let low = 0x1b873593 | 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    high = Math.imul(high ^ code, 0x01000193);
    low = Math.imul(low + code, 0x5bd1e995);
    low ^= low >>> 15;
  }
  high = Math.imul(high ^ (high >>> 16), 0x7feb352d);
  low = Math.imul(low ^ (low >>> 13), 0x45d9f3b);
  high ^= low >>> 7;
  low ^= high >>> 11;
  return (high >>> 11) * 0x100000000 + (low >>> 0);
}
