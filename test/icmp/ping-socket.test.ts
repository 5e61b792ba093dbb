import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Sys } from '../../src/socket/calls.ts';
import * as C from '../../src/socket/constants.ts';
import type { OptionValue } from '../../src/socket/options.ts';
import { out, type Sockaddr } from '../../src/socket/sockaddr.ts';
import { named, udpPair } from '../socket/fixture.ts';

const B = { address: '10.0.0.2', port: 0 };

function pingSocket(sys: Sys): number {
  return sys.socket(C.AF_INET, C.SOCK_DGRAM, C.IPPROTO_ICMP);
}

/** An echo request with a wrong identifier and checksum, which are not the sender's to fill in. */
function request(sequence: number, data = 'data'): Uint8Array {
  return Uint8Array.of(
    8,
    0,
    0xde,
    0xad,
    0xbe,
    0xef,
    sequence >> 8,
    sequence,
    ...new TextEncoder().encode(data),
  );
}

function port(sys: Sys, fd: number): number {
  const name = out<Sockaddr>();
  sys.getsockname(fd, name);
  return name.value?.port ?? -1;
}

describe('ping sockets', () => {
  it('send an echo request and receive the reply from its header on', () => {
    const { clock, sysA, pool, b } = udpPair();
    const fd = pingSocket(sysA);
    assert.equal(sysA.sendto(fd, request(258), 0, B), 12);
    const id = port(sysA, fd);
    assert.ok(id > 0);
    clock.runFor(1e6);
    assert.equal(b.host.mib.Icmp.InEchos, 1);
    const buffer = new Uint8Array(100);
    const from = out<Sockaddr>();
    const bytes = out<number>();
    sysA.ioctl(fd, C.FIONREAD, bytes);
    assert.equal(bytes.value, 12);
    assert.equal(sysA.recvfrom(fd, buffer, 0, from), 12);
    const [type, code, , , idHigh, idLow, high, low] = buffer;
    assert.deepEqual([type, code, idHigh, idLow, high, low], [0, 0, id >> 8, id & 255, 1, 2]);
    assert.equal(new TextDecoder().decode(buffer.subarray(8, 12)), 'data');
    assert.equal(`${from.value?.address}:${from.value?.port}`, '10.0.0.2:0');
    assert.equal(named(sysA.recv(fd, buffer)), 'EAGAIN');
    assert.equal(pool.inUse, 0);
  });

  it('bind fixes the identifier, which others may share: SO_REUSEADDR is on from the start', () => {
    const { sysA } = udpPair();
    const [first, second] = [pingSocket(sysA), pingSocket(sysA)];
    assert.equal(sysA.bind(first, { address: '0.0.0.0', port: 77 }), 0);
    assert.equal(port(sysA, first), 77);
    assert.equal(named(sysA.bind(first, { address: '0.0.0.0', port: 78 })), 'EINVAL');
    sysA.setsockopt(first, C.SOL_SOCKET, C.SO_REUSEADDR, 0);
    assert.equal(named(sysA.bind(second, { address: '0.0.0.0', port: 77 })), 'EADDRINUSE');
    assert.equal(named(sysA.bind(second, { address: '10.0.0.9', port: 77 })), 'EADDRNOTAVAIL');
    assert.equal(named(sysA.bind(second, { address: '10.0.0.255', port: 77 })), 'EADDRNOTAVAIL');
    sysA.setsockopt(first, C.SOL_SOCKET, C.SO_REUSEADDR, 1);
    assert.equal(sysA.bind(second, { address: '0.0.0.0', port: 77 }), 0);
    sysA.close(first);
    sysA.close(second);
    assert.equal(sysA.bind(pingSocket(sysA), { address: '10.0.0.1', port: 77 }), 0);
  });

  it('get only the replies with their identifier', () => {
    const { clock, sysA } = udpPair();
    const [one, other] = [pingSocket(sysA), pingSocket(sysA)];
    sysA.sendto(one, request(1), 0, B);
    sysA.sendto(other, request(2, ''), 0, B);
    assert.notEqual(port(sysA, one), port(sysA, other));
    clock.runFor(1e6);
    const buffer = new Uint8Array(20);
    assert.equal(sysA.recv(one, buffer), 12);
    assert.equal(sysA.recv(other, buffer), 8);
    assert.equal(buffer[7], 2);
    assert.equal(named(sysA.recv(one, buffer)), 'EAGAIN');
  });

  it('refuse what is no echo request, and what other sockets refuse', () => {
    const { sysA } = udpPair();
    const fd = pingSocket(sysA);
    const wrong = [
      new Uint8Array(7),
      Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1),
      Uint8Array.of(8, 1, 0, 0, 0, 0, 0, 1),
    ];
    for (const message of wrong) assert.equal(named(sysA.sendto(fd, message, 0, B)), 'EINVAL');
    assert.equal(named(sysA.send(fd, request(1))), 'EDESTADDRREQ');
    assert.equal(named(sysA.sendto(fd, request(1), C.MSG_OOB, B)), 'EOPNOTSUPP');
    assert.equal(named(sysA.sendto(fd, request(1), 0, { address: '192.0.2.1', port: 0 })), 'ENETUNREACH');
    assert.equal(named(sysA.sendto(fd, request(1), 0, { address: '10.0.0.255', port: 0 })), 'EACCES');
    assert.equal(named(sysA.sendto(fd, new Uint8Array(65536), 0, B)), 'EMSGSIZE');
    assert.equal(named(sysA.listen(fd, 1)), 'EOPNOTSUPP');
    assert.equal(named(sysA.socket(C.AF_INET, C.SOCK_STREAM, C.IPPROTO_ICMP)), 'EPROTONOSUPPORT');
    assert.equal(named(sysA.socket(C.AF_INET, C.SOCK_DGRAM, 99)), 'EPROTONOSUPPORT');
  });

  it('say what they are', () => {
    const { sysA } = udpPair();
    const fd = pingSocket(sysA);
    const value = out<OptionValue>();
    const options = [C.SO_TYPE, C.SO_PROTOCOL, C.SO_REUSEADDR].map(option => {
      sysA.getsockopt(fd, C.SOL_SOCKET, option, value);
      return value.value;
    });
    assert.deepEqual(options, [C.SOCK_DGRAM, C.IPPROTO_ICMP, 1]);
    assert.equal(sysA.connect(fd, B), 0);
    const peer = out<Sockaddr>();
    sysA.getpeername(fd, peer);
    assert.equal(String(peer.value?.address), '10.0.0.2');
    assert.equal(sysA.send(fd, request(1)), 12);
  });

  it('a connected one hears of errors that are final', () => {
    const { clock, sysA, a } = udpPair();
    const fd = pingSocket(sysA);
    sysA.connect(fd, { address: '10.0.0.9', port: 0 });
    sysA.send(fd, request(1));
    clock.runFor(5e6);
    // Nobody there is not final: as in Linux it takes IP_RECVERR to hear of it.
    assert.equal(named(sysA.recv(fd, new Uint8Array(1))), 'EAGAIN');
    assert.equal(a.host.mib.Icmp.OutEchos, 1);
    const value = out<OptionValue>();
    sysA.getsockopt(fd, C.SOL_IP, C.IP_RECVERR, value);
    assert.equal(value.value, 0);
    sysA.setsockopt(fd, C.SOL_IP, C.IP_RECVERR, 1);
    sysA.send(fd, request(2));
    clock.runFor(5e6);
    assert.equal(named(sysA.recv(fd, new Uint8Array(1))), 'EHOSTUNREACH');
  });

  it('keep no more than SO_RCVBUF allows', () => {
    const { clock, sysA, pool } = udpPair();
    const fd = pingSocket(sysA);
    sysA.setsockopt(fd, C.SOL_SOCKET, C.SO_RCVBUF, 2304);
    for (let i = 0; i < 20; i++) sysA.sendto(fd, request(i), 0, B);
    clock.runFor(1e6);
    let got = 0;
    while (sysA.recv(fd, new Uint8Array(20)) > 0) got++;
    assert.ok(got >= 1 && got < 5, String(got));
    sysA.sendto(fd, request(1), 0, B);
    clock.runFor(1e6);
    sysA.close(fd);
    assert.equal(pool.inUse, 0);
  });

  it('wake who waits for a reply', async () => {
    const { clock, sysA } = udpPair();
    const fd = pingSocket(sysA);
    const buffer = new Uint8Array(20);
    const received = sysA.wait.recv(fd, buffer);
    sysA.sendto(fd, request(9), 0, B);
    assert.equal(await clock.finish(received), 12);
  });
});
