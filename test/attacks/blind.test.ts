import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Rng } from '../../src/base/rng.ts';
import { seqDiff } from '../../src/base/seq.ts';
import { ACK, FIN, PSH, RST, SYN } from '../../src/wire/tcp.ts';
import { icmp, ipv4 } from '../net/craft.ts';
import { CLIENT, Lab, MS, PORT, SECOND, SERVER, tcpPacket } from './lab.ts';

/** A connection, and what an attacker who sees it would know. */
function subject() {
  const lab = new Lab();
  const connected = lab.connected();
  const { connection } = connected.endpoint;
  return { lab, ...connected, connection };
}

/** The attacker knows addresses and ports, not the sequence numbers. */
describe('a blind attacker', () => {
  it('resets nothing from outside of the window', () => {
    const { lab, near, far, port, connection } = subject();
    const rng = new Rng(1);
    for (let i = 0; i < 3000; i++) {
      const seq = connection.rcvNxt + rng.between(100_000, 0xffffffff - 200_000);
      lab.forge({ sport: port, seq, flags: i % 2 === 0 ? RST : RST | ACK, ack: rng.u32() });
      if (i % 50 === 0) lab.pass(MS);
    }
    lab.pass(10 * MS);
    assert.equal(connection.state, 'ESTABLISHED');
    assert.equal(lab.server.mib.TcpExt.TCPChallengeACK, 0, 'nor does it cost an answer');
    assert.ok(lab.exchange(near, far));
    lab.end();
  });

  it('resets nothing inside of the window, but at its very beginning (RFC 5961 section 3)', () => {
    const { lab, near, far, port, connection } = subject();
    for (let ahead = 1; ahead < 60_000; ahead += 30) {
      lab.forge({ sport: port, seq: connection.rcvNxt + ahead, flags: RST });
      if (ahead % 50 === 1) lab.pass(MS);
    }
    lab.pass(10 * MS);
    assert.equal(connection.state, 'ESTABLISHED');
    const challenges = lab.server.mib.TcpExt.TCPChallengeACK;
    assert.ok(challenges >= 1 && challenges < 10, `${challenges} challenge ACKs for 2000 resets`);
    assert.ok(lab.exchange(near, far));
    lab.forge({ sport: port, seq: connection.rcvNxt, flags: RST });
    lab.pass(10 * MS);
    assert.equal(connection.state, 'CLOSED', 'a true reset still counts');
    lab.end();
  });

  it('resets nothing by a SYN, wherever it lies (RFC 5961 section 4)', () => {
    const { lab, near, far, port, connection } = subject();
    for (const ahead of [0, 1, 1000, 60_000, 1_000_000, 0x7fffffff, -1, -1000]) {
      lab.forge({ sport: port, seq: connection.rcvNxt + ahead, flags: SYN });
      lab.forge({ sport: port, seq: connection.rcvNxt + ahead, flags: SYN | ACK, ack: connection.sndNxt });
      lab.pass(SECOND);
    }
    assert.equal(connection.state, 'ESTABLISHED');
    assert.ok(lab.server.mib.TcpExt.TCPSYNChallenge >= 8);
    assert.ok(lab.exchange(near, far));
    lab.end();
  });

  it('injects no data and no FIN: the acknowledgement must be right, too (RFC 5961 section 5)', () => {
    const { lab, near, far, port, connection } = subject();
    const rng = new Rng(2);
    const before = connection.bytesReceived;
    for (let i = 0; i < 3000; i++) {
      // Inside of the window at once, which takes 2^16 guesses; the acknowledgement remains to be guessed.
      const ack = connection.sndNxt + rng.between(100_000, 0xffffffff - 200_000);
      const flags = i % 3 === 0 ? FIN | ACK : PSH | ACK;
      lab.forge({ sport: port, seq: connection.rcvNxt, ack, flags, data: Uint8Array.of(66, 66, 66) });
      if (i % 50 === 0) lab.pass(MS);
    }
    assert.equal(connection.bytesReceived, before);
    assert.equal(connection.state, 'ESTABLISHED');
    assert.ok(lab.exchange(near, far), 'the stream has no byte of it');
    lab.end();
  });

  it('poisons no timestamp: old ones are refused, and what is refused is not remembered', () => {
    const { lab, near, far, port, connection } = subject();
    const { tsRecent } = connection;
    lab.forge({
      sport: port,
      seq: connection.rcvNxt,
      ack: connection.sndNxt + 1_000_000,
      flags: ACK,
      tsVal: tsRecent + 0x70000000,
    });
    lab.pass(10 * MS);
    assert.equal(connection.tsRecent, tsRecent);
    assert.ok(lab.exchange(near, far));
    lab.end();
  });

  it('ends no half-open connection by a SYN or a reset beside the mark', () => {
    const lab = new Lab();
    const listener = lab.listen();
    const from = '10.0.0.99';
    lab.forge({ from, sport: 7000, seq: 1000, flags: SYN });
    lab.pass(MS);
    for (const seq of [1000, 1002, 30_000, 70_000, -5]) lab.forge({ from, sport: 7000, seq, flags: RST });
    lab.pass(MS);
    assert.equal(lab.server.tcp.flows.size, 1);
    assert.equal(lab.server.sys.accept(listener), -11);
    lab.end();
  });
});

