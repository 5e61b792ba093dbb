import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Mib } from '../../src/core/mib.ts';
import { formatNetstat, formatProcNetstat, formatProcSnmp } from '../../src/view/netstat.ts';

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

test('netstat -s shows what is not zero, in words where there are any', () => {
  const mib = new Mib();
  mib.Tcp.InSegs = 7;
  mib.TcpExt.TCPOrigDataSent = 2;
  assert.deepEqual(formatNetstat(mib), [
    'Ip:',
    'Icmp:',
    'Tcp:',
    '    7 segments received',
    'Udp:',
    'TcpExt:',
    '    TCPOrigDataSent: 2',
    'IpExt:',
  ]);
});
