/**
 * What a script consists of: the values that the parser makes and the runner walks.
 * The notation is the one packetdrill made well known; docs/SCRIPTS.md says what is added to it.
 * @module
 */

/** A script that cannot be read: `file:line: what`. */
export class ScriptSyntaxError extends Error {
  override name = 'ScriptSyntaxError';
}

/** One script. */
export interface Script {
  readonly path: string;
  /** `--name=value` lines at the head. */
  readonly options: ReadonlyMap<string, string>;
  readonly events: readonly ScriptEvent[];
}

/** When an event is to happen. */
export interface EventTime {
  /** `0.5` counts from the script's begin, `+.5` from the event before; `*` is any time. */
  readonly kind: 'absolute' | 'relative' | 'any';
  readonly us: number;
  /** The latest time of a range `+0~+.2`, counted like `us`; null when there is no range. */
  readonly latestUs: number | null;
  /** For a call that waits, `+0...0.2`: when it is to return, counted like `us`. */
  readonly returnUs: number | null;
}

/** One line of a script (it may go on over several lines of text). */
export interface ScriptEvent {
  readonly line: number;
  readonly time: EventTime;
  /** As it stands in the script, on one line. */
  readonly text: string;
  readonly body: PacketEvent | CallEvent | CodeEvent | CommandEvent;
}

/** `< ...` and `> ...`. */
export interface PacketEvent {
  readonly kind: 'packet';
  readonly direction: 'in' | 'out';
  readonly packet: PacketSpec;
}

/** A socket call, or one of the house's own: expect_state(...), expect_nothing(), counter(...). */
export interface CallEvent {
  readonly kind: 'call';
  readonly name: string;
  readonly args: readonly Value[];
  /** The expected result; null for `?` or none. */
  readonly result: Value | null;
  /** 'EAGAIN', when the expected result is -1. */
  readonly errno: string | null;
}

/** `%{ ... }%`. */
export interface CodeEvent {
  readonly kind: 'code';
  readonly code: string;
}

/** A command between backquotes. */
export interface CommandEvent {
  readonly kind: 'command';
  readonly command: string;
}

/** An argument of a call. */
export type Value =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'symbol'; readonly name: string }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'elided' }
  | { readonly kind: 'or'; readonly parts: readonly Value[] }
  | { readonly kind: 'array'; readonly items: readonly Value[] }
  | { readonly kind: 'struct'; readonly fields: ReadonlyMap<string, Value> };

/** What a packet is, or is expected to be. */
export type PacketSpec = TcpSpec | IcmpSpec;

/** A TCP segment; sequence numbers count from the two initial ones. */
export interface TcpSpec {
  readonly kind: 'tcp';
  readonly tags: Tags;
  /** FIN, SYN ... or-ed, as on the wire. */
  readonly flags: number;
  readonly seq: number;
  readonly length: number;
  readonly ack: number | null;
  /** Window field as on the wire; null: any. */
  readonly window: number | null;
  readonly urgent: number | null;
  /** null: any (`<...>`). */
  readonly options: readonly OptionSpec[] | null;
}

/** An ICMP error about a segment that was sent. */
export interface IcmpSpec {
  readonly kind: 'icmp';
  readonly tags: Tags;
  readonly type: number;
  readonly code: number;
  readonly mtu: number;
  /** The quoted segment. */
  readonly seq: number;
  readonly length: number;
}

/** `[peer 2]`, `[isn 70000]`, `[ect0]` ... before the flags. */
export interface Tags {
  /** Which peer, when a script has several; 1 is the first. */
  readonly peer: number;
  /** Begins a new connection on the same ports; the peer's initial sequence number. Null: no. */
  readonly isn: number | null;
  /** The two ECN bits of IP; null: any, and zero on sending. */
  readonly ecn: number | null;
  /** Spoils the checksum of what is sent. */
  readonly badChecksum: boolean;
}

/** One TCP option. */
export type OptionSpec =
  | { readonly kind: 'nop' | 'eol' | 'sackOK' }
  | { readonly kind: 'mss' | 'wscale'; readonly value: number }
  | { readonly kind: 'timestamps'; readonly val: number; readonly ecr: number }
  | { readonly kind: 'sack'; readonly blocks: readonly (readonly [number, number])[] }
  | { readonly kind: 'raw'; readonly bytes: Uint8Array };
