import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEFAULT_SYSCTL, type Sysctl } from '../../src/core/sysctl.ts';
import { type Machine, Shell } from '../../src/packetdrill/commands.ts';
import { Settings } from '../../src/packetdrill/settings.ts';
import { VirtualFiles } from '../../src/packetdrill/virtual-files.ts';

class FakeMachine implements Machine {
  readonly sysctl: Sysctl = { ...DEFAULT_SYSCTL };
  readonly settings = new Settings(this.sysctl, () => {});
  readonly files = new VirtualFiles();
  readonly mib = new Map([['TcpExtOutOfWindowIcmps', 0]]);
  nowUs = 0;
  drops = false;
  mtu = 1500;
  flushes = 0;

  counters(): Map<string, number> {
    return new Map(this.mib);
  }

  procFile(path: string): string | null {
    return path === '/proc/net/tcp' ? 'sl\n   0: 0100A8C0:1F90 00000000:0000 0A 00000000' : null;
  }

  changeRoute(): void {}

  changeMtu(bytes: number): void {
    this.mtu = bytes;
  }

  flushMetrics(): void {
    this.flushes++;
  }

  dropAll(on: boolean): void {
    this.drops = on;
  }

  async sleepUntil(atUs: number): Promise<void> {
    this.nowUs = atUs;
  }
}

function shell(files: Record<string, string> = {}): {
  run: (text: string) => Promise<void>;
  machine: FakeMachine;
} {
  const machine = new FakeMachine();
  const it = new Shell(machine, path => files[path] ?? null);
  return { machine, run: text => it.run(text) };
}

describe('packetdrill: the shell', () => {
  it('lists, comments, continued lines, quotes and arithmetic', async () => {
    const { run, machine } = shell();
    await run(`sysctl -q net.ipv4.tcp_sack=0   # off
      sysctl -q \\
        net.ipv4.tcp_rmem="4096 $((3*1000)) 6000" \\
        net/ipv4/tcp_dsack=0 > /dev/null 2>&1; sleep 0.5`);
    assert.equal(machine.sysctl.tcp_sack, false);
    assert.equal(machine.sysctl.tcp_dsack, false);
    assert.deepEqual(machine.sysctl.tcp_rmem, [4096, 3000, 6000]);
    assert.equal(machine.nowUs, 500_000);
  });

  it('what fails is an error, unless || says what then', async () => {
    const { run, machine } = shell();
    await assert.rejects(run('false'), /'false': non-zero status 1/);
    await assert.rejects(run('false ; true'), /non-zero status 1/);
    await assert.rejects(run('true && false'), /non-zero status 1/);
    await run('false || sysctl -q net.ipv4.tcp_sack=0 && true');
    assert.equal(machine.sysctl.tcp_sack, false);
    await run('false && frobnicate || true');
    await run('sysctl -q net.ipv4.frobnicated=0 &> /dev/null || true');
    await assert.rejects(run('sysctl -q net.ipv4.frobnicated=0'), /unknown sysctl 'net\.ipv4\.frobnicated'/);
    await run('sysctl -e -q net.ipv4.frobnicated=0');
  });

  it('unknown commands, options and values are errors', async () => {
    const { run } = shell();
    for (const [text, message] of [
      ['frobnicate', /unknown command 'frobnicate'/],
      ['ip link set dev lo up', /unknown command 'ip link/],
      ['ip route change 192.0.2.1 dev tun0 rtt 600', /routes have no rtt/],
      ['tc qdisc add dev tun0 root netem delay 10ms', /no queueing discipline 'netem/],
      ['ethtool -K tun0 tso on', /the link cannot/],
      ['echo 1 > /etc/passwd', /writing to \/etc\/passwd/],
      ['sysctl -q net.ipv4.tcp_sack=yes', /'yes' is not a number/],
      ['sysctl -q net.ipv4.tcp_rmem="1 2"', /needs 3 numbers/],
      ['sysctl -q net.ipv4.tcp_congestion_control=vegas', /there are cubic, reno, bbr, not 'vegas'/],
      ['sysctl -q net.ipv4.tcp_available_congestion_control=bbr', /is only for reading/],
      ['sysctl -q net.ipv4.tcp_ecn=3', /there is no Accurate ECN/],
      ['true &', /'&' is not understood/],
      ["echo 'x", /' without end/],
      ['echo $HOME', /unknown variable \$HOME/],
      ['./nowhere.sh', /nowhere\.sh: not found/],
    ] as const) {
      await assert.rejects(run(text), message, text);
    }
  });

  it('set_sysctls.py can be undone', async () => {
    const { run, machine } = shell();
    await run(
      '../common/set_sysctls.py /proc/sys/net/ipv4/tcp_timestamps=0 /proc/sys/net/ipv4/tcp_wmem="4096 5000 6000"',
    );
    assert.equal(machine.sysctl.tcp_timestamps, 0);
    assert.deepEqual(machine.sysctl.tcp_wmem, [4096, 5000, 6000]);
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's.
    await run('/tmp/sysctl_restore_${PPID}.sh');
    assert.equal(machine.sysctl.tcp_timestamps, DEFAULT_SYSCTL.tcp_timestamps);
    assert.deepEqual(machine.sysctl.tcp_wmem, DEFAULT_SYSCTL.tcp_wmem);
  });

  it('nstat tells what changed since the last time, grep finds it or fails', async () => {
    const { run, machine } = shell();
    await run('nstat > /dev/null');
    await assert.rejects(run('nstat | grep TcpExtOutOfWindowIcmps'), /non-zero status 1/);
    machine.mib.set('TcpExtOutOfWindowIcmps', 2);
    await run('nstat | grep TcpExtOutOfWindowIcmps > /dev/null');
    await assert.rejects(run('nstat | grep -q TcpExtOutOfWindowIcmps'), /non-zero status 1/);
    await run('grep " 0A " /proc/net/tcp | grep ":1F90"');
    await assert.rejects(run('grep " 01 " /proc/net/tcp'), /non-zero status 1/);
  });

  it('scripts within scripts, with a limit', async () => {
    const { run, machine } = shell({
      './a.sh': '#!/bin/sh\n./b.sh',
      './b.sh': 'sysctl -q net.ipv4.tcp_sack=0',
      './c.sh': './c.sh',
    });
    await run('./a.sh');
    assert.equal(machine.sysctl.tcp_sack, false);
    await assert.rejects(run('./c.sh'), /too many scripts within each other/);
  });

  it('queueing disciplines, files and routes', async () => {
    const { run, machine } = shell();
    await run('tc qdisc delete dev tun0 root 2>/dev/null ; tc qdisc add dev tun0 root pfifo limit 0');
    assert.equal(machine.drops, true);
    await run('tc qdisc replace dev tun0 root fq');
    assert.equal(machine.drops, false);
    await run('/bin/rm -f /tmp/x; /bin/dd bs=10 count=5 if=/dev/zero of=/tmp/x status=none');
    assert.equal(machine.files.lengthOf('/tmp/x'), 50);
    await run('rm /tmp/x; ip tcp_metrics flush all; ethtool -K tun0 tso off gso off');
    assert.equal(machine.files.lengthOf('/tmp/x'), undefined);
    await run('ip link set dev tun0 mtu 9000');
    assert.equal(machine.mtu, 9000);
    await run('ip route change 192.0.2.1 via 192.168.0.2 dev tun0 initcwnd 11');
    assert.equal(machine.sysctl.ethertype_init_cwnd, 11);
  });
});
