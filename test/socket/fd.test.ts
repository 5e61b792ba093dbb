import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as C from '../../src/socket/constants.ts';
import { out } from '../../src/socket/sockaddr.ts';
import { twoHosts } from '../udp/fixture.ts';
import { named, udpPair, udpSocket, udpSys } from './fixture.ts';

describe('descriptors', () => {
  it('begin at 3 and the lowest free one is given out', () => {
    const { sysA } = udpPair();
    const fds = [0, 0, 0].map(() => udpSocket(sysA, 0));
    assert.deepEqual(fds, [3, 4, 5]);
    sysA.close(3);
    sysA.close(4);
    assert.equal(udpSocket(sysA, 0), 3);
    assert.equal(sysA.epoll_create1(), 4);
    assert.equal(udpSocket(sysA, 0), 6);
  });

  it('belong to one process', () => {
    const { sysA } = udpPair();
    const curl = sysA.as('curl', 5);
    assert.equal(udpSocket(curl, 0), 5);
    assert.equal(udpSocket(sysA, 0), 3);
    assert.equal(named(sysA.close(5)), 'EBADF');
    assert.equal(sysA.as('curl'), curl);
  });

  it('are limited by RLIMIT_NOFILE', () => {
    const { a } = twoHosts({ sysctl: { ethertype_nofile: 5 } });
    const sys = udpSys(a);
    assert.equal(udpSocket(sys, 0), 3);
    assert.equal(udpSocket(sys, 0), 4);
    assert.equal(named(sys.socket(C.AF_INET, C.SOCK_DGRAM)), 'EMFILE');
    assert.equal(named(sys.epoll_create1()), 'EMFILE');
    sys.close(3);
    assert.equal(udpSocket(sys, 0), 3);
  });

  it('are refused where they do not fit', () => {
    const { sysA } = udpPair();
    const epfd = sysA.epoll_create1();
    const buffer = new Uint8Array(4);
    const name = out<never>();
    assert.equal(named(sysA.recv(99, buffer)), 'EBADF');
    assert.equal(named(sysA.recv(-1, buffer)), 'EBADF');
    assert.equal(named(sysA.recv(epfd, buffer)), 'ENOTSOCK');
    assert.equal(named(sysA.read(epfd, buffer)), 'EINVAL');
    assert.equal(named(sysA.getsockname(epfd, name)), 'ENOTSOCK');
    assert.equal(named(sysA.ioctl(epfd, C.FIONREAD, name)), 'ENOTTY');
    assert.equal(named(sysA.epoll_wait(udpSocket(sysA, 0), [], 1)), 'EINVAL');
    assert.equal(named(sysA.close(99)), 'EBADF');
  });
});

describe('socket()', () => {
  const cases: [string, number, number, number, string | number][] = [
    ['a stream', C.AF_INET, C.SOCK_STREAM, 0, 3],
    ['a stream by its protocol', C.AF_INET, C.SOCK_STREAM, C.IPPROTO_TCP, 3],
    ['a datagram socket', C.AF_INET, C.SOCK_DGRAM | C.SOCK_NONBLOCK | C.SOCK_CLOEXEC, C.IPPROTO_UDP, 3],
    ['a stream of datagrams', C.AF_INET, C.SOCK_STREAM, C.IPPROTO_UDP, 'EPROTONOSUPPORT'],
    ['an unknown family', 99, C.SOCK_STREAM, 0, 'EAFNOSUPPORT'],
    ['a type that is not offered', C.AF_INET, 5, 0, 'ESOCKTNOSUPPORT'],
    ['no type at all', C.AF_INET, 77, 0, 'EINVAL'],
  ];
  for (const [what, domain, type, protocol, expected] of cases) {
    it(`${what}: ${expected}`, () => {
      assert.equal(named(udpPair().sysA.socket(domain, type, protocol)), expected);
    });
  }
});

describe('fcntl() and ioctl()', () => {
  it('O_NONBLOCK and FD_CLOEXEC are set, seen and cleared', () => {
    const { sysA } = udpPair();
    const fd = sysA.socket(C.AF_INET, C.SOCK_DGRAM | C.SOCK_NONBLOCK | C.SOCK_CLOEXEC);
    assert.equal(sysA.fcntl(fd, C.F_GETFL), C.O_RDWR | C.O_NONBLOCK);
    assert.equal(sysA.fcntl(fd, C.F_GETFD), C.FD_CLOEXEC);
    assert.equal(sysA.fcntl(fd, C.F_SETFL, C.O_RDWR), 0);
    assert.equal(sysA.fcntl(fd, C.F_SETFD, 0), 0);
    assert.equal(sysA.fcntl(fd, C.F_GETFL), C.O_RDWR);
    assert.equal(sysA.fcntl(fd, C.F_GETFD), 0);
    assert.equal(sysA.ioctl(fd, C.FIONBIO, { value: 1 }), 0);
    assert.equal(sysA.fcntl(fd, C.F_GETFL), C.O_RDWR | C.O_NONBLOCK);
    assert.equal(named(sysA.fcntl(fd, 77, 0)), 'EINVAL');
    assert.equal(named(sysA.ioctl(fd, 77, out())), 'ENOTTY');
    assert.equal(named(sysA.ioctl(fd, C.FIONREAD, null as never)), 'EFAULT');
  });
});
