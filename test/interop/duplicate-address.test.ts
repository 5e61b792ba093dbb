/**
 * Two hosts, the kernel and ours, that want the same IPv6 address: whoever comes second gives way.
 */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { EADDRNOTAVAIL } from '../../src/base/errno.ts';
import type { Ipv6Address } from '../../src/net/ipv6-address.ts';
import { nodeEnv } from '../../src/node/env.ts';
import { addAddress, setUp } from '../../src/node/linux/netdev.ts';
import { openTap } from '../../src/node/linux/tap.ts';
import { AF_INET6, SOCK_DGRAM } from '../../src/socket/constants.ts';
import { Stack } from '../../src/stack/stack.ts';
import { IpAddress } from '../../src/wire/address.ts';
import { enterNetns } from '../node/linux/kernel.ts';
import { run, shell } from './support/programs.ts';
import { skipUnless } from './support/skip.ts';
import { sleep, until } from './support/until.ts';

const skip = skipUnless('ping');
const DEVICE = 'et0';
const CIDR = 'fd65::2/64';
const ADDRESS = 'fd65::2';
const OTHER = 'fd65::3';

describe('the same IPv6 address', { skip, timeout: 60_000 }, () => {
  let stack: Stack;

  beforeEach(() => {
    enterNetns();
    const env = nodeEnv();
    const tap = openTap({ name: DEVICE, env });
    setUp(DEVICE);
    stack = new Stack({ env, sysctl: { router_solicitation_delay: 0 } });
    stack.attach(tap);
  });
  afterEach(() => stack.close());

  /** Gives it to our host, which asks whether it is somebody's. */
  function take(address: string): Ipv6Address {
    const netif = stack.ip.netif('eth0') ?? assert.fail();
    const parsed = IpAddress.parse(address) ?? assert.fail();
    assert.equal(netif.addAddress(parsed, 64), 0);
    return netif.ipv6?.find(parsed) ?? assert.fail();
  }

  const certain = (entry: Ipv6Address): Promise<void> =>
    until(
      () => entry.check === 'done' || entry.check === 'duplicate',
      () => entry.check,
    );
  /** The kernel's state of it: 'dadfailed', 'tentative', or '' when it is the kernel's. */
  const kernelSays = async (): Promise<string> =>
    / (tentative|dadfailed)/.exec(await shell(`ip -6 addr show dev ${DEVICE} to ${ADDRESS}`))?.[1] ?? '';

  it("is the kernel's: ours is a duplicate, and not used; another one of ours is", async () => {
    addAddress(DEVICE, CIDR);
    const [wanted, other] = [take(ADDRESS), take(OTHER)];
    await Promise.all([certain(wanted), certain(other)]);
    assert.deepEqual([wanted.check, other.check], ['duplicate', 'done']);
    assert.equal(await kernelSays(), '');
    const fd = stack.sys.socket(AF_INET6, SOCK_DGRAM, 0);
    assert.equal(stack.sys.bind(fd, { address: ADDRESS, port: 7 }), -EADDRNOTAVAIL);
    assert.equal(stack.sys.bind(fd, { address: OTHER, port: 7 }), 0);
    await run('ping', ['-n', '-c', '1', '-w', '10', OTHER]);
  });

  it('is ours: the kernel finds out', async () => {
    const entry = take(ADDRESS);
    await certain(entry);
    await shell(`ip addr add ${CIDR} dev ${DEVICE}`);
    for (let tries = 0; tries < 100 && (await kernelSays()) !== 'dadfailed'; tries++) await sleep(50);
    assert.equal(await kernelSays(), 'dadfailed');
    assert.equal(entry.check, 'done');
  });

  it('is wanted by both at once: not both have it', async () => {
    await shell(`ip addr add ${CIDR} dev ${DEVICE}`);
    const entry = take(ADDRESS);
    await certain(entry);
    for (let tries = 0; tries < 100 && (await kernelSays()) === 'tentative'; tries++) await sleep(50);
    assert.notDeepEqual([entry.check, await kernelSays()], ['done', '']);
  });
});
