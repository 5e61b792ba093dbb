/**
 * The option --dhcp of the commands: what they say, and that they give the lease back.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { CommandProcess, runProgram } from './command-process.ts';
import { cannotRun, enterNewNetwork } from './network.ts';
import { type Program, start } from './support/programs.ts';

describe('--dhcp over a TAP device', { skip: cannotRun('dnsmasq', 'setpriv'), timeout: 60_000 }, () => {
  let folder = '';
  let dnsmasq: Program;

  beforeEach(async () => {
    enterNewNetwork();
    folder = mkdtempSync(join(tmpdir(), 'ethertype-dhcp-'));
    runProgram('ip', 'tuntap', 'add', 'dev', 'tap0', 'mode', 'tap');
    runProgram('ip', 'address', 'add', '10.99.0.1/24', 'dev', 'tap0');
    runProgram('ip', 'link', 'set', 'tap0', 'up');
    const files = [`--dhcp-leasefile=${join(folder, 'leases')}`, '--conf-file=/dev/null', '--user=root'];
    const quick = ['--keep-in-foreground', '--log-facility=-', '--port=0', '--no-resolv', '--no-ping'];
    const range = ['--dhcp-range=10.99.0.50,10.99.0.50,1h', '--dhcp-option=option:dns-server,10.99.0.53'];
    dnsmasq = start('dnsmasq', [...files, ...quick, '--interface=tap0', '--bind-interfaces', ...range]);
    await dnsmasq.says(/IP range/);
  });
  afterEach(async () => {
    await dnsmasq.stop('SIGKILL');
    rmSync(folder, { recursive: true });
  });

  it('says what came, works with it, and gives it back', async () => {
    const command = new CommandProcess({ runtime: folder }, 'ping', '--dhcp', '-c', '1', '10.99.0.1');
    const { status, out, err } = await command.end();
    assert.equal(status, 0, err);
    assert.match(out, /64 bytes from 10\.99\.0\.1: icmp_seq=1/);
    assert.equal(
      err,
      'DHCP: 10.99.0.50/24 from 10.99.0.1 for 1 h 0 min ; router 10.99.0.1 ; name servers 10.99.0.53\n' +
        'This stack is 10.99.0.50 ; kernel side tap0\n',
    );
    await dnsmasq.says(/DHCPRELEASE\(tap0\) 10\.99\.0\.50/);
  });

  it('a server that is told to end gives it back, too', async () => {
    const command = new CommandProcess({ runtime: folder }, 'serve', folder, '--dhcp', '--trace', 'config');
    await command.ready();
    const { err } = await command.end('SIGTERM');
    assert.match(err, /tap0 dhcp: CHECKING -> BOUND \(address is free\) 10\.99\.0\.50/);
    assert.match(err, /^Reach it at http:\/\/10\.99\.0\.50\//m);
    await dnsmasq.says(/DHCPRELEASE\(tap0\) 10\.99\.0\.50/);
  });
});
