/**
 * RFC 4443: echo, and errors: when they are sent, when not, and what is done with those that come. RFC 8201: path MTU.
 * @module
 */
import { finishChecksum, sum16 } from '../../../src/wire/checksum.ts';
import { pseudoHeaderSum } from '../../../src/wire/pseudo-header.ts';
import { emitTcp, SYN, TCP_CHECKSUM, TCP_HEADER_LENGTH } from '../../../src/wire/tcp.ts';
import { emitUdp, UDP_CHECKSUM, UDP_HEADER_LENGTH } from '../../../src/wire/udp.ts';
import { frame6, icmp6, ipv6 } from '../../net/craft6.ts';
import { viewOf } from '../../net/harness.ts';
import { changed } from '../messages.ts';
import { type Case, NODE, NODE_LOCAL, TESTER } from '../tester.ts';
import { addressOf } from '../words.ts';

const REPLY = `${NODE} > ${TESTER}: echo reply`;

const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;

/** A datagram from fd00::2 for a port where nobody listens. */
function datagram(bytes: number, destination: string = NODE): Uint8Array {
  const length = UDP_HEADER_LENGTH + bytes;
  const data = new Uint8Array(length);
  emitUdp(viewOf(data), 0, 40_000, 9, length, 0);
  checksum(data, UDP_CHECKSUM, IPPROTO_UDP, destination);
  return ipv6({ protocol: IPPROTO_UDP, destination, data });
}

/** A SYN from fd00::2 for a port where nobody listens. */
function syn(): Uint8Array {
  const data = new Uint8Array(TCP_HEADER_LENGTH);
  emitTcp(viewOf(data), 0, 40_000, 9, 1, 0, TCP_HEADER_LENGTH, SYN, 65_535);
  checksum(data, TCP_CHECKSUM, IPPROTO_TCP, NODE);
  return ipv6({ protocol: IPPROTO_TCP, data });
}

function checksum(data: Uint8Array, at: number, protocol: number, destination: string): void {
  const initial = pseudoHeaderSum(addressOf(TESTER), addressOf(destination), protocol, data.length);
  viewOf(data).setUint16(at, finishChecksum(sum16(data, 0, data.length, initial)));
}

/** An error about an echo reply of the node with so many bytes. */
function error(type: number, code: number, rest: number, bytes = 8): Uint8Array {
  const reply = icmp6(129, 0, 0x00070001, new Uint8Array(bytes), NODE, TESTER);
  const quoted = ipv6({ source: NODE, destination: TESTER, protocol: 58, data: reply }).subarray(0, 1232);
  return ipv6({ protocol: 58, data: icmp6(type, code, rest, quoted) });
}

export const echo: readonly Case[] = [
  {
    rule: 'RFC 4443 section 4.2',
    name: 'an echo request comes back: identifier, number and data',
    play: async t => {
      t.echo({ bytes: 500 });
      const { frame } = await t.expect(`${REPLY} 7/1, 500 bytes`);
      if (frame.length !== 14 + 40 + 8 + 500) throw new Error(`${frame.length}`);
    },
  },
  {
    rule: 'RFC 4443 section 4.2',
    name: 'also without any data, and in fragments',
    play: async t => {
      t.echo({ bytes: 0 });
      await t.expect(`${REPLY} 7/1, 0 bytes`);
    },
  },
  {
    rule: 'RFC 4443 section 2.3',
    name: 'with a wrong checksum it does not',
    play: async t => {
      const data = icmp6(128, 0, 0x00070001, new Uint8Array(8));
      t.frame(changed(frame6(ipv6({ protocol: 58, data })), 2, 0x5a));
      await t.silence();
    },
  },
  {
    rule: 'RFC 4443 section 4.2',
    name: 'to all nodes: the answer comes from an address of the node',
    play: async t => {
      t.echo({ destination: 'ff02::1', source: 'fe80::ff:fe00:2' });
      await t.expect(`${NODE_LOCAL} > fe80::ff:fe00:2: echo reply`);
    },
  },
  {
    rule: 'RFC 4443 section 4.2',
    name: 'to the link-local address',
    play: async t => {
      t.echo({ destination: NODE_LOCAL, source: 'fe80::ff:fe00:2' });
      await t.expect(`${NODE_LOCAL} > fe80::ff:fe00:2: echo reply`);
    },
  },
  {
    rule: 'RFC 4443 section 2.1',
    name: 'a message of an unknown kind that is no error is ignored',
    play: async t => {
      t.send(ipv6({ protocol: 58, data: icmp6(210, 0, 0, new Uint8Array(8)) }));
      await t.silence();
    },
  },
];

