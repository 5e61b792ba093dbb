import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseScript } from '../../src/packetdrill/parse.ts';
import type { CallEvent, PacketEvent, ScriptEvent, TcpSpec } from '../../src/packetdrill/syntax.ts';
import { ACK, FIN, PSH, SYN } from '../../src/wire/tcp.ts';

function one(text: string): ScriptEvent {
  const { events } = parseScript('test.pkt', text, { house: true });
  assert.equal(events.length, 1);
  return events[0] as ScriptEvent;
}

function tcp(text: string): TcpSpec {
  const { packet } = one(text).body as PacketEvent;
  assert.equal(packet.kind, 'tcp');
  return packet as TcpSpec;
}

function call(text: string): CallEvent {
  return one(text).body as CallEvent;
}

describe('house scripts: packets', () => {
  it('reads a SYN with its options in order', () => {
    const syn = tcp('+.1 < S 0:0(0) win 32792 <mss 1460,sackOK,nop,nop,nop,wscale 7>');
    assert.equal(syn.flags, SYN);
    assert.deepEqual([syn.seq, syn.length, syn.ack, syn.window], [0, 0, null, 32792]);
    assert.deepEqual(syn.options, [
      { kind: 'mss', value: 1460 },
      { kind: 'sackOK' },
      { kind: 'nop' },
      { kind: 'nop' },
      { kind: 'nop' },
      { kind: 'wscale', value: 7 },
    ]);
  });

  it('reads flags, sequence numbers, timestamps and SACK blocks', () => {
    const data = tcp('+0 > FP. 1:1001(1000) ack 4000000000 <nop,nop,TS val 100 ecr 0xff,sack 1:2 3:4>');
    assert.equal(data.flags, FIN | PSH | ACK);
    assert.deepEqual([data.seq, data.length, data.ack], [1, 1000, 4000000000]);
    assert.deepEqual(data.options?.slice(2), [
      { kind: 'timestamps', val: 100, ecr: 255 },
      {
        kind: 'sack',
        blocks: [
          [1, 2],
          [3, 4],
        ],
      },
    ]);
  });

  it('tells no options, any options and none at all apart', () => {
    assert.equal(tcp('+0 > . 1:1(0) ack 1 <...>').options, null);
    assert.deepEqual(tcp('+0 > . 1:1(0) ack 1').options, []);
    assert.equal(tcp('+0 > - 1:1(0)').flags, 0);
  });

  it('reads tags', () => {
    const { tags, ip } = tcp('+0 < [ect0, peer 2][isn 70000, badsum] S 0:0(0) win 100');
    assert.deepEqual(tags, { peer: 2, isn: 70000, badChecksum: true });
    assert.deepEqual(ip, { check: 'ecn', tos: 2, ttl: 0 });
  });

  it('reads ICMP errors', () => {
    const { packet } = one('+0 < icmp unreachable frag_needed mtu 1200 [1:1461(1460)]').body as PacketEvent;
    assert.equal(packet.kind, 'icmp');
    assert.deepEqual(
      packet.kind === 'icmp' && [packet.type, packet.code, packet.mtu, packet.seq, packet.length],
      [3, 4, 1200, 1, 1460],
    );
  });
});

describe('house scripts: times', () => {
  it('absolute, relative, any, ranges and calls that wait', () => {
    const times = ['0 a()', '0.25 a()', '+.1 a()', '* > . 1:1(0)', '+0~+.2 > . 1:1(0)', '+.5...0.7 a()'].map(
      text => one(text).time,
    );
    assert.deepEqual(times, [
      { kind: 'absolute', us: 0, latestUs: null, returnUs: null },
      { kind: 'absolute', us: 250_000, latestUs: null, returnUs: null },
      { kind: 'relative', us: 100_000, latestUs: null, returnUs: null },
      { kind: 'any', us: 0, latestUs: null, returnUs: null },
      { kind: 'relative', us: 0, latestUs: 200_000, returnUs: null },
      { kind: 'relative', us: 500_000, latestUs: null, returnUs: 700_000 },
    ]);
  });
});

describe('house scripts: calls', () => {
  it('reads elided, or-ed, array and struct arguments', () => {
    const { name, args, result } = call(
      '0 setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0x5}, 8) = 0',
    );
    assert.equal(name, 'setsockopt');
    assert.deepEqual(result, { kind: 'number', value: 0 });
    const linger = args[3];
    assert.deepEqual(linger?.kind === 'struct' && [...linger.fields.entries()], [
      ['onoff', { kind: 'number', value: 1 }],
      ['linger', { kind: 'number', value: 5 }],
    ]);
    assert.deepEqual(call('+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0').args[2], {
      kind: 'or',
      parts: [
        { kind: 'symbol', name: 'O_RDWR' },
        { kind: 'symbol', name: 'O_NONBLOCK' },
      ],
    });
    assert.deepEqual(call('+0 poll([{fd=4, events=POLLIN, revents=0}], 1, 0) = 0').args[0]?.kind, 'array');
    assert.deepEqual(call('+0 accept(3, ..., ...) = 4').args[1], { kind: 'elided' });
  });

  it('reads an expected error', () => {
    const { result, errno } = call('+0 read(4, ..., 10) = -1 EAGAIN (Resource temporarily unavailable)');
    assert.deepEqual([result, errno], [{ kind: 'number', value: -1 }, 'EAGAIN']);
    assert.equal(call('+0 close(4) = ?').result, null);
  });
});

describe('house scripts: the whole', () => {
  it('reads options, comments, code and commands, and keeps the lines', () => {
    const script = parseScript(
      'a.pkt',
      [
        '// What it proves.',
        '--iss=0xfffffff0  // close to the end',
        '--mtu=1500',
        '`sysctl -q net.ipv4.tcp_sack=0`',
        '0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3',
        '/* two',
        '   lines */',
        '+0 > . 1:1(0)',
        '     ack 1',
        '%{ assert tcpi_snd_cwnd == 10 }%',
      ].join('\n'),
      { house: true },
    );
    assert.deepEqual(
      [...script.options],
      [
        ['iss', '0xfffffff0'],
        ['mtu', '1500'],
      ],
    );
    assert.deepEqual(
      script.events.map(event => [event.line, event.body.kind, event.text]),
      [
        [4, 'command', '`sysctl -q net.ipv4.tcp_sack=0`'],
        [5, 'call', '0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3'],
        [8, 'packet', '+0 > . 1:1(0) ack 1'],
        [10, 'code', '%{ assert tcpi_snd_cwnd == 10 }%'],
      ],
    );
  });

  it('says where it cannot go on', () => {
    const wrong: [string, RegExp][] = [
      ['\n+0 < S 0:5(0) win 1', /test.pkt:2: inconsistent TCP sequence numbers/],
      ['+0 > S 0:0(0) <mss 1460,huh 3>', /unknown TCP option 'huh'/],
      ['+0 read(4', /',' expected/],
      ['%{ assert 1', /'}%' is missing/],
      ['+0...1 > . 1:1(0)', /only a call can take time/],
      ['+0 < [frob] . 1:1(0)', /unknown tag 'frob'/],
    ];
    for (const [text, message] of wrong) {
      assert.throws(() => parseScript('test.pkt', text, { house: true }), message, text);
    }
  });
});
