/**
 * Routers of either side configure hosts of the other: radvd and dnsmasq ours, our advertisements the Linux kernel. And
 * the groups that we join are seen by a bridge that listens.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Sysctl } from '../../src/core/sysctl.ts';
import type { Netif } from '../../src/net/netif.ts';
import { nodeEnv } from '../../src/node/env.ts';
import { addAddress, setUp } from '../../src/node/linux/netdev.ts';
import { openTap } from '../../src/node/linux/tap.ts';
import { Stack } from '../../src/stack/stack.ts';
import { IpAddress } from '../../src/wire/address.ts';
import { enterNetns } from '../node/linux/kernel.ts';
import { IPV6 } from './support/family.ts';
import { forward } from './support/place.ts';
import { type Program, run, shell, start } from './support/programs.ts';
import { skipUnless } from './support/skip.ts';
import { skipDad, sysctl } from './support/sysctl.ts';
import { sleep, until } from './support/until.ts';

const skip = skipUnless('ping');
const DEVICE = 'et0';
const ROUTER = 'fd66::1';
const PREFIX = 'fd66::';
const MTU = 1400;

describe('router advertisements', { skip, timeout: 60_000 }, () => {
  const open: { close(): unknown }[] = [];
  let folder = '';

  beforeEach(() => {
    enterNetns();
    skipDad();
    folder = mkdtempSync(join(tmpdir(), 'ethertype-'));
  });
  afterEach(async () => {
    for (const thing of open.splice(0).reverse()) await thing.close();
    rmSync(folder, { recursive: true });
  });

  /** Our host on a TAP device, with IPv6 and no address unless one is given. */
  function host(settings: Partial<Sysctl> = {}, ...addresses: string[]): [Stack, Netif] {
    const env = nodeEnv();
    const tap = openTap({ name: DEVICE, env });
    setUp(DEVICE);
    // The first question is asked at once, and one address is not waited for longer than it takes.
    const sysctls = { dad_transmits: 0, router_solicitation_delay: 0, router_solicitation_interval: 1 };
    const stack = new Stack({ env, sysctl: { ...sysctls, ...settings } });
    open.push(stack);
    const index = stack.attach(tap, { addresses, ipv6: true });
    return [stack, stack.ip.netif(index) ?? assert.fail()];
  }

  /** The kernel as a router that has an address on the link. */
  function kernelRouter(): void {
    addAddress(DEVICE, `${ROUTER}/64`);
    forward(IPV6);
  }

  function daemon(command: string, args: readonly string[]): Program {
    const program = start(command, args);
    open.push({ close: () => program.stop() });
    return program;
  }

  function radvd(): Program {
    const file = join(folder, 'radvd.conf');
    writeFileSync(
      file,
      `interface ${DEVICE} {
        AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; AdvLinkMTU ${MTU}; AdvDefaultLifetime 100;
        prefix ${PREFIX}/64 { AdvValidLifetime 300; AdvPreferredLifetime 200; };
        RDNSS fd66::53 fd66::54 { AdvRDNSSLifetime 300; };
      };`,
    );
    return daemon('radvd', ['-n', '-C', file, '-p', join(folder, 'pid'), '-m', 'stderr']);
  }

  /** The address that our host made itself, once it has one. */
  async function slaacAddress(netif: Netif, program: Program): Promise<IpAddress> {
    const find = () => netif.ipv6?.addresses.find(({ origin, usable }) => origin === 'slaac' && usable);
    await until(
      () => find() !== undefined,
      () => program.report,
    );
    return find()?.address ?? assert.fail();
  }

  const pingUs = (address: IpAddress) => run('ping', ['-n', '-c', '1', '-w', '10', `${address}`]);
  const kernelLinkLocal = async () =>
    /inet6 (fe80:\S+)\//.exec(await shell(`ip -6 addr show dev ${DEVICE} scope link`))?.[1] ?? assert.fail();

  it('of radvd: an address, routes, the MTU, name servers; and that it is gone', {
    skip: skipUnless('radvd'),
  }, async () => {
    const [stack, netif] = host();
    kernelRouter();
    const program = radvd();
    const address = await slaacAddress(netif, program);
    const { ip } = stack;
    assert.ok(address.inPrefix(IpAddress.parse(PREFIX) ?? assert.fail(), 64), `${address}`);
    await pingUs(address);
    const router = `${await kernelLinkLocal()}%${netif.name}`;
    assert.deepEqual(
      ip.ipv6.defaultRouters.map(each => ip.textOf(each)),
      [router],
    );
    const far = ip.route(IpAddress.parse('2001:db8::1') ?? assert.fail(), null);
    assert.ok(typeof far !== 'number');
    assert.deepEqual([ip.textOf(far.nextHop), far.mtu, `${far.source}`], [router, MTU, `${address}`]);
    assert.deepEqual(ip.ipv6.nameServers.map(String), ['fd66::53', 'fd66::54']);
    // With its last word it takes back that it is a router; the address stays.
    await program.stop();
    await until(
      () => ip.ipv6.defaultRouters.length === 0,
      () => program.report,
    );
    await pingUs(address);
  });

  it('of dnsmasq: an address, a route, and dnsmasq itself as name server', {
    skip: skipUnless('dnsmasq'),
  }, async () => {
    const [stack, netif] = host();
    kernelRouter();
    const program = daemon('dnsmasq', [
      ...['--keep-in-foreground', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--log-facility=-'],
      ...[`--interface=${DEVICE}`, '--bind-interfaces', '--user=root', `--pid-file=${join(folder, 'pid')}`],
      ...['--enable-ra', '--ra-param=*,5', `--dhcp-range=${PREFIX},ra-only,64,10m`],
    ]);
    const address = await slaacAddress(netif, program);
    assert.ok(address.inPrefix(IpAddress.parse(PREFIX) ?? assert.fail(), 64), `${address}`);
    await pingUs(address);
    const router = `${await kernelLinkLocal()}%${netif.name}`;
    const { defaultRouters, nameServers } = stack.ip.ipv6;
    for (const list of [defaultRouters, nameServers])
      assert.deepEqual(
        list.map(each => stack.ip.textOf(each)),
        [router],
      );
  });

  it('of ours: the kernel has an address, our address as its way out, and our MTU', async () => {
    const [stack, netif] = host({ forwarding: true }, `${ROUTER}/64`);
    sysctl(`ipv6/conf/${DEVICE}/router_solicitation_delay`, 0);
    const nameServers = [IpAddress.parse('fd66::53') ?? assert.fail()];
    stack.ip.ipv6.advertise(netif, { mtu: MTU, nameServers, lifetime: 600 });
    const addresses = () => shell(`ip -6 addr show dev ${DEVICE} scope global`);
    let text = '';
    for (let tries = 0; tries < 200 && !/dynamic/.test(text); tries++) {
      await sleep(50);
      text = await addresses();
    }
    assert.match(text, /inet6 fd66::\S+\/64 .*dynamic/);
    const linkLocal = netif.ipv6?.linkLocal?.withZone(0);
    const route = await shell('ip -6 route show default');
    assert.match(route, new RegExp(`^default via ${linkLocal} dev ${DEVICE} proto ra .*expires \\d+sec`));
    assert.equal(readFileSync(`/proc/sys/net/ipv6/conf/${DEVICE}/mtu`, 'latin1').trim(), `${MTU}`);
    await run('ping', ['-n', '-c', '1', '-w', '10', ROUTER]);
    // The last word of a router.
    stack.ip.ipv6.advertise(netif, null);
    for (let tries = 0; tries < 200 && (await shell('ip -6 route show default')) !== ''; tries++)
      await sleep(50);
    assert.equal(await shell('ip -6 route show default'), '');
  });

  it('of ours, in the words of rdisc6', { skip: skipUnless('rdisc6') }, async () => {
    const [stack, netif] = host({ forwarding: true }, `${ROUTER}/64`);
    const nameServers = [IpAddress.parse('fd66::53') ?? assert.fail()];
    stack.ip.ipv6.advertise(netif, { mtu: MTU, nameServers, lifetime: 600, hopLimit: 61, managed: true });
    await sleep(50);
    const { stdout } = await run('rdisc6', ['-1', '-w', '4000', DEVICE]);
    for (const line of [
      /^Hop limit +: +61 /m,
      /^Stateful address conf. +: +Yes$/m,
      /^Router lifetime +: +600 /m,
      /^ Prefix +: fd66::\/64$/m,
      /^ {2}On-link +: +Yes$/m,
      /^ {2}Autonomous address conf.: +Yes$/m,
      /^ MTU +: +1400 bytes/m,
      /^ Recursive DNS server +: fd66::53$/m,
      new RegExp(`^ from ${netif.ipv6?.linkLocal?.withZone(0)}$`, 'm'),
    ])
      assert.match(stdout, line);
  });
});