/** An ICMP error about a segment from server to client. */
function about(type: number, code: number, rest: number, port: number, seq: number): Uint8Array {
  const quoted = tcpPacket({ from: SERVER, to: CLIENT, sport: PORT, dport: port, seq, flags: ACK });
  return ipv4({
    source: '10.0.7.7',
    destination: SERVER,
    protocol: 1,
    data: icmp(type, code, rest, quoted.subarray(0, 28)),
  });
}

describe('forged ICMP (RFC 5927)', () => {
  it('aborts no established connection, whatever it says and quotes', () => {
    const { lab, near, far, port, connection } = subject();
    for (let code = 0; code <= 15; code++) {
      if (code !== 4) lab.inject(about(3, code, 0, port, connection.sndUna));
    }
    lab.inject(about(4, 0, 0, port, connection.sndUna));
    lab.inject(about(11, 0, 0, port, connection.sndUna));
    lab.inject(about(12, 0, 0, port, connection.sndUna));
    lab.pass(10 * MS);
    assert.equal(connection.state, 'ESTABLISHED');
    assert.ok(connection.cwnd >= 10, 'a source quench slows nothing down (RFC 6633)');
    assert.ok(lab.exchange(near, far));
    lab.end();
  });

  it('is not believed about the path when it quotes what is not in flight', () => {
    const { lab, near, far, port, connection } = subject();
    const { mss } = connection;
    for (let i = 1; i < 1000; i++) lab.inject(about(3, 4, 68, port, connection.sndNxt + 5000 * i));
    lab.pass(10 * MS);
    assert.equal(connection.mss, mss);
    assert.equal(lab.server.mib.TcpExt.OutOfWindowIcmps, 999);
    assert.ok(lab.exchange(near, far));
    lab.end();
  });

  it('makes no segment smaller than min_pmtu allows, even when it guesses right', () => {
    const { lab, near, far, port, connection } = subject();
    lab.inject(about(3, 4, 68, port, connection.sndUna));
    lab.pass(10 * MS);
    assert.ok(connection.mss >= 552 - 60, `mss ${connection.mss}`);
    assert.ok(lab.exchange(near, far));
    lab.end();
  });

  it('redirects nothing', () => {
    const { lab, near, far, port, connection } = subject();
    lab.inject(about(5, 1, (10 << 24) | 0x0707, port, connection.sndUna));
    lab.pass(10 * MS);
    assert.ok(lab.exchange(near, far));
    assert.equal(lab.server.mib.Icmp.InRedirects, 1);
    lab.end();
  });
});

describe('what a blind attacker could count (CVE-2016-5696)', () => {
  it('the limit on challenge ACKs differs from second to second', () => {
    const lab = new Lab({ tcp_challenge_ack_limit: 100, tcp_invalid_ratelimit: 0 });
    const { port, endpoint } = lab.connected();
    const { connection } = endpoint;
    const counts = new Set<number>();
    for (let second = 0; second < 5; second++) {
      const before = lab.server.mib.TcpExt.TCPChallengeACK;
      lab.pass(SECOND - (lab.world.nowUs % SECOND));
      for (let i = 0; i < 200; i++) {
        lab.forge({ sport: port, seq: connection.rcvNxt + 10 + i, flags: RST });
        lab.pass(MS);
      }
      counts.add(lab.server.mib.TcpExt.TCPChallengeACK - before);
    }
    assert.ok(counts.size >= 4, `${[...counts]}`);
    for (const count of counts) assert.ok(count >= 50 && count <= 150, `${count}`);
    assert.equal(seqDiff(connection.rcvNxt, connection.irs), 1);
    lab.end();
  });
});
