/**
 * RFC 8200: the header, extension headers, options, fragments.
 * @module
 */
import { fragment, icmp6, ipv6 } from '../../net/craft6.ts';
import { type Case, NODE, TESTER, type Tester } from '../tester.ts';

const REPLY = `${NODE} > ${TESTER}: echo reply`;
const NO_NEXT_HEADER = 59;

/** An echo request as the payload of whatever comes before it. */
function request(bytes = 8, destination: string = NODE): Uint8Array {
  return icmp6(128, 0, 0x00070001, new Uint8Array(bytes), TESTER, destination);
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap(part => [...part]));
}

/** A header with options, eight bytes long: its option's type, then the type of what follows. */
function options(option: number, next = 58): Uint8Array {
  return Uint8Array.of(next, 0, option, 4, 0, 0, 0, 0);
}

/** Sends an echo request behind a header of type `header`. */
function behind(t: Tester, header: number, bytes: Uint8Array, destination: string = NODE): void {
  t.send(ipv6({ protocol: header, destination, data: join(bytes, request(8, destination)) }));
}

export const header: readonly Case[] = [
  {
    rule: 'RFC 8200 section 3',
    name: 'a packet of another version is not looked at',
    play: async t => {
      const packet = ipv6({ protocol: 58, data: request() });
      packet[0] = 0x50;
      t.send(packet);
      await t.silence();
    },
  },
  {
    rule: 'RFC 8200 section 3',
    name: 'traffic class and flow label do not matter',
    play: async t => {
      t.echo({ trafficClass: 0xb8, flowLabel: 0xabcde });
      await t.expect(REPLY);
    },
  },
  {
    rule: 'RFC 8200 section 3',
    name: 'a packet that is shorter than it says is dropped',
    play: async t => {
      t.send(ipv6({ protocol: 58, data: request(), payloadLength: 17 }));
      await t.silence();
    },
  },
  {
    rule: 'RFC 8200 section 3',
    name: 'what is in the frame behind the packet does not belong to it',
    play: async t => {
      t.send(join(ipv6({ protocol: 58, data: request() }), new Uint8Array(20)));
      await t.expect(`${REPLY} 7/1, 8 bytes`);
    },
  },
  {
    rule: 'RFC 8200 section 3',
    name: 'a hop limit of 0 is enough for who has arrived',
    play: async t => {
      t.echo({ hopLimit: 0 });
      await t.expect(REPLY);
    },
  },
  {
    rule: 'RFC 8200 section 4.7',
    name: 'behind a header that says so there is nothing',
    play: async t => {
      t.send(ipv6({ protocol: NO_NEXT_HEADER, data: request() }));
      await t.silence('ICMPv6');
      await t.silence(NODE);
    },
  },
  {
    rule: 'RFC 8200 section 4',
    name: 'a next header that nobody knows is a parameter problem, at its place',
    play: async t => {
      t.send(ipv6({ protocol: 143, data: request() }));
      await t.expect('parameter problem 1 at 6');
    },
  },
  {
    rule: 'RFC 8200 section 4',
    name: 'a next header that nobody knows behind options is found there',
    play: async t => {
      behind(t, 60, options(1, 143));
      await t.expect('parameter problem 1 at 40');
    },
  },
  {
    rule: 'RFC 4291 section 2.7',
    name: 'a packet from a group is dropped',
    play: async t => {
      t.echo({ source: 'ff02::2' });
      await t.silence();
    },
  },
  {
    rule: 'RFC 4291 section 2.5.3',
    name: 'a packet to ::1 does not come over a link',
    play: async t => {
      t.echo({ destination: '::1' });
      await t.silence();
    },
  },
];

const KINDS = [
  ['hop-by-hop options', 0],
  ['destination options', 60],
] as const;

export const optionCases: readonly Case[] = KINDS.flatMap(([what, type]): Case[] => [
  {
    rule: 'RFC 8200 section 4.2',
    name: `${what}: padding is skipped`,
    play: async t => {
      behind(t, type, options(1));
      await t.expect(REPLY);
    },
  },
  {
    rule: 'RFC 8200 section 4.2',
    name: `${what}: Pad1 is skipped`,
    play: async t => {
      behind(t, type, Uint8Array.of(58, 0, 0, 0, 0, 0, 0, 0));
      await t.expect(REPLY);
    },
    notLinux: 'since 2.6.36 it drops padding of more than seven bytes, and Pad1 six times is six',
  },
  {
    rule: 'RFC 8200 section 4.2',
    name: `${what}: an unknown option with 00 is skipped`,
    play: async t => {
      behind(t, type, options(0x1e));
      await t.expect(REPLY);
    },
  },
  {
    rule: 'RFC 8200 section 4.2',
    name: `${what}: an unknown option with 01 drops the packet`,
    play: async t => {
      behind(t, type, options(0x5e));
      await t.silence();
    },
  },
  {
    rule: 'RFC 8200 section 4.2',
    name: `${what}: an unknown option with 10 is a parameter problem`,
    play: async t => {
      behind(t, type, options(0x9e));
      await t.expect(`${NODE} > ${TESTER}: parameter problem 2 at 42`);
    },
  },
  {
    rule: 'RFC 8200 section 4.2',
    name: `${what}: so it is in a packet to a group`,
    play: async t => {
      behind(t, type, options(0x9e), 'ff02::1');
      await t.expect('parameter problem 2 at 42');
    },
  },
  {
    rule: 'RFC 8200 section 4.2',
    name: `${what}: an unknown option with 11 is a parameter problem`,
    play: async t => {
      behind(t, type, options(0xde));
      await t.expect('parameter problem 2 at 42');
    },
  },
  {
    rule: 'RFC 8200 section 4.2',
    name: `${what}: not in a packet to a group`,
    play: async t => {
      behind(t, type, options(0xde), 'ff02::1');
      await t.silence();
    },
  },
]);