describe('multicast listener reports', { skip, timeout: 30_000 }, () => {
  it('tell a bridge of the kernel which groups we are in, when we join and when it asks', async () => {
    enterNetns();
    skipDad();
    await shell(
      `ip link add br0 type bridge mcast_snooping 1 mcast_querier 1 && ip addr add ${ROUTER}/64 dev br0`,
    );
    const env = nodeEnv();
    const tap = openTap({ name: DEVICE, env });
    const stack = new Stack({ env, sysctl: { dad_transmits: 0 } });
    try {
      await shell(`ip link set ${DEVICE} master br0 && ip link set ${DEVICE} up && ip link set br0 up`);
      const index = stack.attach(tap, { address6: 'fd66::2/64' });
      const netif = stack.ip.netif(index) ?? assert.fail();
      const group = IpAddress.parse('ff05::1:3') ?? assert.fail();
      stack.ip.ipv6.join(netif, group);
      const groups = () => shell('bridge mdb show dev br0');
      const seen = async (what: RegExp, wanted: boolean): Promise<void> => {
        for (let tries = 0; tries < 200 && what.test(await groups()) !== wanted; tries++) await sleep(50);
        assert.equal(what.test(await groups()), wanted, await groups());
      };
      await seen(/grp ff05::1:3 /, true);
      await seen(/grp ff02::1:ff00:2 /, true);
      await until(
        () => stack.mib.Icmp6.InGroupMembQueries > 0,
        () => 'no query',
      );
      stack.ip.ipv6.leave(netif, group);
      await seen(/grp ff05::1:3 /, false);
    } finally {
      stack.close();
    }
  });
});
