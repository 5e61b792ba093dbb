/**
 * What must hold in every state that the explorer reaches, and when a pair has come to rest.
 * @module
 */
import { seqDiff, seqGt, seqLe } from '../../base/seq.ts';
import type { TcpConnection } from '../../tcp/connection.ts';
import { TX_LOST, TX_RETRANS, TX_SACKED } from '../../tcp/flight.ts';
import { isTransmitTimerSet } from '../../tcp/recovery/transmit-timer.ts';
import { isTimerSet, TIMER_PERSIST } from '../../tcp/timers.ts';
import { demand } from '../violation.ts';
import type { Pair } from './pair.ts';
import type { Party } from './party.ts';

/** Demands of a state whatever led to it. Changes of state that are no arrow are asserted by the code itself. */
export function checkState(pair: Pair): void {
  checkParty(pair.a, pair.b);
  checkParty(pair.b, pair.a);
}

/** Demands of a state in which nothing can happen any more. */
export function checkRest(pair: Pair): void {
  checkEnd(pair.a, pair.b);
  checkEnd(pair.b, pair.a);
  if (pair.a.sawEnd && pair.b.sawEnd) {
    demand(pair.a.received === pair.b.written, () => `A read '${pair.a.received}' of '${pair.b.written}'`);
    demand(pair.b.received === pair.a.written, () => `B read '${pair.b.received}' of '${pair.a.written}'`);
  }
}

function checkParty(party: Party, peer: Party): void {
  const { local, connection: tcb } = party;
  demand(
    peer.written.startsWith(party.received),
    () => `${local} read '${party.received}', but '${peer.written}' was written`,
  );
  demand(
    !party.sawEnd || party.received === peer.written,
    () => `${local} read the end of the stream too early`,
  );
  if (tcb === null) return;
  demand(seqLe(tcb.sndUna, tcb.sndNxt), () => `${local}: SND.UNA is beyond SND.NXT`);
  if (party.over) {
    const held = tcb.flight.packetsOut + tcb.sendQueue.length + (tcb.heapIndex >= 0 ? 1 : 0);
    demand(held === 0, () => `${local}: ${tcb.state}, but a segment, data or a timer is left`);
    return;
  }
  checkFlight(local, tcb);
  checkQueue(local, tcb);
  checkAgainstPeer(local, tcb, peer);
}

/** The flight covers what is not acknowledged without a gap, its counts are right, and a timer watches over it. */
function checkFlight(local: string, tcb: TcpConnection): void {
  const { flight } = tcb;
  let at = flight.head?.seq ?? tcb.sndNxt;
  let lost = 0;
  let retrans = 0;
  let sacked = 0;
  for (let i = 0; i < flight.packetsOut; i++) {
    const segment = flight.at(i);
    if (segment === undefined) continue;
    demand(segment.seq === at && seqGt(segment.end, at), () => `${local}: a gap in the flight`);
    at = segment.end;
    if ((segment.marks & TX_LOST) !== 0) lost++;
    if ((segment.marks & TX_RETRANS) !== 0) retrans++;
    if ((segment.marks & TX_SACKED) !== 0) sacked++;
  }
  demand(at === tcb.sndNxt, () => `${local}: the flight does not reach SND.NXT`);
  demand(
    flight.packetsOut > 0 === (tcb.sndUna !== tcb.sndNxt),
    () => `${local}: the flight is not what is unacknowledged`,
  );
  demand(lost === flight.lostOut, () => `${local}: ${flight.lostOut} segments counted lost, ${lost} are`);
  demand(
    retrans === flight.retransOut,
    () => `${local}: ${flight.retransOut} counted sent again, ${retrans} are`,
  );
  demand(
    !tcb.sack || sacked === flight.sackedOut,
    () => `${local}: ${flight.sackedOut} counted SACKed, ${sacked} are`,
  );
  demand(flight.inFlight >= 0, () => `${local}: ${flight.inFlight} segments in the network`);
  const watched = isTransmitTimerSet(tcb) || isTimerSet(tcb, TIMER_PERSIST);
  const waits = flight.packetsOut > 0 || (tcb.unsent > 0 && tcb.state !== 'SYN_SENT');
  demand(
    !waits || watched,
    () => `${local}: something waits to be acknowledged or sent, and no timer is set`,
  );
}

function checkQueue(local: string, tcb: TcpConnection): void {
  const unread = seqDiff(tcb.rcvNxt, tcb.copiedSeq) - (tcb.finReceived ? 1 : 0);
  const known = tcb.state !== 'SYN_SENT' && !tcb.orphan;
  demand(
    !known || unread === tcb.readable,
    () => `${local}: ${tcb.readable} bytes to read, should be ${unread}`,
  );
  const armedUs = tcb.context.host.timers.dueOf(tcb);
  demand(armedUs <= Math.min(...tcb.deadlines), () => `${local}: a deadline earlier than the armed timer`);
}

/** Nobody knows more of the other than is true. */
function checkAgainstPeer(local: string, tcb: TcpConnection, peer: Party): void {
  const other = peer.connection;
  if (other === null || tcb.state === 'SYN_SENT') return;
  demand(seqLe(tcb.rcvNxt, other.sndNxt), () => `${local}: RCV.NXT is beyond the peer's SND.NXT`);
  // A peer that was refused before any SYN came knows nothing.
  if (other.irs === 0) return;
  demand(seqLe(tcb.sndUna, other.rcvNxt), () => `${local}: SND.UNA is beyond the peer's RCV.NXT`);
  const textEnd = (tcb.finSent ? tcb.sndNxt - 1 : tcb.sndNxt) | 0;
  const windowEnd = (other.rcvWup + other.rcvWnd) | 0;
  demand(peer.over || seqLe(textEnd, windowEnd), () => `${local} sent more than the peer's window allows`);
}

/**
 * At rest a party has done all and its connection is over; or nobody ever came. It may wait for ever only for a peer
 * that is no more and that it owes nothing: a half-open connection (RFC 9293 section 3.5.1), which only a keepalive
 * would find.
 */
function checkEnd(party: Party, peer: Party): void {
  const { local, connection, step } = party;
  const peerIsGone = peer.connection === null ? peer.done === 0 && peer.halfOpen === null : peer.over;
  demand(party.halfOpen === null, () => `${local}: a half-open connection is left`);
  if (connection === null) {
    demand(peerIsGone, () => `${local} never saw the connection that its peer has`);
    return;
  }
  if (!party.over) {
    demand(
      peerIsGone,
      () => `deadlock: ${local} is in ${connection.state} for ever (next: ${step ?? 'nothing'})`,
    );
    demand(
      connection.flight.packetsOut === 0,
      () => `deadlock: ${local} has sent something and waits for ever`,
    );
    demand(!connection.orphan, () => `${local}: an orphan in ${connection.state} for ever`);
    return;
  }
  demand(step === null, () => `${local} cannot go on: ${step}`);
  demand(
    party.context.blocks.inUse === 0,
    () => `${local}: ${party.context.blocks.inUse} blocks of memory left`,
  );
}
