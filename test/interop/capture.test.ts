/**
 * What passes between the kernel and our host, as tcpdump sees it: the options of TCP, and the checksums.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, before, describe, it } from 'node:test';
import type { Packet } from '../../src/core/packet.ts';
import { fdStream } from '../../src/http/fd-stream.ts';
import { serveHttp } from '../../src/http/server.ts';
import { serveFiles } from '../../src/http/static.ts';
import { SOCK_STREAM, SOL_TCP, TCP_INFO } from '../../src/socket/constants.ts';
import type { OptionValue } from '../../src/socket/options.ts';
import { out } from '../../src/socket/sockaddr.ts';
import type { TcpInfo } from '../../src/tcp/info.ts';
import { ping } from '../../src/tools/ping.ts';
import { enterNetns } from '../node/linux/kernel.ts';
import { Capture } from './support/capture.ts';
import { FAMILIES, type Family, httpUrl } from './support/family.ts';
import { Host, type HostOptions, readAll } from './support/host.ts';
import { bytesOf, PatternFiles } from './support/pattern.ts';
import { here, makeFarPlace, type Place } from './support/place.ts';
import { run, start } from './support/programs.ts';
import { skipUnless } from './support/skip.ts';
import { kernelCounter } from './support/snmp.ts';
import { until } from './support/until.ts';

const skip = skipUnless('tcpdump', 'curl', 'ping', 'ethtool');
const BULK = 2_000_000;

for (const family of FAMILIES) {
  describe(`a capture shows over ${family.name}`, { skip, timeout: 60_000 }, () => {
    const { kernel, ours: OURS, any, domain } = family;
    const HERE = here(family);
    const FROM_US = `src host ${OURS}`;
    const isV4 = family.name === 'IPv4';

    const open: { close(): unknown }[] = [];

    before(enterNetns);
    afterEach(async () => {
      for (const thing of open.splice(0).reverse()) await thing.close();
    });

    function host(options: HostOptions = {}): Host {
      const made = new Host({ family, ...options });
      open.push(made);
      const { stack } = made;
      void serveHttp(stack.listen({ hostname: any, port: 80 }), serveFiles(new PatternFiles()), {
        env: stack.host.env,
      });
      return made;
    }

    async function capture(device: string, place: Place = HERE): Promise<Capture> {
      const made = place.run(() => new Capture(device));
      open.push({ close: () => made.remove() });
      await made.ready();
      return made;
    }

    it('that the kernel and we agree on window scale, timestamps and SACK, if the kernel begins', async () => {
      const ours = host();
      const listener = ours.listen(7001);
      const seen = await capture('et0');
      const nc = start('nc', ['-n', '-N', OURS, '7001'], { input: bytesOf(0, BULK) });
      const fd = await ours.stack.sys.wait.accept(listener);
      const agreed = infoOf(ours, fd);
      await receive(ours, fd);
      ours.stack.sys.close(fd);
      assert.equal(await nc.ended, 0, nc.report);
      await seen.finish(ours, kernel);
      const [syn, synAck] = await handshakeOf(family, seen, `dst port 7001`, 'src port 7001');
      assertAgreed(family, agreed, { ours: synAck, kernels: syn });
      assert.equal(synAck.echo, syn.value);
      await assertTimestamps(family, seen, 'port 7001');
    });

    it('the same if we begin', async () => {
      const ours = host();
      const seen = await capture('et0');
      const nc = start('nc', ['-n', '-v', '-N', '-l', kernel, '7002'], { input: bytesOf(0, BULK) });
      await nc.says(/Listening/);
      const { sys } = ours.stack;
      const fd = sys.socket(domain, SOCK_STREAM, 0);
      assert.equal(await sys.wait.connect(fd, { address: kernel, port: 7002 }), 0);
      const agreed = infoOf(ours, fd);
      await receive(ours, fd);
      sys.close(fd);
      assert.equal(await nc.ended, 0, nc.report);
      await seen.finish(ours, kernel);
      const [syn, synAck] = await handshakeOf(family, seen, 'dst port 7002', 'src port 7002');
      assertAgreed(family, agreed, { ours: syn, kernels: synAck });
      assert.equal(synAck.echo, syn.value);
      await assertTimestamps(family, seen, 'port 7002');
    });

    it('that each side reports with SACK what it misses', async () => {
      const ours = host({
        vnetHdr: false,
        faults: { up: { drop: nthLong(30) }, down: { drop: nthLong(30) } },
      });
      const listener = ours.listen(7003);
      const seen = await capture('et0');
      const nc = start('nc', ['-n', '-N', OURS, '7003'], { input: bytesOf(0, BULK) });
      const fd = await ours.stack.sys.wait.accept(listener);
      await receive(ours, fd);
      assert.equal(await ours.stack.sys.wait.send(fd, bytesOf(0, BULK)), BULK);
      ours.stack.sys.close(fd);
      assert.equal(await nc.ended, 0, nc.report);
      assert.deepEqual(nc.output, bytesOf(0, BULK));
      await seen.finish(ours, kernel);
      for (const from of [OURS, kernel]) {
        const acks = await seen.lines(`port 7003 and src host ${from}`);
        assert.ok(
          acks.some(line => /sack \d+ \{\d+:\d+\}/.test(line)),
          `no SACK from ${from}`,
        );
      }
    });

    it('right checksums in all that we send without the virtio-net header', async () => {
      const ours = host({ vnetHdr: false });
      const seen = await capture('et0');
      await mixedTraffic(ours, HERE);
      await seen.finish(ours, kernel);
      assertChecksums((await seen.lines(FROM_US, '-vv')).join('\n'), family);
      const protocols = isV4 ? ['Tcp', 'Udp', 'Icmp'] : ['Tcp', 'Udp6', 'Icmp6'];
      for (const protocol of protocols) assert.equal(kernelCounter(protocol, 'InCsumErrors'), 0);
    });

    it('right checksums behind a router of what we leave to the virtio-net header', async () => {
      const ours = host({ gateway: true });
      const far = await makeFarPlace(family);
      open.push(far);
      const near = await capture('et0');
      const seen = await capture('f0', far);
      await mixedTraffic(ours, far);
      await seen.finish(ours, far.address);
      await near.finish(ours, kernel);
      assertChecksums((await seen.lines(FROM_US, '-vv')).join('\n'), family);
      // On the TAP they are not computed yet, and segments not cut.
      const left = await near.lines(`${FROM_US} and tcp`, '-vv');
      assert.ok(left.some(line => line.includes('(incorrect')));
      assert.notDeepEqual(await near.lines(`${FROM_US} and tcp and greater 1515`), []);
      assert.deepEqual(await seen.lines(`${FROM_US} and tcp and greater 1515`), []);
    });
  });
}

/** Something of everything: TCP with data and without, echo requests and replies, datagrams, fragments, errors. */
async function mixedTraffic(ours: Host, kernel: Place): Promise<void> {
  const { address } = kernel;
  const OURS = ours.family.ours;
  const site = httpUrl(OURS);
  const fetched = await kernel.run(() => run('curl', ['-gsS', `${site}/${BULK}`]));
  assert.deepEqual(fetched.output, bytesOf(0, BULK));
  // Our RST, and our SYN.
  assert.equal(await kernel.run(() => start('curl', ['-gsS', `${httpUrl(OURS, 81)}/`])).ended, 7);
  await assert.rejects(ours.connect(81, address), { code: 'ECONNREFUSED' });
  await kernel.run(() => run('ping', ['-n', '-c', '3', '-w', '20', '-i', '0.01', OURS]));
  await kernel.run(() => run('ping', ['-n', '-c', '3', '-w', '20', '-i', '0.01', '-s', '4000', OURS]));
  const echo = ping(ours.stack, address, { count: 3, intervalUs: 10_000, deadlineUs: 20e6 });
  for await (const event of echo) assert.equal(event.type, 'reply');
  const kernels = await kernel.datagramSocket();
  const socket = ours.stack.udp({ hostname: ours.family.any });
  for (const size of [0, 1, 512, 1472, 5000]) {
    const message = once(kernels, 'message') as Promise<[Buffer]>;
    await socket.send(bytesOf(0, size), { hostname: address, port: kernels.address().port });
    assert.deepEqual((await message)[0], bytesOf(0, size));
  }
  socket.close();
  // Our ICMP error.
  const { Icmp, Icmp6 } = ours.stack.mib;
  const unreachables = (): number => Icmp.OutDestUnreachs + Icmp6.OutDestUnreachs;
  const before = unreachables();
  kernels.send('hello', 7, OURS);
  await until(
    () => unreachables() > before,
    () => 'no ICMP error',
  );
  kernels.close();
}

