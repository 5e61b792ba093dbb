/**
 * What goes wrong has the same errno on both sides: kernel and our host try the same thing with each other.
 */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, connect as netConnect, type Socket } from 'node:net';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { ECONNREFUSED, errnoName } from '../../src/base/errno.ts';
import { fdStream } from '../../src/http/fd-stream.ts';
import {
  AF_INET,
  SO_LINGER,
  SOCK_DGRAM,
  SOL_SOCKET,
  SOL_TCP,
  TCP_USER_TIMEOUT,
} from '../../src/socket/constants.ts';
import { enterNetns, KERNEL, OURS } from '../node/linux/kernel.ts';
import { Host, readAll } from './support/host.ts';
import { run } from './support/programs.ts';
import { skipUnless } from './support/skip.ts';
import { sysctl } from './support/sysctl.ts';
import { until } from './support/until.ts';

const skip = skipUnless('ping');
/** On the network, and nobody's. */
const NOBODY = '10.65.0.77';
/** Milliseconds between two ARP requests, and how often an unanswered SYN is sent again. */
const ARP_MS = 100;
const SYN_RETRIES = 1;
const WAIT_MS = 1000;

describe('the errno of', { skip, timeout: 60_000 }, () => {
  let host: Host;
  const opened: { destroy(): void }[] = [];

  before(() => {
    enterNetns();
    sysctl('ipv4/tcp_syn_retries', SYN_RETRIES);
    // Three time-outs after the first one of 200 ms: 3 s.
    sysctl('ipv4/tcp_retries2', 3);
  });
  beforeEach(() => {
    const sysctls = { retrans_time_ms: ARP_MS, tcp_syn_retries: SYN_RETRIES };
    host = new Host({ gateway: true, sysctl: sysctls });
    sysctl('ipv4/neigh/et0/retrans_time_ms', ARP_MS);
  });
  afterEach(() => {
    host.close();
    for (const socket of opened.splice(0)) socket.destroy();
  });

  /** A socket of the kernel's that has begun to connect. */
  function kernelSocket(port: number, hostname = OURS): Socket {
    const socket = netConnect(port, hostname);
    opened.push(socket);
    return socket;
  }

  /** Why the kernel cannot connect. */
  async function kernelFails(port: number, hostname = OURS): Promise<string> {
    return failureOf(kernelSocket(port, hostname));
  }

  /** Why we cannot. */
  async function weFail(port: number, hostname = KERNEL): Promise<string> {
    const result = await host.connect(port, hostname).catch((error: unknown) => (error as { code: string }).code);
    return typeof result === 'string' ? result : 'connected';
  }

  /** A connection that stands: the kernel's end and ours, with its descriptor. */
  async function connected() {
    const listener = host.listen(7001);
    const kernel = kernelSocket(7001);
    const fd = await host.stack.sys.wait.accept(listener);
    host.stack.sys.close(listener);
    return { kernel, fd, ours: fdStream(host.stack.sys, fd) };
  }

  /** From now on nothing passes between the two; they know each other's hardware address. */
  async function cut(): Promise<void> {
    await run('ping', ['-n', '-c', '1', '-w', '10', OURS]);
    host.faulty.configure({ up: { loss: 1 }, down: { loss: 1 } });
  }

  it('a port where nobody listens', async () => {
    assert.equal(await kernelFails(7), 'ECONNREFUSED');
    assert.equal(await weFail(7), 'ECONNREFUSED');
  });

  it("a UDP port where nobody is, the kernel's datagram", async () => {
    const socket = createSocket('udp4');
    socket.connect(7, OURS);
    await once(socket, 'connect');
    socket.send('hello');
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    socket.close();
    assert.equal(error.code, 'ECONNREFUSED');
  });

  it('a UDP port where nobody is, our datagram', async () => {
    const { sys } = host.stack;
    const fd = sys.socket(AF_INET, SOCK_DGRAM, 0);
    assert.equal(sys.connect(fd, { address: KERNEL, port: 7 }), 0);
    assert.equal(sys.send(fd, new Uint8Array(5)), 5);
    assert.equal(await sys.wait.recv(fd, new Uint8Array(5)), -ECONNREFUSED);
  });

  it('a host that is not there', async () => {
    assert.equal(await kernelFails(7, NOBODY), 'EHOSTUNREACH');
    assert.equal(await weFail(7, NOBODY), 'EHOSTUNREACH');
  });

  it('a network to which there is no way', async () => {
    assert.equal(await kernelFails(7, '10.99.0.1'), 'ENETUNREACH');
    host.stack.ip.routes.remove
    assert.equal(await weFail(7, '10.99.0.1'), 'ENETUNREACH');
  });
});

async function failureOf(socket: Socket): Promise<string> {
  const [error] = (await once(socket.resume(), 'error')) as [NodeJS.ErrnoException];
  return error.code ?? error.message;
}
