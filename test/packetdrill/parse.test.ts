import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseScript } from '../../src/packetdrill/parse.ts';
import type {
  CallEvent,
  Family,
  PacketEvent,
  PacketSpec,
  ScriptEvent,
  TcpSpec,
} from '../../src/packetdrill/syntax.ts';
import { ACK, CWR, ECE, PSH, SYN, URG } from '../../src/wire/tcp.ts';

const parse = (text: string, family: Family = 'ipv4'): ReturnType<typeof parseScript> =>
  parseScript('test.pkt', text, { family });

/** What a line of a script is about. */
function body(script: ReturnType<typeof parseScript>, line = 0): ScriptEvent['body'] {
  return (script.events[line] as ScriptEvent).body;
}

function packet(script: ReturnType<typeof parseScript>): PacketSpec {
  return (body(script) as PacketEvent).packet;
}

function tcp(text: string): TcpSpec {
  return packet(parse(text)) as TcpSpec;
}

function call(text: string): CallEvent {
  return body(parse(text)) as CallEvent;
}

const INBOUND = '0 < S 0:0(0) win 100';

describe('packetdrill: the language', () => {
  it('has a command before the first event and after the last, without a time', () => {
    const script = parse('`./defaults.sh`\n0 close(3) = 0\n+0 `sysctl -q a=1`\n`./restore.sh`');
    assert.equal(script.init?.command, './defaults.sh');
    assert.equal(script.cleanup?.command, './restore.sh');
    assert.deepEqual(
      script.events.map(event => event.body.kind),
      ['call', 'command'],
    );
  });

  it('has flags in any combination, and the ACE counter as a digit', () => {
    assert.equal(tcp('0 > SEW 0:0(0)').flags, SYN | ECE | CWR);
    assert.equal(tcp('0 > U. 0:0(0) ack 1 urg 7').flags, URG | ACK);
    assert.equal(tcp('0 > - 0:0(0)').flags, 0);
    assert.equal(tcp('0 > SEWA 0:0(0)').flags, SYN | ECE | CWR | 0x100);
    assert.equal(tcp('0 > P.5 1:1(0) ack 1').flags, PSH | ACK | ECE | 0x100);
  });

  it('has what IP says before the flags, in brackets of both kinds', () => {
    assert.deepEqual(tcp('0 > [ect0] . 1:1(0) ack 1').ip, { check: 'ecn', tos: 2, ttl: 0 });
    assert.deepEqual(tcp('0 > (tos 0x28) . 1:1(0) ack 1').ip, { check: 'tos', tos: 0x28, ttl: 0 });
    assert.equal(tcp('0 > [ect01] . 1:1(0) ack 1').ip.check, 'ect01');
    assert.equal(tcp('0 > [ttl 63] . 1:1(0) ack 1').ip.ttl, 63);
  });

  it('has ports, and options of every kind', () => {
    assert.deepEqual(tcp('0 < 1234>80 S 0:0(0) win 1').ports, { source: 1234, destination: 80 });
    const { options } = tcp('0 < S 0:0(0) win 1 <FO abcd,FOEXP 0102,ECN e1b 1 ceb 2,nop,nop>');
    assert.deepEqual(options, [
      { kind: 'fastopen', cookie: Uint8Array.of(0xab, 0xcd), experimental: false },
      { kind: 'fastopen', cookie: Uint8Array.of(1, 2), experimental: true },
      { kind: 'raw', bytes: Uint8Array.of(174, 8, 0, 0, 1, 0, 0, 2) },
      { kind: 'nop' },
      { kind: 'nop' },
    ]);
    assert.deepEqual(tcp('0 > . 1:1(0) ack 1 <FO,nop,nop>').options?.[0], {
      kind: 'fastopen',
      cookie: new Uint8Array(0),
      experimental: false,
    });
    assert.equal(
      tcp('0 < . 1:1(0) ack 1 win 1 <md5 000102030405060708090a0b0c0d0e0f,nop,nop>').options?.length,
      3,
    );
  });

  it('has structs with members in parentheses, strings side by side, functions around values', () => {
    const { args } = call(
      '0 sendmsg(4, {msg_name(...)=..., msg_iov(2)=[{..., 40}, {..., 20}], msg_flags=0}, MSG_EOR) = 60',
    );
    const message = args[1];
    assert.deepEqual(message?.kind === 'struct' && [...message.fields.keys()], [
      'msg_name',
      'msg_iov',
      'msg_flags',
    ]);
    assert.deepEqual(call('0 open("/tmp/" "\\x41\\n", O_RDONLY) = 3').args[0], {
      kind: 'string',
      value: '/tmp/A\n',
    });
    assert.deepEqual(call('0 f({sin_port=htons(8080)}) = 0').args[0], {
      kind: 'struct',
      fields: new Map([['sin_port', { kind: 'number', value: 8080 }]]),
    });
  });

  it('has symbols whose value the head of the script defines', () => {
    const script = parse(
      '--define=COOKIE=a1b2\n--define=N="two words"\n0 > S 0:0(0) <FO COOKIE>\n+0 f("COOKIE", N) = 0',
    );
    assert.deepEqual((packet(script) as TcpSpec).options?.[0], {
      kind: 'fastopen',
      cookie: Uint8Array.of(0xa1, 0xb2),
      experimental: false,
    });
    const { args } = body(script, 1) as CallEvent;
    assert.deepEqual(args, [
      { kind: 'string', value: 'COOKIE' },
      { kind: 'string', value: 'two words' },
    ]);
  });

  it('has ICMP messages of both families', () => {
    const icmp = (text: string, family: Family): number[] => {
      const icmp = packet(parse(text, family));
      assert.equal(icmp.kind, 'icmp');
      return icmp.kind === 'icmp' ? [icmp.type, icmp.code, icmp.mtu, icmp.seq, icmp.length] : [];
    };
    assert.deepEqual(icmp('0 < icmp unreachable [5000:6000(1000)]', 'ipv4'), [3, 0, -1, 5000, 1000]);
    assert.deepEqual(icmp('0 < icmp unreachable frag_needed mtu 800', 'ipv4'), [3, 4, 800, 0, 0]);
    assert.deepEqual(icmp('0 < icmp type_3 code_13', 'ipv4'), [3, 13, -1, 0, 0]);
    assert.deepEqual(icmp('0 < icmp packet_too_big mtu 1400 [0:1440(1440)]', 'ipv6'), [2, 0, 1400, 0, 1440]);
    assert.equal(parse('--ip_version=ipv6\n0 < icmp packet_too_big mtu 1400').family, 'ipv6');
  });
});

