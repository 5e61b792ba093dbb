/**
 * RFC 4861: asking for neighbours and answering, whether they are still there, routers, redirects.
 * @module
 */
import type { NdpRepr } from '../../../src/wire/ndp.ts';
import type { NdpOptions } from '../../../src/wire/ndp-options.ts';
import { askedIn, mac, nd } from '../../net/craft6.ts';
import { advert, changed, prefix, shortened, signed, solicit, tell } from '../messages.ts';
import { type Case, FAR, NODE, NODE_LOCAL, TESTER, TESTER_LOCAL, type Tester } from '../tester.ts';
import { addressOf } from '../words.ts';

const GROUP = askedIn(NODE);
const HERE = `${NODE} > ${TESTER}: here is ${NODE}`;
const ASKED = `who has ${TESTER}`;

/** A message that must not be answered, nor change anything: no answer, and the tester is not known afterwards. */
async function ignored(t: Tester, frame: Uint8Array): Promise<void> {
  t.frame(frame);
  await t.silence('here is');
}

const FROM: NdpOptions = { sourceMac: mac(2) };
const QUESTION = nd(solicit(NODE, FROM), TESTER, GROUP);

/** The node knows the tester: it has asked, and was answered. */
async function introduce(t: Tester): Promise<void> {
  t.echo();
  await t.expect(ASKED);
  t.ndp(tell(TESTER, 'SO', { targetMac: mac(2) }));
  await t.expect('echo reply');
}

export const asking: readonly Case[] = [
  {
    rule: 'RFC 4861 section 7.2.4',
    name: 'a question in the group of the address is answered, with S, O and the hardware address',
    play: async t => {
      t.frame(QUESTION);
      await t.expect(`${HERE} [SO], at 02:00:00:00:00:01`);
    },
  },
  {
    rule: 'RFC 4861 section 7.2.4',
    name: 'a question at the address itself is answered, with S',
    play: async t => {
      t.ndp(solicit(NODE, FROM));
      await t.expect(`${HERE} [S`);
    },
  },
  {
    rule: 'RFC 4861 section 7.2.4',
    name: 'a question from :: is answered to all nodes, without S',
    play: async t => {
      t.ndp(solicit(NODE), '::', GROUP);
      const { to } = await t.expect(`${NODE} > ff02::1: here is ${NODE} [O], at 02:00:00:00:00:01`);
      if (to !== '33:33:00:00:00:01') throw new Error(to);
    },
  },
  {
    rule: 'RFC 4861 section 7.2.3',
    name: 'a question about somebody else is not answered',
    play: async t => ignored(t, nd(solicit('fd00::77', FROM), TESTER, GROUP)),
  },
  {
    rule: 'RFC 4861 section 7.1.1',
    name: 'a question with a hop limit of 254 has come over a router: ignored',
    play: async t => ignored(t, nd(solicit(NODE, FROM), TESTER, GROUP, 254)),
  },
  {
    rule: 'RFC 4861 section 7.1.1',
    name: 'a question with a wrong checksum is ignored',
    play: async t => ignored(t, changed(QUESTION, 2, 0x5a)),
  },
  {
    rule: 'RFC 4861 section 7.1.1',
    name: 'a question with a code that is not 0 is ignored',
    play: async t => ignored(t, signed(changed(QUESTION, 1, 1))),
  },
  {
    rule: 'RFC 4861 section 7.1.1',
    name: 'a question of fewer than 24 bytes is ignored',
    play: async t => ignored(t, signed(shortened(QUESTION, 23))),
  },
  {
    rule: 'RFC 4861 section 7.1.1',
    name: 'a question about a group is ignored',
    play: async t => ignored(t, nd(solicit('ff02::1', FROM), TESTER, 'ff02::1')),
  },
  {
    rule: 'RFC 4861 section 7.1.1',
    name: 'a question with an option of length 0 is ignored',
    play: async t => ignored(t, signed(changed(QUESTION, 25, 0))),
  },
  {
    rule: 'RFC 4861 section 7.1.1',
    name: 'a question from :: that is not in the group of the address is ignored',
    play: async t => ignored(t, nd(solicit(NODE), '::', NODE)),
  },
  {
    rule: 'RFC 4861 section 7.1.1',
    name: 'a question from :: with a hardware address is ignored',
    play: async t => ignored(t, nd(solicit(NODE, FROM), '::', GROUP)),
  },
  {
    rule: 'RFC 4861 section 4.3',
    name: 'what stands in the reserved field does not matter',
    play: async t => {
      t.frame(signed(changed(QUESTION, 5, 0xff)));
      await t.expect(HERE);
    },
  },
  {
    rule: 'RFC 4861 section 4.6',
    name: 'an option that nobody knows is skipped',
    play: async t => {
      t.frame(QUESTION);
      await t.expect(HERE);
      t.frame(signed(changed(QUESTION, 24, 99)));
      await t.expect(HERE);
    },
  },
];

