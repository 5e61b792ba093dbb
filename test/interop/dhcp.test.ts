/**
 * DHCP from dnsmasq, in a network namespace over a TAP device. dnsmasq grants no lease under two minutes; so the
 * stack's clock goes 20 times as fast as that of the machine, and half of such a lease is over after three seconds.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Env, Task } from '../../src/core/env.ts';
import type { DhcpClientOptions, Ipv4Settings } from '../../src/dhcp/ipv4-configuration.ts';
import { nodeEnv } from '../../src/node/env.ts';
import { addAddress, removeAddress, setUp } from '../../src/node/linux/netdev.ts';
import { openTap } from '../../src/node/linux/tap.ts';
import type { TapLink } from '../../src/node/linux/tap-link.ts';
import { type AttachOptions, Stack } from '../../src/stack/stack.ts';
import { type ConfigEvent, TRACE_CONFIG } from '../../src/trace/events.ts';
import { TraceLog } from '../../src/trace/sink.ts';
import { enterNewNetwork } from './network.ts';
import { type Program, start } from './support/programs.ts';
import { skipUnless } from './support/skip.ts';
import { skipDad } from './support/sysctl.ts';
import { until } from './support/until.ts';

const SPEED = 20;
const DEVICE = 'et0';
const MAC = Uint8Array.of(2, 0, 0, 0, 0, 9);

/** A clock that goes faster than the machine's, and its alarm clock with it. */
function fastEnv(speed: number): Env {
  const real = nodeEnv();
  const startUs = real.nowUs();
  return {
    nowUs: () => startUs + (real.nowUs() - startUs) * speed,
    task(run: () => void): Task {
      const task = real.task(run);
      return {
        wakeAt: atUs => task.wakeAt(startUs + Math.ceil((atUs - startUs) / speed)),
        cancel: () => task.cancel(),
      };
    },
    fillRandom: out => real.fillRandom(out),
    settled: () => real.settled(),
  };
}

