/**
 * What a script consists of: the values that the parser makes and the runner walks.
 * The language is packetdrill's; docs/PACKETDRILL.md says how much of it is understood, docs/SCRIPTS.md what the
 * house's own scripts add to it.
 * @module
 */

/** A script that cannot be read: `file:line: what`. */
export class ScriptSyntaxError extends Error {
  override name = 'ScriptSyntaxError';
}

/** A script that asks for something the runner knows of and does not have; the reason to skip it. */
export class UnsupportedError extends Error {
  override name = 'UnsupportedError';
}

/** What IP the packets of a script go over. */
export type Family = 'ipv4' | 'ipv6';

/** One script. */
export interface Script {
  readonly path: string;
  /** Of the packets; a script's own --ip_version wins. */
  readonly family: Family;
  /** Whether the house's additions are understood, and what packetdrill lets pass is not. */
  readonly house: boolean;
  /** `--name=value` lines at the head. */
  readonly options: ReadonlyMap<string, string>;
  /** The command before the first event, and the one after the last, each without a time. */
  readonly init: CommandEvent | null;
  readonly cleanup: CommandEvent | null;
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

/** A system call, or one of the house's own: expect_state(...), expect_nothing(), counter(...). */
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
  readonly line: number;
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
  readonly ip: IpSpec;
  readonly tags: HouseTags;
  /** Ports other than those of the connection, for what comes in. */
  readonly ports: { readonly source: number; readonly destination: number } | null;
  /** FIN, SYN ... or-ed, as on the wire, with AE (0x100). */
  readonly flags: number;
  readonly seq: number;
  readonly length: number;
  readonly ack: number | null;
  /** Window field as on the wire; null: any. */
  readonly window: number | null;
  readonly urgent: number;
  /** null: any (`<...>`). */
  readonly options: readonly OptionSpec[] | null;
}

/** An ICMP message; an error quotes a segment that was sent. */
export interface IcmpSpec {
  readonly kind: 'icmp';
  readonly ip: IpSpec;
  readonly tags: HouseTags;
  readonly type: number;
  readonly code: number;
  /** -1 when none is given. */
  readonly mtu: number;
  /** The quoted segment. */
  readonly seq: number;
  readonly length: number;
}

/** `[ect0]`, `[tos 0x10]`, `[ttl 64]`: what the IP header must say, or says. */
export interface IpSpec {
  /** How the TOS byte is compared: not, its ECN bits, ECN bits that say ECT(0) or ECT(1), or whole. */
  readonly check: 'none' | 'ecn' | 'ect01' | 'tos';
  readonly tos: number;
  /** 0: any. */
  readonly ttl: number;
}

/** The house's additions before the flags: `[peer 2]`, `[isn 70000]`, `[badsum]`. */
export interface HouseTags {
  /** Which peer, when a script has several; 1 is the first. */
  readonly peer: number;
  /** Begins a new connection on the same ports; the peer's initial sequence number. Null: no. */
  readonly isn: number | null;
  /** Spoils the checksum of what is sent. */
  readonly badChecksum: boolean;
}

/** One TCP option. */
export type OptionSpec =
  | { readonly kind: 'nop' | 'eol' | 'sackOK' }
  | { readonly kind: 'mss' | 'wscale'; readonly value: number }
  | { readonly kind: 'timestamps'; readonly val: number; readonly ecr: number }
  | { readonly kind: 'sack'; readonly blocks: readonly (readonly [number, number])[] }
  | { readonly kind: 'fastopen'; readonly cookie: Uint8Array; readonly experimental: boolean }
  | { readonly kind: 'md5' | 'raw'; readonly bytes: Uint8Array };
