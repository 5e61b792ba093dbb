/**
 * A path whose narrowest cable is two routers away, with 1280 bytes where both ends have 1500: with the routers'
 * ICMP messages, and where they are lost on the way.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, afterEach, before, describe, it } from 'node:test';
import { EMSGSIZE, ETIMEDOUT } from '../../src/base/errno.ts';
import {
  IP_MTU,
  IP_MTU_DISCOVER,
  IP_PMTUDISC_DO,
  IP_PMTUDISC_DONT,
  IPV6_MTU,
  IPV6_MTU_DISCOVER,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_IP,
  SOL_IPV6,
  SOL_TCP,
  TCP_INFO,
  TCP_MAXSEG,
  TCP_USER_TIMEOUT,
} from '../../src/socket/constants.ts';
import type { OptionValue } from '../../src/socket/options.ts';
import { out } from '../../src/socket/sockaddr.ts';
import { ping } from '../../src/tools/ping.ts';
import { enterNetns } from '../node/linux/kernel.ts';
import { FAMILIES } from './support/family.ts';
import { Host, readAll } from './support/host.ts';
import { bytesOf } from './support/pattern.ts';
import { makeNarrowPath, type NarrowPath } from './support/place.ts';
import { type Program, start } from './support/programs.ts';
import { skipUnless } from './support/skip.ts';

const skip = skipUnless('nc');
const BULK = bytesOf(0, 5_000_000);
const MTU = 1280;
const USER_TIMEOUT_MS = 1500;

for (const family of FAMILIES) {
  describe(`a path over ${family.name} with an MTU of 1280`, { skip, timeout: 60_000 }, () => {
    const isV4 = family.name === 'IPv4';
    const [level, mtuOption, discover] = isV4
      ? [SOL_IP, IP_MTU, IP_MTU_DISCOVER]
      : [SOL_IPV6, IPV6_MTU, IPV6_MTU_DISCOVER];
    /** Of a segment with timestamps on such a path. */
    const MSS = MTU - family.header - 32;

    let path: NarrowPath;
    let host: Host;

    before(async () => {
      enterNetns();
      path = await makeNarrowPath(family, MTU);
    });
    after(() => path?.close());
    afterEach(() => host.close());

    async function begin(icmp: boolean): Promise<void> {
      host = new Host({ family, gateway: true });
      await path.setIcmp(icmp);
      // What the far kernel learned in another test shows in the MSS that it announces.
      await path.far.shell(`ip ${isV4 ? '' : '-6 '}route flush cache`);
    }

    /** The far kernel's netcat, which listens, and our descriptor with a connection to it. */
    async function connectTo(
      port: number,
      prepare: (fd: number) => void = () => {},
    ): Promise<[Program, number]> {
      const { address } = path.far;
      const nc = path.far.run(() => start('nc', ['-n', '-v', '-l', address, `${port}`]));
      await nc.says(/Listening/);
      const { sys } = host.stack;
      const fd = sys.socket(family.domain, SOCK_STREAM, 0);
      prepare(fd);
      assert.equal(await sys.wait.connect(fd, { address, port }), 0);
      return [nc, fd];
    }

    /** Sends everything and sees it arrive. */
    async function sendAll(nc: Program, fd: number): Promise<void> {
      const { sys } = host.stack;
      assert.equal(await sys.wait.send(fd, BULK), BULK.length);
      sys.close(fd);
      assert.equal(await nc.ended, 0, nc.report);
      assert.deepEqual(nc.output, BULK);
    }

    /** Receives everything from the far kernel's netcat. */
    async function receiveAll(port: number): Promise<void> {
      const listener = host.listen(port);
      const nc = path.far.run(() => start('nc', ['-n', '-N', family.ours, `${port}`], { input: BULK }));
      const stream = await host.accept(listener);
      assert.deepEqual(await readAll(stream), BULK);
      stream.close();
      assert.equal(await nc.ended, 0, nc.report);
    }

    function getsockopt(fd: number, level: number, name: number): OptionValue {
      const value = out<OptionValue>();
      assert.equal(host.stack.sys.getsockopt(fd, level, name, value), 0);
      return value.value as OptionValue;
    }

    it('is learned by a connection of ours', async () => {
      await begin(true);
      const [nc, fd] = await connectTo(7001);
      const { sys } = host.stack;
      assert.equal(await sys.wait.send(fd, BULK.subarray(0, 2_000_000)), 2_000_000);
      const { pmtu, snd_mss } = getsockopt(fd, SOL_TCP, TCP_INFO) as unknown as Record<string, number>;
      assert.deepEqual({ pmtu, snd_mss }, { pmtu: MTU, snd_mss: MSS });
      assert.equal(getsockopt(fd, level, mtuOption), MTU);
      assert.equal(await sys.wait.send(fd, BULK.subarray(2_000_000)), BULK.length - 2_000_000);
      sys.close(fd);
      assert.equal(await nc.ended, 0, nc.report);
      assert.deepEqual(nc.output, BULK);
      const { Icmp, Icmp6, Ip, Ip6 } = host.stack.mib;
      assert.ok(Icmp.InDestUnreachs + Icmp6.InPktTooBigs > 0);
      assert.equal(Ip.FragOKs + Ip6.FragOKs, 0);
    });

    it('is learned by the far kernel, which sends to us', async () => {
      await begin(true);
      await receiveAll(7002);
      assert.equal(host.stack.mib.Ip.ReasmReqds + host.stack.mib.Ip6.ReasmReqds, 0);
    });

    it('is learned from a datagram; the next one comes in fragments that fit, or is refused', async () => {
      await begin(true);
      const { address } = path.far;
      const kernel = await path.far.datagramSocket();
      const to = { address, port: kernel.address().port };
      const { sys } = host.stack;
      const fd = sys.socket(family.domain, SOCK_DGRAM, 0);
      sys.connect(fd, to);
      // Too big for the path, and may not be cut: it is lost, and the error says so.
      assert.equal(sys.send(fd, BULK.subarray(0, 1400)), 1400);
      assert.equal(await sys.wait.recv(fd, new Uint8Array(1)), -EMSGSIZE);
      assert.equal(getsockopt(fd, level, mtuOption), MTU);
      const message = once(kernel, 'message') as Promise<[Buffer]>;
      assert.equal(sys.send(fd, BULK.subarray(0, 4000)), 4000);
      assert.deepEqual((await message)[0], BULK.subarray(0, 4000));
      assert.equal(sys.setsockopt(fd, level, discover, IP_PMTUDISC_DO), 0);
      assert.equal(sys.send(fd, BULK.subarray(0, 1400)), -EMSGSIZE);
      kernel.close();
    });

    it('is told to ping', async () => {
      await begin(true);
      const echo = ping(host.stack, path.far.address, {
        ...{ count: 2, size: 1400, dontFragment: 'do', intervalUs: 10_000, deadlineUs: 20e6 },
      });
      const texts: string[] = [];
      for await (const event of echo) texts.push(event.type === 'error' ? event.text : event.type);
      assert.match(texts[0] as string, /1280/);
    });

    it('without ICMP: our connection finds out by itself, after repetitions in vain (RFC 4821)', async () => {
      await begin(false);
      const [nc, fd] = await connectTo(7006);
      await sendAll(nc, fd);
      const { TCPMTUPSuccess, TCPTimeouts } = host.stack.mib.TcpExt;
      assert.ok(
        TCPTimeouts > 0 && TCPMTUPSuccess > 0,
        `${TCPTimeouts} time-outs, ${TCPMTUPSuccess} probes arrived`,
      );
    });

    it('without ICMP and without tcp_mtu_probing: what is too big is lost, so that our connection times out', async () => {
      await begin(false);
      host.stack.host.sysctl.tcp_mtu_probing = 0;
      const [nc, fd] = await connectTo(7003);
      const { sys } = host.stack;
      sys.setsockopt(fd, SOL_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
      // Less than the send buffer takes at once.
      assert.equal(await sys.wait.send(fd, BULK.subarray(0, 10_000)), 10_000);
      assert.equal(await sys.wait.recv(fd, new Uint8Array(1)), -ETIMEDOUT);
      await nc.stop('SIGKILL');
      assert.equal(nc.output.length, 0);
    });

    it('without ICMP: routers cut what they may, with IP_PMTUDISC_DONT', {
      skip: isV4 ? false : 'routers of IPv6 never cut',
    }, async () => {
      await begin(false);
      const dont = (fd: number) =>
        assert.equal(host.stack.sys.setsockopt(fd, level, discover, IP_PMTUDISC_DONT), 0);
      await sendAll(...(await connectTo(7004, dont)));
    });

    it('without ICMP: segments of TCP_MAXSEG fit', async () => {
      await begin(false);
      const small = (fd: number) => assert.equal(host.stack.sys.setsockopt(fd, SOL_TCP, TCP_MAXSEG, 1200), 0);
      await sendAll(...(await connectTo(7005, small)));
    });

    it('without ICMP: the far kernel probes its way to us, with tcp_mtu_probing', async () => {
      await begin(false);
      await path.far.shell('echo 1 >/proc/sys/net/ipv4/tcp_mtu_probing');
      await receiveAll(7006);
    });
  });
}