describe('packetdrill: what is no script', () => {
  const rejects = (what: string, text: string, message: RegExp): void => {
    it(what, () => assert.throws(() => parse(text), message));
  };
  rejects(
    'times that go back, in a range or from line to line',
    '0 close(3) = 0\n+.2~+.1 > . 1:1(0) ack 1',
    /:2:.*backwards/,
  );
  rejects(
    'absolute times that go back',
    '0 close(3) = 0\n2 close(3) = 0\n1 close(3) = 0',
    /:3: time goes backward/,
  );
  rejects('a first event that is not at time 0', '+.1 close(3) = 0', /:1: first event should be at time 0/);
  rejects('negative times', '-1 close(3) = 0', /negative time/);
  rejects("'*' for anything but an outbound packet", '* close(3) = 0', /outbound packets only/);
  rejects('a range for anything but an outbound packet', '0~1 < S 0:0(0) win 1', /outbound packets only/);
  rejects('a range whose end has no sign of its own', '+0~.2 > . 1:1(0) ack 1', /'\+' expected/);
  rejects('time taken by a packet', '0...1 > . 1:1(0) ack 1', /only a call/);
  rejects('an inbound packet without a window', '0 < S 0:0(0)', /needs a window/);
  rejects('inbound <...>', `${INBOUND} <...>`, /outbound packets only/);
  rejects('inbound [ect01]', '0 < [ect01] S 0:0(0) win 1', /outbound packets only/);
  rejects(
    'sequence numbers that do not fit the length',
    '0 < . 1:5(5) ack 1 win 1',
    /inconsistent TCP sequence/,
  );
  rejects('unknown flags', '0 < X 1:1(0) win 1', /Invalid TCP flag: 'X'/);
  rejects('an ACE counter beside ECN flags', '0 > SE5 1:1(0)', /Conflicting TCP flag/);
  rejects('numbers out of range', '0 < . 1:1(0) ack 4294967296 win 1', /ack out of range/);
  rejects('a window out of range', '0 < . 1:1(0) ack 1 win 65536', /win out of range/);
  rejects(
    'options that leave the header unaligned',
    `${INBOUND} <mss 1460,wscale 7>`,
    /not padded to a multiple of 4/,
  );
  rejects('options that do not fit', `${INBOUND} <FOEXP ${'00'.repeat(38)}>`, /option list too long/);
  rejects('a cookie of half bytes', `${INBOUND} <FO abc>`, /odd number of digits/);
  rejects('a cookie that is not hexadecimal', `${INBOUND} <FO abcx>`, /not a valid hex string/);
  rejects('a SACK option without blocks', `${INBOUND} <sack>`, /SACK block expected/);
  rejects('segments longer than a packet', '0 < . 1:65536(65535) ack 1 win 1', /too large/);
  rejects('an MTU where there is none', '0 < icmp unreachable host_unreachable mtu 100', /MTU is only valid/);
  rejects('unknown ICMP types', '0 < icmp frobnicated', /bad ICMP type frobnicated/);
  rejects('unknown ICMP codes', '0 < icmp unreachable frobnicated', /bad ICMP code frobnicated/);
  rejects('calls without a result', '0 close(3)', /'=' expected/);
  rejects(
    'commands without a time in the middle',
    '0 close(3) = 0\n`x`\n+0 close(3) = 0',
    /first or the last/,
  );
  rejects('no event at all', '`./defaults.sh`', /needs an event/);
  rejects("the house's additions", '0 < [peer 2] S 0:0(0) win 1', /unknown tag 'peer'/);
});
