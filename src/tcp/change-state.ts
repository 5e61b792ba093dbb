import { assert } from '../base/assert.ts';
import { TRACE_STATE } from '../trace/events.ts';
import { noteEnd } from './fast-open/blackhole.ts';
import type { FastOpen } from './fast-open/fast-open.ts';
import { noticeEnd } from './notices.ts';
import { clearWriteQueue } from './send/write-queue.ts';
import { nextState, type TcpCause } from './state.ts';
import type { Tcb } from './tcb.ts';
import { stopAllTimers } from './timers.ts';

/** Takes an arrow of the state diagram. The only place where a connection's state changes. */
export function changeState(tcb: Tcb, cause: TcpCause): void {
  const from = tcb.state;
  const to = nextState(from, cause);
  assert(to !== undefined, `${from} has no arrow '${cause}'`);
  tcb.state = to;
  countState(tcb, from, cause);
  const { trace, name } = tcb.context.host;
  if (trace === null || (trace.wants & TRACE_STATE) === 0) return;
  const { local, remote } = tcb.output;
  trace.emit({ type: 'tcp:state', atUs: tcb.nowUs, host: name, local, remote, from, to, cause });
}

/** CurrEstab counts ESTABLISHED and CLOSE_WAIT (RFC 4022). */
function countState(tcb: Tcb, from: string, cause: TcpCause): void {
  const { Tcp } = tcb.context.host.mib;
  const before = from === 'ESTABLISHED' || from === 'CLOSE_WAIT';
  const after = tcb.state === 'ESTABLISHED' || tcb.state === 'CLOSE_WAIT';
  if (after && !before) Tcp.CurrEstab++;
  if (before && !after) Tcp.CurrEstab--;
  if (before && tcb.state === 'CLOSED' && cause !== 'receive ACK of FIN') Tcp.EstabResets++;
  if ((from === 'SYN_SENT' || from === 'SYN_RCVD') && tcb.state === 'CLOSED') Tcp.AttemptFails++;
}

/** Ends the connection in CLOSED: gives back what it holds and tells the user `error` (0: none). */
export function endConnection(tcb: Tcb, cause: TcpCause, error: number): void {
  changeState(tcb, cause);
  if (tcb.fastOpen !== null) endFastOpen(tcb, tcb.fastOpen, cause);
  if (error !== 0) tcb.error = error;
  dropSendSide(tcb);
  tcb.output.ended(false);
}

function endFastOpen(tcb: Tcb, fastOpen: FastOpen, cause: TcpCause): void {
  fastOpen.deferred = false;
  fastOpen.synAckOut = false;
  if (cause === 'receive RST') fastOpen.place?.reset(tcb.nowUs);
  else fastOpen.place?.leave();
  fastOpen.place = null;
  noteEnd(tcb, fastOpen);
}

/** Nothing more is sent or timed: flight, queue and timers are given back. What was received stays readable. */
export function dropSendSide(tcb: Tcb): void {
  stopAllTimers(tcb);
  for (let head = tcb.flight.shift(); head !== undefined; head = tcb.flight.shift())
    tcb.context.freeSegment(head);
  tcb.flight.clear();
  if (tcb.notices !== null) noticeEnd(tcb, tcb.notices);
  tcb.sendQueue.clear();
  clearWriteQueue(tcb);
  tcb.queueSeq = tcb.sndNxt;
}