export const extensions: readonly Case[] = [
  {
    rule: 'RFC 8200 section 4.1',
    name: 'hop-by-hop options that do not come first are a parameter problem',
    play: async t => {
      t.send(ipv6({ protocol: 60, data: join(options(1, 0), options(1), request()) }));
      await t.expect('parameter problem 1 at 40');
    },
  },
  {
    rule: 'RFC 8200 section 4.1',
    name: 'destination options may come twice',
    play: async t => {
      t.send(ipv6({ protocol: 60, data: join(options(1, 60), options(1), request()) }));
      await t.expect(REPLY);
    },
  },
  {
    rule: 'RFC 8200 section 4.4',
    name: 'a routing header with no segments left is skipped',
    play: async t => {
      behind(t, 43, Uint8Array.of(58, 0, 33, 0, 0, 0, 0, 0));
      await t.expect(REPLY);
    },
  },
  {
    rule: 'RFC 8200 section 4.4, RFC 5095',
    name: 'a routing header of an unknown type with segments left is a parameter problem at the type',
    play: async t => {
      behind(t, 43, Uint8Array.of(58, 0, 33, 1, 0, 0, 0, 0));
      await t.expect('parameter problem 0 at 42');
    },
  },
  {
    rule: 'RFC 8200 section 4',
    name: 'a header that is longer than the packet drops it',
    play: async t => {
      behind(t, 60, Uint8Array.of(58, 200, 1, 4, 0, 0, 0, 0));
      await t.silence('echo reply');
    },
  },
];

const FRAGMENT = 44;

function piece(t: Tester, offset: number, more: boolean, data: Uint8Array, id = 7): void {
  t.send(ipv6({ protocol: FRAGMENT, data: fragment(58, offset, more, id, data) }));
}

export const fragments: readonly Case[] = [
  {
    rule: 'RFC 8200 section 4.5',
    name: 'fragments become the packet that they were',
    play: async t => {
      const whole = request(1000);
      piece(t, 0, true, whole.subarray(0, 400));
      piece(t, 400, false, whole.subarray(400));
      await t.expect(`${REPLY} 7/1, 1000 bytes`);
    },
  },
  {
    rule: 'RFC 8200 section 4.5',
    name: 'in any order',
    play: async t => {
      const whole = request(1000);
      piece(t, 800, false, whole.subarray(800));
      piece(t, 0, true, whole.subarray(0, 400));
      piece(t, 400, true, whole.subarray(400, 800));
      await t.expect(`${REPLY} 7/1, 1000 bytes`);
    },
  },
  {
    rule: 'RFC 8200 section 4.5',
    name: 'fragments of different packets are kept apart',
    play: async t => {
      const whole = request(1000);
      piece(t, 0, true, whole.subarray(0, 400), 1);
      piece(t, 400, false, whole.subarray(400), 2);
      await t.silence('echo reply');
    },
  },
  {
    rule: 'RFC 5722 section 4',
    name: 'fragments that overlap are dropped, and with them the packet',
    play: async t => {
      const whole = request(1000);
      piece(t, 0, true, whole.subarray(0, 400));
      piece(t, 392, true, whole.subarray(392, 800));
      piece(t, 400, false, whole.subarray(400));
      await t.silence();
    },
  },
  {
    rule: 'RFC 6946 section 4',
    name: 'a packet that is its only fragment is taken as it is',
    play: async t => {
      piece(t, 0, false, request());
      await t.expect(REPLY);
    },
  },
  {
    rule: 'RFC 6946 section 4',
    name: 'and does not disturb fragments with the same number',
    play: async t => {
      const whole = request(1000);
      piece(t, 0, true, whole.subarray(0, 400));
      piece(t, 0, false, request());
      await t.expect(`${REPLY} 7/1, 8 bytes`);
      piece(t, 400, false, whole.subarray(400));
      await t.expect(`${REPLY} 7/1, 1000 bytes`);
    },
  },
  {
    rule: 'RFC 8200 section 4.5',
    name: 'a fragment in the middle that is no multiple of eight bytes is a parameter problem',
    play: async t => {
      piece(t, 0, true, request(1000).subarray(0, 401));
      await t.expect('parameter problem 0 at 4');
    },
  },
  {
    rule: 'RFC 8200 section 4.5',
    name: 'a fragment that would make the packet too long is a parameter problem',
    play: async t => {
      piece(t, 65_528, false, new Uint8Array(100));
      await t.expect('parameter problem 0 at 42');
    },
  },
  {
    rule: 'RFC 8200 section 4.5',
    name: 'when the rest does not come, the sender of the first fragment is told',
    node: { fragmentTime: 2 },
    play: async t => {
      piece(t, 0, true, request(1000).subarray(0, 400));
      await t.silence('time exceeded', 1000);
      await t.expect('time exceeded 1', 3000);
    },
  },
  {
    rule: 'RFC 8200 section 4.5',
    name: 'when the first one does not come, nobody is told',
    node: { fragmentTime: 2 },
    play: async t => {
      piece(t, 400, false, request(1000).subarray(400));
      await t.silence('time exceeded', 4000);
    },
  },
  {
    rule: 'RFC 8200 section 4.5, RFC 7112',
    name: 'a first fragment that does not hold all headers is a parameter problem, or dropped',
    notLinux: 'it looks for a transport header that is cut in two, not for one that is missing',
    play: async t => {
      t.send(ipv6({ protocol: FRAGMENT, data: fragment(60, 0, true, 7, options(1, 60)) }));
      t.send(ipv6({ protocol: FRAGMENT, data: fragment(60, 8, false, 7, join(options(1), request())) }));
      await t.silence('echo reply');
    },
  },
];
