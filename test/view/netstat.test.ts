import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Mib } from '../../src/core/mib.ts';
import { formatNetstat, formatProcNetstat, formatProcSnmp, formatProcSnmp6 } from '../../src/view/netstat.ts';

test('/proc/net/snmp: a line of names and a line of values for each group', () => {
  const mib = new Mib();
  mib.Ip.InReceives = 3;
  mib.Tcp.ActiveOpens = 1;
  const lines = formatProcSnmp(mib).split('\n');
  assert.deepEqual(
    lines.map(line => line.split(' ')[0]),
    ['Ip:', 'Ip:', 'Icmp:', 'Icmp:', 'Tcp:', 'Tcp:', 'Udp:', 'Udp:', ''],
  );
  const value = (line: number, name: string): string | undefined =>
    lines[line + 1]?.split(' ')[lines[line]?.split(' ').indexOf(name) ?? -1];
  assert.equal(value(0, 'InReceives'), '3');
  assert.equal(value(4, 'ActiveOpens'), '1');
  assert.equal(value(4, 'PassiveOpens'), '0');
});

test('/proc/net/netstat has TcpExt and IpExt', () => {
  const mib = new Mib();
  mib.TcpExt.TCPKeepAlive = 21;
  const [names = '', values = '', ...rest] = formatProcNetstat(mib).split('\n');
  assert.match(names, /^TcpExt: SyncookiesSent /);
  assert.equal(values.split(' ')[names.split(' ').indexOf('TCPKeepAlive')], '21');
  assert.match(rest[0] ?? '', /^IpExt: .* InOctets /);
});

test('/proc/net/snmp6 has a line for each counter', () => {
  const mib = new Mib();
  mib.Udp6.NoPorts = 5;
  const lines = formatProcSnmp6(mib).split('\n');
  assert.equal(lines[0], 'Ip6InReceives                   \t0');
  assert.ok(lines.includes('Udp6NoPorts                     \t5'));
  assert.ok(lines.includes('Icmp6InMsgs                     \t0'));
});

test('netstat -s shows what is not zero, in words where there are any', () => {
  const mib = new Mib();
  mib.Tcp.InSegs = 7;
  mib.TcpExt.TCPOrigDataSent = 2;
  mib.Icmp6.InRouterAdvertisements = 3;
  mib.Udp6.InDatagrams = 4;
  assert.deepEqual(formatNetstat(mib), [
    'Ip:',
    'Ip6:',
    'Icmp:',
    'Icmp6:',
    '    3 router advertisements received',
    'Tcp:',
    '    7 segments received',
    'Udp:',
    'Udp6:',
    '    4 datagrams received',
    'TcpExt:',
    '    TCPOrigDataSent: 2',
    'IpExt:',
  ]);
});
