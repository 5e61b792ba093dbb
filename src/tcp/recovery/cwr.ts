import type { Tcb } from '../tcb.ts';
import { setCaState } from './ca-state.ts';
import { beginReduction } from './prr.ts';
import { forgetUndo } from './undo.ts';

/**
 * The path is congested, though nothing is lost: once a round trip an ECN echo is as good as a loss (RFC 3168
 * section 6.1.2), and so is a full queue in this host (Linux's tcp_enter_cwr).
 */
export function enterCwr(tcb: Tcb): void {
  if (tcb.caState !== 'Open' && tcb.caState !== 'Disorder') return;
  forgetUndo(tcb);
  beginReduction(tcb);
  setCaState(tcb, 'CWR');
}
