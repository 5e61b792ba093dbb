/**
 * The times of a connection. Microseconds since 1970 are no small integers: as a field each would be a pointer to a
 * number of its own, 16 bytes more; and the first that is put into a field that has only held small integers has V8
 * make another hidden class, and throw away what it has compiled for the one before. In an array of doubles they cost
 * 8 bytes, and nothing ever changes.
 * @module
 */

import { OFF, TIMER_COUNT } from './timers.ts';

const TS_RECENT = TIMER_COUNT;
const LAST_SENT = TIMER_COUNT + 1;
const LAST_RECEIVED = TIMER_COUNT + 2;
const LAST_ACK_RECEIVED = TIMER_COUNT + 3;
const LAST_OUT_OF_WINDOW_ACK = TIMER_COUNT + 4;
const CWND_STAMP = TIMER_COUNT + 5;
const RCV_SPACE = TIMER_COUNT + 6;
const RCV_RTT_START = TIMER_COUNT + 7;
const RETRANSMIT_STAMP = TIMER_COUNT + 8;
const UNDO_STAMP = TIMER_COUNT + 9;
const RACK_RTT = TIMER_COUNT + 10;
const ATO = TIMER_COUNT + 11;
const PROBES_STAMP = TIMER_COUNT + 12;
/** Four places of chrono.ts: since when its clock runs, and how long each of the three has run before. */
export const CHRONO_TIMES = TIMER_COUNT + 13;

/** Microseconds, of the host's clock unless they are durations; 0 at first. Before them, when its timers are due. */
export abstract class Times {
  readonly times: number[] = newTimes();

  /** When each timer is due (timers.ts); Infinity when it is not set. */
  get deadlines(): readonly number[] {
    return this.times.slice(0, TIMER_COUNT);
  }

  /** When TS.Recent was taken, 0 for never (RFC 7323 section 5.5). */
  get tsRecentUs(): number {
    return this.times[TS_RECENT] as number;
  }

  set tsRecentUs(us: number) {
    this.times[TS_RECENT] = us;
  }

  /** When data was last sent; 0 before. */
  get lastSentUs(): number {
    return this.times[LAST_SENT] as number;
  }

  set lastSentUs(us: number) {
    this.times[LAST_SENT] = us;
  }

  /** When data was last received. */
  get lastReceivedUs(): number {
    return this.times[LAST_RECEIVED] as number;
  }

  set lastReceivedUs(us: number) {
    this.times[LAST_RECEIVED] = us;
  }

  /** When an acknowledgement was last received. */
  get lastAckReceivedUs(): number {
    return this.times[LAST_ACK_RECEIVED] as number;
  }

  set lastAckReceivedUs(us: number) {
    this.times[LAST_ACK_RECEIVED] = us;
  }

  /** When a segment out of place was last answered, 0 for never. */
  get lastOutOfWindowAckUs(): number {
    return this.times[LAST_OUT_OF_WINDOW_ACK] as number;
  }

  set lastOutOfWindowAckUs(us: number) {
    this.times[LAST_OUT_OF_WINDOW_ACK] = us;
  }

  /** When the congestion window was last used up, or last changed (cwnd-usage.ts). */
  get cwndStampUs(): number {
    return this.times[CWND_STAMP] as number;
  }

  set cwndStampUs(us: number) {
    this.times[CWND_STAMP] = us;
  }

  /** When what the user reads was last measured (window.ts). */
  get rcvSpaceUs(): number {
    return this.times[RCV_SPACE] as number;
  }

  set rcvSpaceUs(us: number) {
    this.times[RCV_SPACE] = us;
  }

  /** When the present measurement of the receiver's round trip began, 0 before the first. */
  get rcvRttStartUs(): number {
    return this.times[RCV_RTT_START] as number;
  }

  set rcvRttStartUs(us: number) {
    this.times[RCV_RTT_START] = us;
  }

  /** When the first segment that time-outs in a row repeat was first sent, 0 when there is none. */
  get retransmitStampUs(): number {
    return this.times[RETRANSMIT_STAMP] as number;
  }

  set retransmitStampUs(us: number) {
    this.times[RETRANSMIT_STAMP] = us;
  }

  /** When the first retransmission was sent that an undo asks about, 0 for never (undo.ts). */
  get undoStampUs(): number {
    return this.times[UNDO_STAMP] as number;
  }

  set undoStampUs(us: number) {
    this.times[UNDO_STAMP] = us;
  }

  /** The round trip of the newest segment that the last acknowledgement with news has told of (rack.ts). */
  get rackRttUs(): number {
    return this.times[RACK_RTT] as number;
  }

  set rackRttUs(us: number) {
    this.times[RACK_RTT] = us;
  }

  /** How long an acknowledgement may wait now, 0 before the first data (ack-policy.ts). */
  get atoUs(): number {
    return this.times[ATO] as number;
  }

  set atoUs(us: number) {
    this.times[ATO] = us;
  }

  /** When the first window probe was sent, 0 while there is none. */
  get probesStampUs(): number {
    return this.times[PROBES_STAMP] as number;
  }

  set probesStampUs(us: number) {
    this.times[PROBES_STAMP] = us;
  }
}

function newTimes(): number[] {
  return [OFF, OFF, OFF, OFF, OFF, OFF, OFF, OFF, OFF, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
}