export const resolving: readonly Case[] = [
  {
    rule: 'RFC 4861 section 7.2.2',
    name: 'who is not known is asked for in his group, three times, a second apart',
    play: async t => {
      t.echo();
      const asked = await t.count(`${askedIn(TESTER)}: ${ASKED}, from 02:00:00:00:00:01`, 5000);
      if (asked !== 3) throw new Error(`asked ${asked} times`);
    },
  },
  {
    rule: 'RFC 4861 section 7.2.2',
    name: 'packets wait for the answer, and then go there',
    play: async t => {
      t.echo();
      await t.expect(ASKED);
      t.ndp(tell(TESTER, 'SO', { targetMac: mac(9) }));
      const { to } = await t.expect('echo reply');
      if (to !== '02:00:00:00:00:09') throw new Error(to);
    },
  },
  {
    rule: 'RFC 4861 section 7.2.5',
    name: 'an answer with a hop limit of 254 is none',
    play: async t => {
      t.echo();
      await t.expect(ASKED);
      t.ndp(tell(TESTER, 'SO', { targetMac: mac(2) }), TESTER, NODE, 254);
      await t.silence('echo reply', 500);
    },
  },
  {
    rule: 'RFC 4861 section 7.1.2',
    name: 'an answer to a group that says it was asked for is none',
    play: async t => {
      t.echo();
      await t.expect(ASKED);
      t.ndp(tell(TESTER, 'SO', { targetMac: mac(2) }), TESTER, 'ff02::1');
      await t.silence('echo reply', 500);
    },
  },
  {
    rule: 'RFC 4861 section 7.2.5',
    name: 'an answer without a hardware address does not help',
    play: async t => {
      t.echo();
      await t.expect(ASKED);
      t.ndp(tell(TESTER, 'SO'));
      await t.silence('echo reply', 500);
    },
  },
  {
    rule: 'RFC 4861 section 7.2.5',
    name: 'an announcement helps who is asking',
    play: async t => {
      t.echo();
      await t.expect(ASKED);
      t.ndp(tell(TESTER, 'O', { targetMac: mac(2) }), TESTER, 'ff02::1');
      await t.expect('echo reply');
    },
  },
  {
    rule: 'RFC 4861 section 7.2.5',
    name: 'an announcement of somebody unknown is not remembered',
    play: async t => {
      t.ndp(tell(TESTER, 'O', { targetMac: mac(2) }), TESTER, 'ff02::1');
      t.echo();
      await t.expect(ASKED);
    },
  },
  {
    rule: 'RFC 4861 section 7.2.5',
    name: 'another hardware address is believed with O',
    play: async t => {
      await introduce(t);
      t.ndp(tell(TESTER, 'SO', { targetMac: mac(9) }));
      t.echo();
      const { to } = await t.expect('echo reply');
      if (to !== '02:00:00:00:00:09') throw new Error(to);
    },
  },
  {
    rule: 'RFC 4861 section 7.2.5',
    name: 'another hardware address is not believed without O',
    play: async t => {
      await introduce(t);
      t.ndp(tell(TESTER, 'S', { targetMac: mac(9) }));
      t.echo();
      const { to } = await t.expect('echo reply');
      if (to !== '02:00:00:00:00:02') throw new Error(to);
    },
  },
  {
    rule: 'RFC 4861 section 7.2.3',
    name: 'who asks with his hardware address is known from then on',
    play: async t => {
      t.frame(QUESTION);
      await t.expect(HERE);
      t.echo();
      await t.expect('echo reply');
    },
  },
];

