import type { TransferPlan } from './world-plan.ts';

/** How one side of a transfer ended. */
export type Outcome =
  /** It sent everything and its FIN, and read the other's stream to its end. */
  | 'finished'
  /** It closed without waiting for the other's end, as planned. */
  | 'closed'
  /** It reset the connection, as planned. */
  | 'aborted'
  /** Nothing moved for longer than it has patience. */
  | 'gave up'
  /** A call returned an error. */
  | 'error'
  /** Its host lost its power. */
  | 'crashed';

/** What one side of a transfer has done and seen so far. */
export class Side {
  /** The bytes the stack took from it, and gave to it. */
  written = 0;
  read = 0;
  /** Its stream is complete, and it said so. */
  finished = false;
  /** It has read the end of the other's stream. */
  sawEnd = false;
  /** 'address:port' of its end of the connection; '' before there is one. */
  local = '';
  outcome: Outcome | null = null;
  /** What the call returned, when the outcome is an error. */
  errno = 0;
}

/** Both sides of a transfer, as their applications see it. */
export class Conversation {
  readonly plan: TransferPlan;
  readonly client = new Side();
  /** Null until a server knows whom it talks to. */
  server: Side | null = null;

  constructor(plan: TransferPlan) {
    this.plan = plan;
  }

  /** The side at the other end; null while there is none. */
  other(side: Side): Side | null {
    return side === this.client ? this.server : this.client;
  }
}

/** A client's stream begins with its number, so that the server knows whose stream it reads. In bytes. */
export const HEADER_LENGTH = 4;

/** The number of the stream that a side sends: no two in a world are the same. */
export function streamOf(id: number, isClient: boolean): number {
  return 2 * id + (isClient ? 0 : 1);
}
