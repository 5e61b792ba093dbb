import { EAGAIN, EALREADY, EINPROGRESS } from '../base/errno.ts';
import { WAIT } from './blocking-call.ts';
import { mayWait, SendCall } from './blocking-calls.ts';
import { MSG_FASTOPEN } from './constants.ts';
import type { Ops } from './ops.ts';
import type { Sockaddr } from './sockaddr.ts';
import type { TcpSocket } from './tcp-socket.ts';
import { TIMED_OUT } from './wait.ts';

/**
 * send(2) and its relatives where they open the connection, with MSG_FASTOPEN or after a connect() that left it to
 * them: data goes with the SYN, the call waits for the handshake, and the rest follows.
 */
export class FastOpenCall extends SendCall {
  private readonly stream: TcpSocket;
  private phase: 'begin' | 'handshake' | 'rest' = 'begin';

  constructor(ops: Ops, socket: TcpSocket, bytes: Uint8Array, flags: number, to: Sockaddr | null) {
    super(ops, socket, bytes, flags, to);
    this.stream = socket;
  }

  protected override attempt(): number {
    if (this.phase === 'begin') {
      const result = this.begin();
      if (result !== 0) return result;
    } else if (this.phase === 'handshake') {
      const result = this.stream.connectAgain();
      if (result === -EALREADY) return WAIT;
      // What the SYN took counts for nothing when the connection did not come about.
      if (result < 0) return result;
    }
    this.phase = 'rest';
    this.flags &= ~MSG_FASTOPEN;
    return this.sent > 0 && this.sent === this.bytes.length ? this.sent : super.attempt();
  }

  /** 0 when the connection stood already. */
  private begin(): number {
    const { stream, bytes } = this;
    const zeroCopy = stream.isZeroCopy(this.flags);
    const result = stream.openFast(bytes, 0, bytes.length, this.to, zeroCopy);
    this.to = null;
    const begun = result > 0 || result === -EINPROGRESS || result === -EALREADY;
    if (!begun || !mayWait(stream, this.flags)) return result;
    this.sent = Math.max(result, 0);
    this.phase = 'handshake';
    if (this.sent < bytes.length) stream.writerWaits();
    return WAIT;
  }

  protected override interrupted(reason: number): number {
    const result = super.interrupted(reason);
    return result === -EAGAIN && reason === TIMED_OUT && this.phase === 'handshake' ? -EINPROGRESS : result;
  }
}
