/**
 * RFC 4862: is an address somebody else's, and addresses from prefixes.
 * @module
 */
import { askedIn, mac } from '../../net/craft6.ts';
import { prefix, solicit, tell } from '../messages.ts';
import { type Case, NODE, NODE_LOCAL, TESTER, type Tester } from '../tester.ts';

/** What the node makes of a prefix with its hardware address. */
const MADE = '2001:db8::ff:fe00:1';
const ASKS = { addresses: [], dadTransmits: 1 } as const;
const FRESH = { addresses: [] } as const;

/** Whether the node has an address: it answers when it is asked for. */
async function has(t: Tester, address: string, yes = true): Promise<void> {
  t.ndp(solicit(address, { sourceMac: mac(2) }), 'fe80::ff:fe00:2', askedIn(address));
  if (yes) await t.expect(`here is ${address}`);
  else await t.silence(`here is ${address}`);
}

export const duplicates: readonly Case[] = [
  {
    rule: 'RFC 4862 section 5.4.2',
    name: 'before an address is used the node asks for it, from ::, once, without its hardware address',
    node: ASKS,
    play: async t => {
      const { words, to } = await t.expect(`who has ${NODE_LOCAL}`, 3000);
      if (words !== `:: > ${askedIn(NODE_LOCAL)}: who has ${NODE_LOCAL}`) throw new Error(words);
      if (to !== '33:33:ff:00:00:01') throw new Error(to);
      await t.silence(`who has ${NODE_LOCAL}`, 2500);
      await has(t, NODE_LOCAL);
    },
  },
  {
    rule: 'RFC 4862 section 5.4.2',
    name: 'it asks as often as it is told to, a second apart',
    node: { ...ASKS, dadTransmits: 3 },
    play: async t => {
      await t.expect(`who has ${NODE_LOCAL}`, 3000);
      const more = await t.count(`who has ${NODE_LOCAL}`, 4000);
      if (more !== 2) throw new Error(`asked ${more} times more`);
    },
  },
  {
    rule: 'RFC 4862 section 5.4',
    name: 'an address that is being asked for is not yet answered for',
    node: { ...ASKS, dadTransmits: 4 },
    play: async t => {
      await t.expect(`who has ${NODE_LOCAL}`, 3000);
      await has(t, NODE_LOCAL, false);
    },
  },
  {
    rule: 'RFC 4862 section 5.4.4',
    name: 'who has the address says so: it is not used',
    node: ASKS,
    play: async t => {
      await t.expect(`who has ${NODE_LOCAL}`, 3000);
      t.ndp(tell(NODE_LOCAL, 'O', { targetMac: mac(2) }), NODE_LOCAL, 'ff02::1');
      await t.pass(2500);
      await has(t, NODE_LOCAL, false);
    },
  },
  {
    rule: 'RFC 4862 section 5.4.3',
    name: 'somebody else asks for it at the same time: it is not used',
    node: ASKS,
    play: async t => {
      await t.expect(`who has ${NODE_LOCAL}`, 3000);
      t.ndp(solicit(NODE_LOCAL), '::', askedIn(NODE_LOCAL));
      await t.pass(2500);
      await has(t, NODE_LOCAL, false);
    },
  },
  {
    rule: 'RFC 4862 section 5.4.3',
    name: 'who merely wants to speak to it does not make it a duplicate',
    node: ASKS,
    play: async t => {
      await t.expect(`who has ${NODE_LOCAL}`, 3000);
      t.ndp(solicit(NODE_LOCAL, { sourceMac: mac(2) }), TESTER, askedIn(NODE_LOCAL));
      await t.pass(2500);
      await has(t, NODE_LOCAL);
    },
  },
  {
    rule: 'RFC 4862 section 5.4.5',
    name: 'without DupAddrDetectTransmits the address is used at once',
    node: FRESH,
    play: async t => has(t, NODE_LOCAL),
  },
];

