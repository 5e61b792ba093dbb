/**
 * What goes wrong has the same errno on both sides: kernel and our host try the same thing with each other.
 */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect as netConnect, type Socket } from 'node:net';
import { afterEach, before, describe, it } from 'node:test';
import { ECONNREFUSED, ECONNRESET, EPIPE, ETIMEDOUT } from '../../src/base/errno.ts';
import { SO_LINGER, SOCK_DGRAM, SOL_SOCKET, SOL_TCP, TCP_USER_TIMEOUT } from '../../src/socket/constants.ts';
import { enterNetns } from '../node/linux/kernel.ts';
import { FAMILIES } from './support/family.ts';
import { Host, type HostOptions } from './support/host.ts';
import { forward } from './support/place.ts';
import { run, shell } from './support/programs.ts';
import { skipUnless } from './support/skip.ts';
import { sysctl } from './support/sysctl.ts';

const skip = skipUnless('ping');
const PORT = 7001;
/** Milliseconds between two questions for a neighbour, and how often an unanswered SYN is sent again. */
const ASK_MS = 100;
const SYN_RETRIES = 1;
const USER_TIMEOUT_MS = 1000;

for (const family of FAMILIES) {
  describe(`the errno over ${family.name} of`, { skip, timeout: 60_000 }, () => {
    const { kernel, ours, nobody, nowhere, domain } = family;
    const isV4 = family.name === 'IPv4';
    const hosts: Host[] = [];
    const opened: { destroy(): void }[] = [];

    before(() => {
      enterNetns();
      sysctl('ipv4/tcp_syn_retries', SYN_RETRIES);
      // Two time-outs after the first one: 200, 400 and 800 ms.
      sysctl('ipv4/tcp_retries2', 2);
    });
    afterEach(() => {
      for (const host of hosts.splice(0)) host.close();
      for (const socket of opened.splice(0)) socket.destroy();
    });

    function open(options: HostOptions = {}): Host {
      const patience = { retrans_time_ms: ASK_MS, tcp_syn_retries: SYN_RETRIES };
      const host = new Host({ family, ...options, sysctl: patience });
      hosts.push(host);
      sysctl(`${family.sysctl}/neigh/et0/retrans_time_ms`, ASK_MS);
      return host;
    }

    /** A socket of the kernel's that has begun to connect. */
    function kernelSocket(port: number, hostname = ours): Socket {
      const socket = netConnect(port, hostname);
      opened.push(socket);
      return socket;
    }

    /** A connection that stands: the kernel's socket and our descriptor. */
    async function connected(host: Host): Promise<[Socket, number]> {
      const listener = host.listen(PORT);
      const socket = kernelSocket(PORT);
      const fd = await host.stack.sys.wait.accept(listener);
      host.stack.sys.close(listener);
      return [socket, fd];
    }

    it('a port where nobody listens', async () => {
      const host = open();
      assert.equal(await failureOf(kernelSocket(7)), 'ECONNREFUSED');
      assert.equal(await failureOfOurs(host, kernel), 'ECONNREFUSED');
    });

    it("a UDP port where nobody is, after the kernel's datagram", async () => {
      open();
      const socket = createSocket(family.datagram);
      socket.connect(7, ours);
      await once(socket, 'connect');
      socket.send('hello');
      const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
      socket.close();
      assert.equal(error.code, 'ECONNREFUSED');
    });

    it('a UDP port where nobody is, after our datagram', async () => {
      const { sys } = open().stack;
      const fd = sys.socket(domain, SOCK_DGRAM, 0);
      assert.equal(sys.connect(fd, { address: kernel, port: 7 }), 0);
      assert.equal(sys.send(fd, new Uint8Array(5)), 5);
      assert.equal(await sys.wait.recv(fd, new Uint8Array(5)), -ECONNREFUSED);
    });

    it('a host on the network that is not there', async () => {
      const host = open();
      assert.equal(await failureOf(kernelSocket(7, nobody)), 'EHOSTUNREACH');
      assert.equal(await failureOfOurs(host, nobody), 'EHOSTUNREACH');
    });

    it('a network to which there is no way', async () => {
      const host = open();
      assert.equal(await failureOf(kernelSocket(7, nowhere)), 'ENETUNREACH');
      assert.equal(await failureOfOurs(host, nowhere), 'ENETUNREACH');
    });

    it('what a router says of it', async () => {
      const host = open({ gateway: true });
      forward(family);
      sysctl('ipv4/icmp_ratelimit', 0);
      if (!isV4) sysctl('ipv6/icmp/ratelimit', 0);
      const [unreachable, prohibited] = family.beyond.map(start => `${start}9`) as [string, string];
      await shell(`ip route add unreachable ${unreachable}; ip route add prohibit ${prohibited}`);
      assert.equal(await failureOfOurs(host, nowhere), 'ENETUNREACH');
      // Of such a route the kernel says "no route" in ICMPv6, and "host unreachable" in ICMP.
      const unreachableName = isV4 ? 'EHOSTUNREACH' : 'ENETUNREACH';
      assert.equal(await failureOfOurs(host, unreachable), unreachableName);
      assert.equal(await failureOfOurs(host, prohibited), isV4 ? 'EHOSTUNREACH' : 'EACCES');
      const { Icmp, Icmp6 } = host.stack.mib;
      assert.ok(Icmp.InDestUnreachs + Icmp6.InDestUnreachs >= 3);
    });

    it('a connection that we reset', async () => {
      const host = open();
      const { sys } = host.stack;
      const [socket, fd] = await connected(host);
      sys.setsockopt(fd, SOL_SOCKET, SO_LINGER, { l_onoff: 1, l_linger: 0 });
      sys.close(fd);
      assert.equal(await failureOf(socket), 'ECONNRESET');
    });

    it('a connection that the kernel resets', async () => {
      const host = open();
      const [socket, fd] = await connected(host);
      const { sys } = host.stack;
      const received = sys.wait.recv(fd, new Uint8Array(1));
      socket.resetAndDestroy();
      assert.equal(await received, -ECONNRESET);
      assert.equal(await sys.wait.send(fd, new Uint8Array(1)), -EPIPE);
    });

    it('a connection to a host that has fallen silent', async () => {
      const host = open();
      await fallSilent(host);
      const [kernels, our] = await Promise.all([failureOf(kernelSocket(7)), failureOfOurs(host, kernel)]);
      assert.equal(kernels, 'ETIMEDOUT');
      assert.equal(our, 'ETIMEDOUT');
    });

    it('data that are not acknowledged any more', async () => {
      const host = open();
      const { sys } = host.stack;
      const [socket, fd] = await connected(host);
      sys.setsockopt(fd, SOL_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
      await fallSilent(host);
      socket.write('hello?');
      assert.equal(await sys.wait.send(fd, new Uint8Array(6)), 6);
      const [kernels, our] = await Promise.all([failureOf(socket), sys.wait.recv(fd, new Uint8Array(1))]);
      assert.equal(kernels, 'ETIMEDOUT');
      assert.equal(our, -ETIMEDOUT);
    });
  });
}

/** From now on nothing passes between the two; they know each other's hardware address. */
async function fallSilent(host: Host): Promise<void> {
  await run('ping', ['-n', '-c', '1', '-w', '10', host.family.ours]);
  host.faulty.configure({ up: { loss: 1 }, down: { loss: 1 } });
}

async function failureOf(socket: Socket): Promise<string> {
  const [error] = (await once(socket.resume(), 'error')) as [NodeJS.ErrnoException];
  return error.code ?? error.message;
}

/** Why we cannot connect. */
async function failureOfOurs(host: Host, hostname: string): Promise<string> {
  const failure = host.connect(7, hostname).then(() => 'connected');
  return failure.catch((error: NodeJS.ErrnoException) => error.code ?? error.message);
}