export const reachability: readonly Case[] = [
  {
    rule: 'RFC 4861 section 7.3.3',
    name: 'who is known only from his question is asked five seconds after the first packet to him',
    play: async t => {
      t.frame(QUESTION);
      await t.expect(HERE);
      t.echo();
      await t.expect('echo reply');
      await t.silence(ASKED, 4000);
      await t.expect(`${TESTER}: ${ASKED}`, 2500);
    },
  },
  {
    rule: 'RFC 4861 section 7.3.3',
    name: 'who does not answer three questions at his address is forgotten',
    play: async t => {
      t.frame(QUESTION);
      await t.expect(HERE);
      t.echo();
      await t.expect('echo reply');
      const asked = await t.count(`${TESTER}: ${ASKED}`, 10_000);
      if (asked !== 3) throw new Error(`asked ${asked} times`);
      t.echo();
      await t.expect(`${askedIn(TESTER)}: ${ASKED}`);
    },
  },
  {
    rule: 'RFC 4861 section 7.3.3',
    name: 'who answers is not asked again',
    play: async t => {
      t.frame(QUESTION);
      await t.expect(HERE);
      t.echo();
      await t.expect('echo reply');
      await t.expect(`${TESTER}: ${ASKED}`, 6000);
      t.ndp(tell(TESTER, 'S', { targetMac: mac(2) }));
      await t.silence(ASKED, 4000);
    },
  },
];

const OFF_LINK = { source: FAR } as const;

export const routers: readonly Case[] = [
  {
    rule: 'RFC 4861 section 6.3.7',
    name: 'a node without a router asks for one three times, four seconds apart',
    notLinux: 'it waits twice as long each time (RFC 7559)',
    node: { routerSolicitations: 3, addresses: [] },
    play: async t => {
      await t.expect(`${NODE_LOCAL} > ff02::2: router solicitation, from 02:00:00:00:00:01`, 3000);
      await t.silence('router solicitation', 3000);
      const more = await t.count('router solicitation', 9000);
      if (more !== 2) throw new Error(`asked ${more} times more`);
    },
  },
  {
    rule: 'RFC 4861 section 6.3.7',
    name: 'a node that has heard a router asks no more',
    node: { routerSolicitations: 3, addresses: [] },
    play: async t => {
      await t.expect('router solicitation', 3000);
      t.beRouter();
      await t.silence('router solicitation', 9000);
    },
  },
  {
    rule: 'RFC 4861 section 6.3.4',
    name: 'what goes beyond the link goes to the router',
    play: async t => {
      t.beRouter();
      t.echo(OFF_LINK);
      const { to } = await t.expect(`${NODE} > ${FAR}: echo reply`);
      if (to !== '02:00:00:00:00:02') throw new Error(to);
    },
  },
  {
    rule: 'RFC 4861 section 6.3.4',
    name: 'a router with a lifetime of 0 is none any more',
    play: async t => {
      t.beRouter();
      t.beRouter({ lifetime: 0 });
      t.echo(OFF_LINK);
      await t.silence('echo reply');
    },
  },
  {
    rule: 'RFC 4861 section 6.3.5',
    name: 'a router that is not heard again is none when its time is over',
    play: async t => {
      t.beRouter({ lifetime: 2 });
      t.echo(OFF_LINK);
      await t.expect('echo reply');
      await t.pass(3500);
      t.echo(OFF_LINK);
      await t.silence('echo reply');
    },
  },
  ...(
    [
      ['with a hop limit of 254', (t: Tester) => t.ndp(advert(), TESTER_LOCAL, 'ff02::1', 254)],
      ['from an address that is not link-local', (t: Tester) => t.ndp(advert(), TESTER, 'ff02::1')],
      [
        'with an option of length 0',
        (t: Tester) => t.frame(signed(changed(nd(advert(), TESTER_LOCAL, 'ff02::1'), 17, 0))),
      ],
      [
        'with a code that is not 0',
        (t: Tester) => t.frame(signed(changed(nd(advert(), TESTER_LOCAL, 'ff02::1'), 1, 1))),
      ],
      [
        'with a wrong checksum',
        (t: Tester) => t.frame(changed(nd(advert(), TESTER_LOCAL, 'ff02::1'), 2, 0x5a)),
      ],
    ] as const
  ).map(
    ([what, speak]): Case => ({
      rule: 'RFC 4861 section 6.1.2',
      name: `an advertisement ${what} is ignored`,
      play: async t => {
        speak(t);
        t.echo(OFF_LINK);
        await t.silence('echo reply');
      },
    }),
  ),
  {
    rule: 'RFC 4861 section 6.3.4',
    name: 'hosts of a prefix that is on the link are asked for there',
    play: async t => {
      t.beRouter({ options: { sourceMac: mac(2), prefixes: [prefix('2001:db8::', { autonomous: false })] } });
      t.echo(OFF_LINK);
      await t.expect(`who has ${FAR}`);
    },
  },
  {
    rule: 'RFC 4861 section 6.3.4',
    name: 'the hop limit is what the router says',
    play: async t => {
      t.beRouter({ hopLimit: 17 });
      t.echo(OFF_LINK);
      await t.expect('echo reply 7/1, 8 bytes, hop limit 17');
    },
  },
  {
    rule: 'RFC 4861 section 6.3.4',
    name: 'an unspecified hop limit changes nothing',
    play: async t => {
      t.beRouter({ hopLimit: 17 });
      t.beRouter({ hopLimit: 0 });
      t.echo(OFF_LINK);
      await t.expect('hop limit 17');
    },
  },
  {
    rule: 'RFC 4861 section 6.3.4',
    name: 'no packet is larger than the router says that the link takes',
    play: async t => {
      t.beRouter({ options: { sourceMac: mac(2), mtu: 1300 } });
      t.echo({ ...OFF_LINK, bytes: 1400 });
      await t.expect('fragment at 0+, 1248 bytes');
      await t.expect('fragment at 1248, 160 bytes');
    },
  },
  {
    rule: 'RFC 4861 section 6.3.4',
    name: 'an MTU below 1280 is ignored',
    play: async t => {
      t.beRouter({ options: { sourceMac: mac(2), mtu: 1279 } });
      t.echo({ ...OFF_LINK, bytes: 1400 });
      await t.expect('echo reply 7/1, 1400 bytes');
    },
  },
  {
    rule: 'RFC 4861 section 6.3.4',
    name: 'the time between two questions is what the router says',
    play: async t => {
      t.beRouter({ retransMs: 3000 });
      t.echo();
      await t.expect(ASKED);
      await t.silence(ASKED, 2400);
      await t.expect(ASKED, 1500);
    },
  },
];