describe('DHCP from dnsmasq', { skip: skipUnless('dnsmasq'), timeout: 60_000 }, () => {
  let folder = '';
  let link: TapLink;
  let stack: Stack;
  let log: TraceLog;
  let dnsmasq: Program | null = null;

  beforeEach(() => {
    enterNewNetwork();
    skipDad();
    folder = mkdtempSync(join(tmpdir(), 'ethertype-dhcp-'));
    // It stays when the stack closes it, for what dnsmasq has not read yet.
    assert.equal(spawnSync('ip', ['tuntap', 'add', 'dev', DEVICE, 'mode', 'tap']).status, 0);
    link = openTap({ name: DEVICE, env: nodeEnv(), mac: MAC });
    addAddress(DEVICE, '10.99.0.1/24');
    setUp(DEVICE);
  });

  afterEach(async () => {
    stack?.close();
    link.close();
    await dnsmasq?.stop('SIGKILL');
    dnsmasq = null;
    rmSync(folder, { recursive: true });
  });

  const serve = async (...args: string[]): Promise<Program> => {
    await dnsmasq?.stop('SIGKILL');
    const own = [`--dhcp-leasefile=${join(folder, 'leases')}`, '--conf-file=/dev/null', '--user=root'];
    const quick = ['--keep-in-foreground', '--log-facility=-', '--port=0', '--no-resolv', '--no-ping'];
    dnsmasq = start('dnsmasq', [...own, ...quick, `--interface=${DEVICE}`, '--bind-interfaces', ...args]);
    await dnsmasq.says(/IP range|stateless|router advertisement/);
    return dnsmasq;
  };
  const begin = (options: AttachOptions = { dhcp: true }): Stack => {
    log = new TraceLog(TRACE_CONFIG);
    stack = new Stack({ env: fastEnv(SPEED), trace: log });
    assert.ok(stack.attach(link, options) > 0);
    return stack;
  };
  const states = (): string => (log.events as ConfigEvent[]).map(({ to }) => to).join(' ');
  const bound = (pattern: RegExp): Promise<void> =>
    until(
      () => pattern.test(states()),
      () => `${pattern} in ${states()}\n${dnsmasq?.report}`,
    );
  const configured = async (options: DhcpClientOptions = {}): Promise<Ipv4Settings> => {
    const [settings] = await begin({ dhcp: options }).configured();
    assert.ok(settings !== undefined);
    return settings;
  };
  const text = ({ address, prefixLength }: Ipv4Settings): string => `${address}/${prefixLength}`;

  it('a lease with all its options, and its end', async () => {
    const server = await serve(
      '--dhcp-range=10.99.0.50,10.99.0.50,2m',
      '--dhcp-option=option:router,10.99.0.254',
      '--dhcp-option=option:dns-server,10.99.0.53,10.99.0.54',
      '--dhcp-option=option:domain-search,eng.example.test,example.test',
      '--dhcp-option=option:mtu,1400',
      '--domain=example.test',
    );
    const settings = await configured({ hostName: 'visitor' });
    assert.equal(`${text(settings)} ${settings.source}`, '10.99.0.50/24 dhcp');
    assert.equal(settings.lease?.leaseSeconds, 120);
    assert.equal(String(settings.lease?.server), '10.99.0.1');
    assert.deepEqual(stack.nameServers.map(String), ['10.99.0.53', '10.99.0.54']);
    assert.deepEqual(stack.searchDomains, ['eng.example.test', 'example.test']);
    assert.equal(stack.ip.netif(2)?.mtu, 1400);
    const route = stack.ip.routes.lookup(settings.address, 0);
    assert.equal(route?.protocol, 'kernel');
    const [defaultRoute] = stack.ip.routes.list().filter(({ prefixLength }) => prefixLength === 0);
    assert.equal(String(defaultRoute?.gateway), '10.99.0.254');
    assert.match(server.stderr, /DHCPACK\(et0\) 10\.99\.0\.50 02:00:00:00:00:09 visitor/);
    const [neighbor] = stack.ip.neighbors.list();
    await until(
      () => neighbor?.isValid === true,
      () => 'the hardware address of the server',
    );
    stack.close();
    await server.says(/DHCPRELEASE\(et0\) 10\.99\.0\.50 02:00:00:00:00:09/);
  });

  it('classless routes', async () => {
    await serve(
      '--dhcp-range=10.99.0.50,10.99.0.59,2m',
      '--dhcp-option=option:classless-static-route,192.0.2.0/24,10.99.0.7,0.0.0.0/0,10.99.0.8',
    );
    await configured({ probe: false });
    const routes = stack.ip.routes.list().filter(({ protocol }) => protocol === 'dhcp');
    assert.deepEqual(
      routes.map(({ destination, prefixLength, gateway }) => `${destination}/${prefixLength} ${gateway}`),
      ['192.0.2.0/24 10.99.0.7', '0.0.0.0/0 10.99.0.8'],
    );
  });

  it('more time at half of it', async () => {
    const server = await serve('--dhcp-range=10.99.0.50,10.99.0.59,2m');
    const { lease } = await configured({ probe: false });
    await bound(/BOUND RENEWING BOUND$/);
    const renewed = stack.autoconfiguration.settings?.[0]?.lease;
    const laterUs = (renewed?.expiresUs ?? 0) - (lease?.expiresUs ?? 0);
    assert.ok(laterUs >= 60e6 && laterUs < 100e6, `${laterUs}`);
    assert.doesNotMatch(server.stderr, /DHCPACK.*DHCPDISCOVER/s);
    assert.match(server.stderr, /DHCPACK.*DHCPREQUEST.*DHCPACK/s);
  });

  it('an address that is granted no more is refused, and another one taken', async () => {
    await serve('--dhcp-range=10.99.0.50,10.99.0.50,2m', '--dhcp-authoritative');
    await configured({ probe: false });
    rmSync(join(folder, 'leases'));
    const server = await serve('--dhcp-range=10.99.0.70,10.99.0.70,2m', '--dhcp-authoritative');
    await bound(/RENEWING INIT SELECTING REQUESTING CHECKING BOUND$/);
    assert.match(server.stderr, /DHCPNAK\(et0\) 10\.99\.0\.50/);
    assert.deepEqual(stack.ip.netif(2)?.addresses.map(text as never), ['10.99.0.70/24']);
  });

  it('another server in its place is found when everybody is asked', async () => {
    await serve('--dhcp-range=10.99.0.50,10.99.0.59,2m');
    const { address } = await configured({ probe: false });
    await dnsmasq?.stop('SIGKILL');
    removeAddress(DEVICE, '10.99.0.1/24');
    addAddress(DEVICE, '10.99.0.2/24');
    rmSync(join(folder, 'leases'));
    await serve('--dhcp-range=10.99.0.50,10.99.0.59,2m', '--dhcp-authoritative');
    await bound(/BOUND RENEWING REBINDING BOUND$/);
    const [settings] = stack.autoconfiguration.settings ?? [];
    assert.equal(String(settings?.lease?.server), '10.99.0.2');
    assert.ok(settings?.address.equals(address));
  });

  it('an address that somebody uses is declined, and not offered again', async () => {
    const server = await serve(
      '--dhcp-range=10.99.0.60,10.99.0.69,2m',
      '--dhcp-host=02:00:00:00:00:09,10.99.0.50',
    );
    // The kernel answers ARP for all of its addresses on all of its interfaces.
    addAddress('lo', '10.99.0.50/32');
    const settings = await configured();
    assert.match(states(), /^INIT SELECTING REQUESTING CHECKING INIT SELECTING REQUESTING CHECKING BOUND$/);
    assert.match(server.stderr, /DHCPDECLINE\(et0\) 10\.99\.0\.50 02:00:00:00:00:09/);
    assert.match(text(settings), /^10\.99\.0\.6\d\/24$/);
  });

  it('with the address it had, a quick return', async () => {
    const server = await serve('--dhcp-range=10.99.0.50,10.99.0.59,2m');
    const { address } = await configured({ probe: false });
    stack.autoconfiguration.stop(stack.ip.netif(2) as never);
    const again = stack.autoconfiguration.startDhcp(stack.ip.netif(2) as never, {
      probe: false,
      lastAddress: String(address),
    });
    assert.equal(again, 0);
    await stack.configured();
    assert.match(states(), /STOPPED INIT_REBOOT REBOOTING CHECKING BOUND$/);
    assert.doesNotMatch(server.stderr, /DHCPACK.*DHCPDISCOVER/s);
  });

  it('name servers by stateless DHCPv6, as the router advertisement says', async () => {
    addAddress(DEVICE, 'fd99::1/64');
    await serve(
      '--enable-ra',
      '--dhcp-range=fd99::,ra-stateless,ra-names',
      '--dhcp-option=option6:dns-server,[fd99::53]',
      '--dhcp-option=option6:domain-search,example.test',
    );
    begin({ ipv6: true });
    await bound(/WAITING REQUESTING INFORMED/);
    assert.deepEqual(stack.ip.dns.serversOf('dhcpv6').map(String), ['fd99::53']);
    assert.deepEqual(stack.searchDomains, ['example.test']);
  });
});
