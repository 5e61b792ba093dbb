import assert from 'node:assert/strict';
import type { NdpRepr, RouterAdvert } from '../../src/wire/ndp.ts';
import { frame6, type Ipv6Spec, icmp6, ipv6, mac, nd } from '../net/craft6.ts';
import { advert, tell } from './messages.ts';
import type { Node, NodeOptions } from './node.ts';
import { macText, questionOf, wordsOf } from './words.ts';

/** The node's addresses, and the tester's. */
export const NODE = 'fd00::1';
export const NODE_LOCAL = 'fe80::ff:fe00:1';
export const TESTER = 'fd00::2';
export const TESTER_LOCAL = 'fe80::ff:fe00:2';
/** Somebody beyond the routers. */
export const FAR = '2001:db8::9';

/** Milliseconds in which an answer is due that is due at once. */
const AT_ONCE_MS = 1500;

/** What the node has sent. */
export interface Heard {
  readonly words: string;
  readonly frame: Uint8Array;
  /** Destination of the frame. */
  readonly to: string;
}

/** Speaks with a node in frames, and watches what it says. */
export class Tester {
  private readonly node: Node;
  private heard: Heard[] = [];

  /** `answers`: whoever the node asks for is at 02:00:00:00:00:02, and says so. */
  constructor(node: Node, answers: boolean) {
    this.node = node;
    node.onFrame = frame => {
      const words = wordsOf(frame);
      if (words === null) return;
      const asked = answers ? questionOf(frame) : null;
      if (asked === null) this.heard.push({ words, frame, to: macText(frame) });
      else this.ndp(tell(asked.target, 'SO', { targetMac: mac(2) }), asked.target, asked.source);
    };
  }

  /** Sends a packet; from fd00::2 to fd00::1 unless told otherwise. */
  send(packet: Uint8Array, from = 2): void {
    this.node.send(frame6(packet, from));
  }

  /** Sends a frame as it is. */
  frame(frame: Uint8Array): void {
    this.node.send(frame);
  }

  /** Sends a message of neighbour discovery. */
  ndp(message: NdpRepr, source: string = TESTER, destination: string = NODE, hopLimit = 255, from = 2): void {
    this.node.send(nd(message, source, destination, hopLimit, from));
  }

  /** Sends an echo request. */
  echo(spec: Ipv6Spec & { readonly bytes?: number } = {}, from = 2): void {
    const { source = TESTER, destination = NODE, bytes = 8 } = spec;
    const data = icmp6(128, 0, 0x00070001, new Uint8Array(bytes), source, destination);
    this.send(ipv6({ ...spec, source, destination, protocol: 58, data }), from);
  }

  /** The next thing that the node sends and that contains `what`; what it sent before is forgotten. */
  async expect(what: string, withinMs: number = AT_ONCE_MS): Promise<Heard> {
    const found = (): number => this.heard.findIndex(({ words }) => words.includes(what));
    await this.node.wait(withinMs, () => found() >= 0);
    const at = found();
    assert.ok(
      at >= 0,
      `"${what}" did not come within ${withinMs} ms; what came: ${this.said() || 'nothing'}`,
    );
    const [heard] = this.heard.slice(at);
    this.heard = this.heard.slice(at + 1);
    return heard as Heard;
  }

  /** The node sends nothing that contains `what` for so long. */
  async silence(what = '', ms: number = AT_ONCE_MS): Promise<void> {
    await this.node.wait(ms);
    const said = this.heard.filter(({ words }) => words.includes(what));
    assert.deepEqual(
      said.map(({ words }) => words),
      [],
    );
  }

  /** Lets time pass and forgets what the node said. */
  async pass(ms: number): Promise<void> {
    await this.node.wait(ms);
    this.heard = [];
  }

  /** How often the node sent what contains `what`, in so long. */
  async count(what: string, ms: number): Promise<number> {
    await this.node.wait(ms);
    const count = this.heard.filter(({ words }) => words.includes(what)).length;
    this.heard = [];
    return count;
  }

  /** The tester is a router, and says so. */
  beRouter(change: Partial<RouterAdvert> = {}): void {
    this.ndp(advert(change), TESTER_LOCAL, 'ff02::1');
  }

  private said(): string {
    return this.heard.map(({ words }) => words).join('; ');
  }
}

/** One thing that an RFC demands of a node. */
export interface Case {
  /** RFC and section. */
  readonly rule: string;
  /** What it demands. */
  readonly name: string;
  readonly node?: NodeOptions;
  /** Why Linux is not asked, or what it does instead. */
  readonly notLinux?: string;
  /** The tester does not answer the node's questions about neighbours by itself. */
  readonly mute?: boolean;
  readonly play: (t: Tester) => Promise<void>;
}