function redirect(change: Partial<Record<'target' | 'destination', string>> = {}): NdpRepr {
  const { target = 'fe80::99', destination = FAR } = change;
  return {
    type: 137,
    target: addressOf(target),
    destination: addressOf(destination),
    options: { targetMac: mac(9) },
  };
}

function redirected(name: string, speak: (t: Tester) => void, to: string): Case {
  return {
    rule: 'RFC 4861 section 8.1',
    name,
    play: async t => {
      t.beRouter();
      t.echo(OFF_LINK);
      await t.expect('echo reply');
      speak(t);
      t.echo(OFF_LINK);
      const heard = await t.expect('echo reply');
      if (heard.to !== to) throw new Error(heard.to);
    },
  };
}

const ROUTER = '02:00:00:00:00:02';
const OTHER = '02:00:00:00:00:09';

export const redirects: readonly Case[] = [
  redirected('a better way is taken', t => t.ndp(redirect(), TESTER_LOCAL), OTHER),
  redirected(
    'a destination that turns out to be on the link is spoken to directly',
    t => t.ndp(redirect({ target: FAR }), TESTER_LOCAL),
    OTHER,
  ),
  redirected(
    'a redirect with a hop limit of 254 is ignored',
    t => t.ndp(redirect(), TESTER_LOCAL, NODE, 254),
    ROUTER,
  ),
  redirected('a redirect from who is not the router is ignored', t => t.ndp(redirect(), 'fe80::77'), ROUTER),
  redirected(
    'a redirect from an address that is not link-local is ignored',
    t => t.ndp(redirect(), TESTER),
    ROUTER,
  ),
  redirected(
    'a redirect about a group is ignored',
    t => t.ndp(redirect({ destination: 'ff02::5' }), TESTER_LOCAL),
    ROUTER,
  ),
  redirected(
    'a redirect to what is neither the destination nor link-local is ignored',
    t => t.ndp(redirect({ target: 'fd00::99' }), TESTER_LOCAL),
    ROUTER,
  ),
  redirected(
    'a redirect with an option of length 0 is ignored',
    t => t.frame(signed(changed(nd(redirect(), TESTER_LOCAL, NODE), 41, 0))),
    ROUTER,
  ),
];