export const errors: readonly Case[] = [
  {
    rule: 'RFC 4443 section 3.1',
    name: 'a datagram for nobody is told to its sender: port unreachable',
    play: async t => {
      t.send(datagram(10));
      await t.expect(`${NODE} > ${TESTER}: unreachable 4`);
    },
  },
  {
    rule: 'RFC 4443 section 2.4 (c)',
    name: 'as much of it as fits in 1280 bytes comes back',
    play: async t => {
      t.send(datagram(1400));
      const { frame } = await t.expect('unreachable 4');
      if (frame.length !== 14 + 1280) throw new Error(`${frame.length}`);
    },
  },
  {
    rule: 'RFC 4443 section 2.4 (e.1)',
    name: 'no error about an error',
    play: async t => {
      t.send(error(1, 4, 0));
      t.send(error(100, 0, 0));
      await t.silence();
    },
  },
  {
    rule: 'RFC 4443 section 2.4 (e.3)',
    name: 'no error about a datagram to a group',
    play: async t => {
      t.send(datagram(10, 'ff02::1'));
      await t.silence();
    },
  },
  {
    rule: 'RFC 4443 section 2.4 (e.6)',
    name: 'no error to ::',
    play: async t => {
      t.send(ipv6({ protocol: 143, source: '::', data: new Uint8Array(8) }));
      await t.silence();
    },
  },
  {
    rule: 'RFC 4443 section 2.4 (f)',
    name: 'errors are limited',
    play: async t => {
      t.echo();
      await t.expect(REPLY);
      for (let n = 0; n < 100; n++) t.send(datagram(10));
      const count = await t.count('unreachable', 1000);
      if (count === 0 || count > 50) throw new Error(`${count} errors`);
    },
  },
  {
    rule: 'RFC 9293 section 3.5.2',
    name: 'a segment for nobody is reset, not told by ICMPv6',
    play: async t => {
      t.send(syn());
      await t.expect(`${NODE} > ${TESTER}: TCP reset`);
      await t.silence('unreachable', 200);
    },
  },
];

const LARGE = 1400;
const WHOLE = `${REPLY} 7/1, ${LARGE} bytes`;

function told(
  name: string,
  rest: number,
  expected: string,
  change: (packet: Uint8Array) => Uint8Array = p => p,
): Case {
  return {
    rule: 'RFC 8201 section 4',
    name,
    play: async t => {
      t.echo({ bytes: LARGE });
      await t.expect(WHOLE);
      t.send(change(error(2, 0, rest, LARGE)));
      t.echo({ bytes: LARGE });
      await t.expect(expected);
    },
  };
}

export const pathMtu: readonly Case[] = [
  told('a packet that was too big goes out in fragments the next time', 1300, 'fragment at 0+, 1248 bytes'),
  told('no MTU below 1280 is believed: that much every link takes', 1279, WHOLE),
  told('an MTU above that of the link changes nothing', 9000, WHOLE),
  told('a message with a wrong checksum changes nothing', 1300, WHOLE, packet => {
    const bytes = packet.slice();
    bytes[42] = 0x5a;
    return bytes;
  }),
];
