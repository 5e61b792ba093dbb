import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as C from '../../src/socket/constants.ts';
import type { MsgHdr } from '../../src/socket/ops.ts';
import type { OptionValue } from '../../src/socket/options.ts';
import { out, type Sockaddr } from '../../src/socket/sockaddr.ts';
import { bytes } from '../udp/fixture.ts';
import { calls, named, udpPair, udpSocket } from './fixture.ts';

const B53 = { address: '10.0.0.2', port: 53 };

function text(buffer: Uint8Array, length: number): string {
  return new TextDecoder().decode(buffer.subarray(0, length));
}

describe('datagram calls', () => {
  it('sendto and recvfrom tell who sent what', () => {
    const { clock, sysA, sysB } = udpPair();
    const server = udpSocket(sysB, 53);
    const client = udpSocket(sysA, 4000);
    const buffer = new Uint8Array(100);
    const from = out<Sockaddr>();
    assert.equal(named(sysB.recvfrom(server, buffer, 0, from)), 'EAGAIN');
    assert.equal(sysA.sendto(client, bytes('hello'), 0, B53), 5);
    clock.runFor(1e6);
    assert.equal(sysB.recvfrom(server, buffer, C.MSG_PEEK, from), 5);
    assert.equal(sysB.recvfrom(server, buffer, 0, from), 5);
    assert.equal(text(buffer, 5), 'hello');
    assert.equal(`${from.value?.address}:${from.value?.port}`, '10.0.0.1:4000');
  });

  it('connect, send, read and write; getpeername', () => {
    const { clock, sysA, sysB } = udpPair();
    const server = udpSocket(sysB, 53);
    const client = udpSocket(sysA, 0);
    const peer = out<Sockaddr>();
    assert.equal(named(sysA.send(client, bytes('x'))), 'EDESTADDRREQ');
    assert.equal(named(sysA.getpeername(client, peer)), 'ENOTCONN');
    assert.equal(sysA.connect(client, B53), 0);
    assert.equal(sysA.getpeername(client, peer), 0);
    assert.equal(peer.value?.port, 53);
    assert.equal(sysA.write(client, bytes('question')), 8);
    clock.runFor(1e6);
    const buffer = new Uint8Array(3);
    assert.equal(sysB.read(server, buffer), 3);
    assert.equal(text(buffer, 3), 'que');
    assert.equal(sysA.connect(client, { family: C.AF_UNSPEC, address: '0.0.0.0', port: 0 }), 0);
    assert.equal(named(sysA.getpeername(client, peer)), 'ENOTCONN');
  });

  it('sendto without a free port fails at once, also where calls wait', async () => {
    const { sysA } = udpPair({ sysctl: { ip_local_port_range: [40000, 40000] } });
    assert.equal(await sysA.wait.sendto(udpSocket(sysA, 0), bytes('x'), 0, B53), 1);
    assert.equal(named(await sysA.wait.sendto(udpSocket(sysA, 0), bytes('x'), 0, B53)), 'EAGAIN');
  });

  it('MSG_TRUNC returns the whole length', () => {
    const { clock, sysA, sysB } = udpPair();
    const server = udpSocket(sysB, 53);
    sysA.sendto(udpSocket(sysA, 0), bytes('abcdef'), 0, B53);
    clock.runFor(1e6);
    const size = out<number>();
    assert.equal(sysB.ioctl(server, C.FIONREAD, size), 0);
    assert.equal(size.value, 6);
    assert.equal(sysB.recv(server, new Uint8Array(2), C.MSG_TRUNC), 6);
  });

  it('sendmsg gathers, recvmsg scatters and says what was cut off', () => {
    const { clock, sysA, sysB } = udpPair();
    const server = udpSocket(sysB, 53);
    const client = udpSocket(sysA, 4000);
    const message = { msg_name: B53, msg_iov: [bytes('one'), bytes(''), bytes('two')] };
    assert.equal(sysA.sendmsg(client, message), 6);
    assert.equal(sysA.sendmsg(client, message), 6);
    clock.runFor(1e6);
    const whole: MsgHdr = { msg_iov: [new Uint8Array(2), new Uint8Array(9)] };
    assert.equal(sysB.recvmsg(server, whole), 6);
    assert.equal(text(whole.msg_iov[0] as Uint8Array, 2), 'on');
    assert.equal(text(whole.msg_iov[1] as Uint8Array, 4), 'etwo');
    assert.equal(whole.msg_flags, 0);
    assert.equal(String(whole.msg_name?.address), '10.0.0.1');
    const cut: MsgHdr = { msg_iov: [new Uint8Array(2), new Uint8Array(2)] };
    assert.equal(sysB.recvmsg(server, cut), 4);
    assert.equal(cut.msg_flags, C.MSG_TRUNC);
    assert.equal(named(sysB.recvmsg(server, { msg_iov: ['x'] } as never)), 'EFAULT');
  });

  it('says what is wrong with the arguments', () => {
    const { sysA } = udpPair();
    const fd = udpSocket(sysA, 0);
    const data = bytes('x');
    assert.equal(named(sysA.sendto(fd, 'x' as never, 0, B53)), 'EFAULT');
    assert.equal(named(sysA.sendto(fd, data, 0, { address: '10.0.0.300', port: 53 })), 'EINVAL');
    assert.equal(named(sysA.sendto(fd, data, 0, { address: '10.0.0.2', port: 70000 })), 'EINVAL');
    assert.equal(named(sysA.sendto(fd, data, 0, { address: '::1', port: 53 })), 'EAFNOSUPPORT');
    assert.equal(named(sysA.sendto(fd, data, C.MSG_OOB, B53)), 'EOPNOTSUPP');
    assert.equal(named(sysA.sendto(fd, new Uint8Array(70000), 0, B53)), 'EMSGSIZE');
    assert.equal(named(sysA.connect(fd, null as never)), 'EFAULT');
    assert.equal(named(sysA.bind(fd, { address: '10.0.0.7', port: 1 })), 'EADDRNOTAVAIL');
    assert.equal(named(sysA.listen(fd, 1)), 'EOPNOTSUPP');
    assert.equal(named(sysA.accept(fd)), 'EOPNOTSUPP');
    assert.equal(named(sysA.shutdown(fd, 7)), 'EINVAL');
    assert.equal(named(sysA.shutdown(fd, C.SHUT_WR)), 'ENOTCONN');
  });

  it('an ICMP error is the pending error of a connected socket', () => {
    const { clock, sysA } = udpPair();
    const fd = udpSocket(sysA, 0);
    const error = out<OptionValue>();
    sysA.connect(fd, B53);
    sysA.send(fd, bytes('x'));
    clock.runFor(1e6);
    sysA.getsockopt(fd, C.SOL_SOCKET, C.SO_ERROR, error);
    assert.equal(error.value, 111);
    assert.equal(named(sysA.recv(fd, new Uint8Array(1))), 'EAGAIN');
    sysA.send(fd, bytes('x'));
    clock.runFor(1e6);
    assert.equal(named(sysA.recv(fd, new Uint8Array(1))), 'ECONNREFUSED');
  });
});

