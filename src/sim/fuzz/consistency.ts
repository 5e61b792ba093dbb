import { seqDiff } from '../../base/seq.ts';
import { TX_LOST, TX_RETRANS, TX_SACKED, type TxSegment } from '../../tcp/flight.ts';
import type { Tcb } from '../../tcp/tcb.ts';

/** What of a connection contradicts itself; null when nothing does. */
export function contradiction(tcb: Tcb): string | null {
  if (tcb.state === 'CLOSED' || tcb.state === 'TIME_WAIT') return null;
  const { sysctl } = tcb.context.host;
  const { flight } = tcb;
  const { cwnd, ssthresh, mss, rtoUs } = tcb;
  const facts: readonly (readonly [string, boolean])[] = [
    ['SND.UNA is not after SND.NXT', seqDiff(tcb.sndNxt, tcb.sndUna) >= 0],
    ['the window is at least one segment', Number.isInteger(cwnd) && cwnd >= 1],
    ['ssthresh is at least two segments', ssthresh >= 2],
    ['the MSS is one', Number.isInteger(mss) && mss >= 8 && mss <= 65535],
    ['the time-out is within its limits', rtoUs > 0 && rtoUs <= sysctl.tcp_rto_max_ms * 1000],
    ['not less than nothing is in the network', flight.inFlight >= 0],
    ['not more was SACKed or lost than sent', flight.sackedOut + flight.lostOut <= flight.packetsOut],
    ['the counts agree with the marks', !tcb.sack || countsAgree(tcb)],
    ['the receive queue is within its buffer', tcb.receiveQueue.readable <= tcb.rcvBuf],
    [
      'the ranges behind gaps are within their limit',
      tcb.receiveQueue.rangeCount <= sysctl.ethertype_ofo_ranges,
    ],
    ['the window offered is within the buffer', tcb.rcvWndLeft <= Math.max(tcb.rcvBuf, 65535)],
  ];
  const broken = facts.find(([, holds]) => !holds);
  return broken === undefined ? null : `${tcb.output.local} ${tcb.state}: not so that ${broken[0]}`;
}

function countsAgree({ flight }: Tcb): boolean {
  let sacked = 0;
  let lost = 0;
  let again = 0;
  for (let index = 0; index < flight.packetsOut; index++) {
    const { marks } = flight.at(index) as TxSegment;
    if ((marks & TX_SACKED) !== 0) sacked++;
    if ((marks & TX_LOST) !== 0) lost++;
    if ((marks & TX_RETRANS) !== 0) again++;
  }
  return sacked === flight.sackedOut && lost === flight.lostOut && again === flight.retransOut;
}