/** The node hears of prefixes. */
function advertise(t: Tester, ...prefixes: readonly ReturnType<typeof prefix>[]): void {
  t.beRouter({ options: { sourceMac: mac(2), prefixes } });
}

export const addresses: readonly Case[] = [
  {
    rule: 'RFC 4862 section 5.5.3',
    name: 'a prefix becomes an address, and that is asked for first',
    node: ASKS,
    play: async t => {
      await t.pass(3000);
      advertise(t, prefix('2001:db8::'));
      await t.expect(`:: > ${askedIn(MADE)}: who has ${MADE}`, 3000);
      await t.pass(2000);
      await has(t, MADE);
    },
  },
  ...(
    [
      ['that is not for addresses', { autonomous: false }],
      ['with a valid lifetime of 0', { validSeconds: 0, preferredSeconds: 0 }],
      ['whose preferred lifetime is longer than its valid one', { validSeconds: 60, preferredSeconds: 61 }],
      ['of 63 bits', { prefixLength: 63 }],
    ] as const
  ).map(
    ([what, change]): Case => ({
      rule: 'RFC 4862 section 5.5.3',
      name: `a prefix ${what} becomes no address`,
      node: FRESH,
      play: async t => {
        advertise(t, prefix('2001:db8::', change));
        await t.pass(500);
        await has(t, MADE, false);
      },
    }),
  ),
  {
    rule: 'RFC 4862 section 5.5.3 (b)',
    name: 'the link-local prefix is ignored',
    node: FRESH,
    play: async t => {
      advertise(t, prefix('fe80::', { validSeconds: 1, preferredSeconds: 1 }));
      await t.pass(2500);
      await has(t, NODE_LOCAL);
    },
  },
  {
    rule: 'RFC 4862 section 5.5.3 (e)',
    name: 'the remaining lifetime of an address cannot be cut to less than two hours',
    node: FRESH,
    play: async t => {
      advertise(t, prefix('2001:db8::'));
      await t.pass(500);
      advertise(t, prefix('2001:db8::', { validSeconds: 1, preferredSeconds: 1 }));
      await t.pass(2500);
      await has(t, MADE);
    },
  },
  {
    rule: 'RFC 4862 section 5.5.4',
    name: 'an address that is not preferred any more still takes packets',
    node: FRESH,
    play: async t => {
      advertise(t, prefix('2001:db8::', { preferredSeconds: 1 }));
      await t.pass(2500);
      t.echo({ destination: MADE });
      await t.expect(`${MADE} > ${TESTER}: echo reply`);
    },
  },
  {
    rule: 'RFC 4862 section 5.5.4',
    name: 'an address whose valid lifetime is over is gone',
    node: FRESH,
    play: async t => {
      advertise(t, prefix('2001:db8::', { validSeconds: 2, preferredSeconds: 1 }));
      await t.pass(500);
      await has(t, MADE);
      await t.pass(4000);
      await has(t, MADE, false);
    },
  },
  {
    rule: 'RFC 4862 section 5.5.3',
    name: 'each of several prefixes becomes an address',
    node: FRESH,
    play: async t => {
      advertise(t, prefix('2001:db8::'), prefix('2001:db8:1::'));
      await t.pass(500);
      await has(t, MADE);
      await has(t, '2001:db8:1::ff:fe00:1');
    },
  },
  {
    rule: 'RFC 4862 section 5.5.3',
    name: 'a prefix that is heard again lengthens the life of its address',
    node: FRESH,
    play: async t => {
      advertise(t, prefix('2001:db8::', { validSeconds: 2, preferredSeconds: 1 }));
      await t.pass(500);
      advertise(t, prefix('2001:db8::'));
      await t.pass(4000);
      await has(t, MADE);
    },
  },
  {
    rule: 'RFC 4862 section 5.4',
    name: 'an address given by hand is asked for as well',
    node: { addresses: [`${NODE}/64`], dadTransmits: 1 },
    play: async t => {
      await t.expect(`who has ${NODE}`, 3000);
      await t.pass(2500);
      await has(t, NODE);
    },
  },
];