/** tcpdump says of each checksum that it could compute that it is right. */
function assertChecksums(text: string, family: Family): void {
  const isV4 = family.name === 'IPv4';
  assert.doesNotMatch(text, /incorrect|bad (?:udp |icmp6 )?cksum|wrong icmp cksum/);
  const count = (pattern: RegExp): number => [...text.matchAll(pattern)].length;
  assert.ok(count(/cksum 0x[0-9a-f]{4} \(correct\)/g) > BULK / 1460, 'TCP');
  assert.ok(count(/\[udp sum ok\]/g) >= 4, 'UDP');
  assert.ok(count(isV4 ? /ICMP echo/g : /\[icmp6 sum ok\] ICMP6, echo/g) >= 6, 'ICMP');
  assert.ok(count(/unreachable/g) >= 1, 'ICMP errors');
  assert.ok(count(isV4 ? /flags \[\+\]/g : /frag \(0x\w+:\d+\|\d+\)/g) >= 5, 'fragments');
}

const TCP_SYN = 2;
const TCP_RST = 4;

/** A flag of TCP in tcpdump's filters, which know 'tcp[..]' for IPv4 alone. */
function flagFilter({ header }: Family, flag: number): string {
  return header === 20 ? `tcp[tcpflags] & ${flag}` : `ip6[${header + 13}] & ${flag}`;
}