describe('call events', () => {
  it('have the arguments by their manual names, in structured form', () => {
    const { a, clock, sysA } = udpPair();
    const curl = sysA.as('curl', 5);
    const fd = curl.socket(C.AF_INET, C.SOCK_DGRAM | C.SOCK_NONBLOCK, C.IPPROTO_UDP);
    curl.setsockopt(fd, C.SOL_SOCKET, C.SO_RCVTIMEO, { tv_sec: 1, tv_usec: 5 });
    curl.setsockopt(fd, C.SOL_SOCKET, C.SO_BROADCAST, 1);
    curl.fcntl(fd, C.F_SETFL, C.O_RDWR | C.O_NONBLOCK);
    curl.sendto(fd, new Uint8Array([71, 0, 255]), C.MSG_NOSIGNAL, { address: '10.0.0.1', port: 53 });
    clock.runFor(1000);
    curl.recvfrom(fd, new Uint8Array(10), 0, out());
    curl.poll([{ fd, events: C.POLLIN | C.POLLOUT }]);
    const seen = calls(a).map(({ name, args, result }) => ({ name, args, result }));
    const address = { sa_family: 'AF_INET', sin_port: 53, sin_addr: '10.0.0.1' };
    const option = { sockfd: 5, level: 'SOL_SOCKET' };
    assert.deepEqual(seen, [
      {
        name: 'socket',
        args: { domain: 'AF_INET', type: 'SOCK_DGRAM|SOCK_NONBLOCK', protocol: 'IPPROTO_UDP' },
        result: 5,
      },
      {
        name: 'setsockopt',
        args: { ...option, optname: 'SO_RCVTIMEO', optval: { tv_sec: 1, tv_usec: 5 }, optlen: 16 },
        result: 0,
      },
      {
        name: 'setsockopt',
        args: { ...option, optname: 'SO_BROADCAST', optval: [1], optlen: 4 },
        result: 0,
      },
      { name: 'fcntl', args: { fd: 5, cmd: 'F_SETFL', arg: 'O_RDWR|O_NONBLOCK' }, result: 0 },
      {
        name: 'sendto',
        args: {
          sockfd: 5,
          buf: { text: 'G\u0000\u00ff', length: 3 },
          len: 3,
          flags: 'MSG_NOSIGNAL',
          dest_addr: address,
          addrlen: 16,
        },
        result: 3,
      },
      {
        name: 'recvfrom',
        args: { sockfd: 5, buf: null, len: 10, flags: '0', src_addr: null, addrlen: null },
        result: -11,
      },
      {
        name: 'poll',
        args: { fds: [{ fd: 5, events: 'POLLIN|POLLOUT', revents: 'POLLOUT' }], nfds: 1, timeout: 0 },
        result: 1,
      },
    ]);
    const [first] = calls(a);
    assert.deepEqual([first?.host, first?.process, first?.waitedUs], ['a', 'curl', 0]);
    assert.deepEqual(JSON.parse(JSON.stringify(seen)), seen);
  });

  it('say how long a call waited', async () => {
    const { a, clock, sysA } = udpPair();
    const fd = udpSocket(sysA, 53);
    sysA.setsockopt(fd, C.SOL_SOCKET, C.SO_RCVTIMEO, { tv_sec: 2, tv_usec: 0 });
    await clock.finish(sysA.wait.recv(fd, new Uint8Array(1)));
    assert.equal(calls(a).at(-1)?.waitedUs, 2e6);
  });
});