/** What one side offers in its SYN or SYN-ACK. */
interface Offer {
  readonly mss: number;
  /** Its clock, and what it echoes of the other's. */
  readonly value: number;
  readonly echo: number;
  readonly wscale: number;
}

/** The offers of the SYN and the SYN-ACK. Fails when one of the options is not there. */
async function handshakeOf(
  family: Family,
  seen: Capture,
  there: string,
  back: string,
): Promise<[Offer, Offer]> {
  const offers = await Promise.all(
    [there, back].map(async filter => {
      const lines = await seen.lines(`tcp and ${flagFilter(family, TCP_SYN)} != 0 and ${filter}`);
      const options = /options \[mss (\d+),sackOK,TS val (\d+) ecr (\d+),nop,wscale (\d+)\]/.exec(
        lines[0] ?? '',
      );
      assert.ok(options, lines[0]);
      const [mss, value, echo, wscale] = options.slice(1).map(Number) as [number, number, number, number];
      return { mss, value, echo, wscale };
    }),
  );
  return offers as [Offer, Offer];
}

/** What our TCP_INFO says is what was agreed. */
function assertAgreed(family: Family, info: TcpInfo, offers: { ours: Offer; kernels: Offer }): void {
  const { options, rcv_wscale, snd_wscale, advmss } = info;
  const mss = 1480 - family.header;
  // What is agreed upon leaves room for the timestamps.
  assert.deepEqual([offers.ours.mss, offers.kernels.mss, advmss], [mss, mss, mss - 12]);
  assert.deepEqual([rcv_wscale, snd_wscale], [offers.ours.wscale, offers.kernels.wscale]);
  assert.ok(rcv_wscale > 0 && snd_wscale > 0);
  // Timestamps, SACK and window scaling.
  assert.equal(options, 7);
}

async function assertTimestamps(family: Family, seen: Capture, filter: string): Promise<void> {
  const lines = await seen.lines(`tcp and ${filter} and ${flagFilter(family, TCP_RST)} == 0`);
  assert.ok(lines.length > 10);
  assert.deepEqual(
    lines.filter(line => !line.includes('TS val ')),
    [],
  );
}

function infoOf(ours: Host, fd: number): TcpInfo {
  const info = out<OptionValue>();
  assert.equal(ours.stack.sys.getsockopt(fd, SOL_TCP, TCP_INFO, info), 0);
  return info.value as unknown as TcpInfo;
}

/** Reads the bulk to its end. */
async function receive(ours: Host, fd: number): Promise<void> {
  assert.deepEqual(await readAll(fdStream(ours.stack.sys, fd)), bytesOf(0, BULK));
}

/** Loses one frame of many bytes, the nth. */
function nthLong(n: number): (packet: Packet) => boolean {
  let count = 0;
  return packet => packet.length > 1000 && ++count === n;
}
