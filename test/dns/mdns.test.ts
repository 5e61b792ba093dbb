import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Rng } from '../../src/base/rng.ts';
import { MulticastDns, type MulticastDnsOptions } from '../../src/dns/mdns.ts';
import { BLANK_MESSAGE, decodeMessage, encodeMessage, type Message } from '../../src/dns/message.ts';
import { Resolver } from '../../src/dns/resolver.ts';
import { turn } from '../../src/node/turn.ts';
import { type ConnectOptions, World } from '../../src/sim/world.ts';
import * as C from '../../src/socket/constants.ts';
import type { Stack } from '../../src/stack/stack.ts';
import { IpAddress } from '../../src/wire/address.ts';
import { codeOf, record } from './fixture.ts';

const nsec = { nextDomain: 'y.local', rrtypes: ['A'] };
const GROUP = '224.0.0.251';
const PORT = 5353;

/** Hosts on a switch: a is 10.0.0.1 and fd00::1, b 10.0.0.2 and fd00::2 ... */
class Lan {
  readonly world: World;
  readonly hosts: readonly Stack[];

  constructor(count: number, options: ConnectOptions = {}, seed = 1) {
    this.world = new World({ seed, turn });
    const wire = this.world.switch('lan');
    this.hosts = [...'abcdef'].slice(0, count).map((name, i) => {
      return this.world.host(name, { address6: `fd00::${i + 1}/64` });
    });
    for (const host of this.hosts) this.world.connect(host, wire, { delayUs: 100, ...options });
  }

  /** Multicast DNS on the host of this number. */
  mdns(index: number, options: MulticastDnsOptions = {}): MulticastDns {
    return new MulticastDns(this.hosts[index] as Stack, options);
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.world.run(promise);
  }

  seconds(seconds: number): Promise<void> {
    return this.world.runFor(seconds * 1e6);
  }

  /** Sends what a test wants from `port`, and hears what comes to the group and to itself. */
  peer(index: number, port = PORT): Peer {
    return new Peer(this.hosts[index] as Stack, port);
  }
}

interface Heard {
  readonly message: Message;
  readonly atUs: number;
}

class Peer {
  readonly heard: Heard[] = [];
  private readonly stack: Stack;
  private readonly fd: number;

  constructor(stack: Stack, port: number) {
    const { sys } = stack;
    this.stack = stack;
    this.fd = sys.socket(C.AF_INET, C.SOCK_DGRAM);
    sys.setsockopt(this.fd, C.SOL_SOCKET, C.SO_REUSEADDR, 1);
    sys.bind(this.fd, { address: '0.0.0.0', port });
    sys.setsockopt(this.fd, C.SOL_IP, C.IP_ADD_MEMBERSHIP, { imr_multiaddr: GROUP });
    void this.listen();
  }

  send(message: Partial<Message> | Uint8Array, to = GROUP): void {
    const bytes = message instanceof Uint8Array ? message : encodeMessage({ ...BLANK_MESSAGE, ...message });
    this.stack.sys.sendmsg(this.fd, { msg_name: { address: to, port: PORT }, msg_iov: [bytes] });
  }

  /** The answers that were heard since the last time, as 'name type data'. */
  answers(): string[] {
    return this.heard
      .splice(0)
      .filter(({ message }) => message.response)
      .flatMap(({ message }) => message.answers.map(each => `${each.name} ${each.type} ${each.data}`));
  }

  private async listen(): Promise<void> {
    const buffer = new Uint8Array(9000);
    for (;;) {
      const length = await this.stack.sys.wait.recvmsg(this.fd, { msg_iov: [buffer] });
      if (length < 0) return;
      const message = decodeMessage(buffer.slice(0, length), { multicast: true });
      if (message !== null) this.heard.push({ message, atUs: this.stack.host.env.nowUs() });
    }
  }
}

function question(name: string, type: string): Partial<Message> {
  return { questions: [{ name, type, class: 'IN' }] };
}

describe('multicast DNS', () => {
  it('finds a host by both families, its name by its address, and what it does not have', async () => {
    const lan = new Lan(2);
    await lan.seconds(5);
    const [a, b] = [lan.mdns(0), lan.mdns(1)];
    await lan.run(Promise.all([a.ready, b.ready]));
    const found = await lan.run(a.lookup('B.local'));
    assert.ok(found.includes('10.0.0.2') && found.includes('fd00::2'), `${found}`);
    assert.ok(found.some(address => address.startsWith('fe80::') && address.includes('%')));
    const [pointer] = await lan.run(a.resolve('2.0.0.10.in-addr.arpa', 'PTR'));
    assert.equal(pointer?.data, 'b.local');
    assert.equal(await codeOf(lan.run(a.resolve('b.local', 'TXT'))), 'ENODATA');
    assert.equal(await codeOf(lan.run(a.lookup('nobody.local'))), 'ENOTFOUND');
    assert.equal(await codeOf(lan.run(a.resolve('a..b', 'A'))), 'EBADNAME');
    assert.ok((await lan.run(b.lookup('b.local'))).includes('10.0.0.2'), 'itself, too');
    lan.world.close();
  });

  it('probes three times, announces twice a second apart, and says goodbye', async () => {
    const lan = new Lan(2);
    await lan.seconds(5);
    const peer = lan.peer(1);
    const mdns = lan.mdns(0);
    await lan.seconds(4);
    const probes = peer.heard.filter(({ message }) => !message.response);
    const told = peer.heard.filter(({ message }) => message.response);
    const times = (list: Heard[]): number[] =>
      list.slice(1).map(({ atUs }, i) => Math.round((atUs - (list[i] as Heard).atUs) / 1000));
    assert.deepEqual(times(probes), [250, 250]);
    assert.deepEqual(times(told), [1000]);
    assert.equal(told[0]?.message.answers[0]?.flush, true);
    assert.equal(
      probes[0]?.message.authorities.some(({ data }) => data === '10.0.0.1'),
      true,
    );
    peer.heard.length = 0;
    mdns.close();
    await lan.seconds(1);
    const goodbye = peer.heard[0]?.message.answers ?? [];
    assert.ok(goodbye.length > 1 && goodbye.every(({ ttl }) => ttl === 0));
    lan.world.close();
  });

  it('forgets what was taken back after a second', async () => {
    const lan = new Lan(2);
    const [a, b] = [lan.mdns(0, { timeout: 3 }), lan.mdns(1)];
    await lan.seconds(5);
    await lan.run(a.lookup('b.local'));
    b.close();
    await lan.seconds(1.1);
    assert.equal(await codeOf(lan.run(a.lookup('b.local'))), 'ENOTFOUND');
    lan.world.close();
  });

  it('forgets when the time of a record is over', async () => {
    const lan = new Lan(2);
    const a = lan.mdns(0, { timeout: 1 });
    const peer = lan.peer(1);
    await lan.seconds(3);
    peer.send({ response: true, answers: [{ ...record('x.local', 'A', '10.0.0.9', 10), flush: true }] });
    await lan.seconds(4);
    const [first] = await lan.run(a.resolve('x.local', 'A'));
    assert.equal(first?.ttl, 7);
    peer.send({ response: true, answers: [{ ...record('x.local', 'A', '10.0.0.8', 10), flush: true }] });
    await lan.seconds(2);
    const after = await lan.run(a.resolve('x.local', 'A'));
    assert.deepEqual(
      after.map(({ data }) => data),
      ['10.0.0.8'],
      'the new one takes the place of the old',
    );
    await lan.seconds(9);
    assert.equal(await codeOf(lan.run(a.resolve('x.local', 'A'))), 'ENOTFOUND');
    lan.world.close();
  });
});

describe('multicast DNS, conflicts', () => {
  it('takes the next name when another host has it', async () => {
    const lan = new Lan(3);
    await lan.seconds(5);
    const conflicts: string[] = [];
    const onConflict = (...names: string[]): number => conflicts.push(names.join(' '));
    const first = lan.mdns(0, { hostname: 'printer' });
    await lan.run(first.ready);
    const srv = { priority: 0, weight: 0, port: 631, target: 'printer.local' };
    const records = [{ name: 'x._ipp._tcp.local', type: 'SRV', data: srv }];
    const second = lan.mdns(1, { hostname: 'printer', records, onConflict });
    await lan.run(second.ready);
    const third = lan.mdns(2, { hostname: 'printer' });
    await lan.run(third.ready);
    assert.deepEqual(conflicts, ['printer.local printer-2.local']);
    assert.deepEqual(
      [first, second, third].map(each => each.hostname),
      ['printer.local', 'printer-2.local', 'printer-3.local'],
    );
    const [service] = await lan.run(third.resolve('x._ipp._tcp.local', 'SRV'));
    assert.equal(service?.data.target, 'printer-2.local', 'records follow the name');
    assert.ok((await lan.run(first.lookup('printer-3.local'))).includes('10.0.0.3'));
    lan.world.close();
  });

  it('lets the later data win when two begin at once', async () => {
    const lan = new Lan(2);
    await lan.seconds(5);
    const [a, b] = [lan.mdns(0, { hostname: 'x' }), lan.mdns(1, { hostname: 'x' })];
    await lan.run(Promise.all([a.ready, b.ready]));
    assert.deepEqual([a.hostname, b.hostname], ['x-2.local', 'x.local']);
    lan.world.close();
  });

  it('finds out when two networks that have the same name become one', async () => {
    const joined = new World({ seed: 3, turn });
    const wire = joined.switch('lan');
    const [a, b] = [joined.host('a'), joined.host('b')];
    const cable = joined.connect(a, wire, {});
    joined.connect(b, wire, {});
    cable.pull();
    const each = [a, b].map(stack => new MulticastDns(stack, { hostname: 'x' }));
    await joined.run(Promise.all(each.map(({ ready }) => ready)));
    await joined.runFor(3e6);
    cable.plug();
    const peer = new Peer(b, PORT);
    peer.send(question('x.local', 'A'));
    await joined.runFor(10e6);
    assert.deepEqual(each.map(({ hostname }) => hostname).sort(), ['x-2.local', 'x.local']);
    joined.close();
  });
});

describe('multicast DNS, answers', () => {
  const name = '_ipp._tcp.local';
  const records = [{ name, type: 'PTR', data: 'x._ipp._tcp.local', shared: true }];

  it('leaves out what is known, and waits where others may answer, too', async () => {
    const lan = new Lan(2);
    lan.mdns(0, { records });
    await lan.seconds(5);
    const peer = lan.peer(1);
    const beganUs = lan.world.nowUs;
    peer.send(question(name, 'PTR'));
    await lan.seconds(1.5);
    const answer = peer.heard.find(({ message }) => message.response);
    const delayMs = ((answer?.atUs ?? 0) - beganUs) / 1000;
    assert.ok(delayMs >= 20 && delayMs <= 121, `${delayMs} ms`);
    assert.deepEqual(peer.answers(), [`${name} PTR x.${name}`]);
    peer.send({ ...question(name, 'PTR'), answers: [record(name, 'PTR', `X.${name}`, 4000)] });
    await lan.seconds(1.5);
    assert.deepEqual(peer.answers(), []);
    peer.send({ ...question(name, 'PTR'), answers: [record(name, 'PTR', `x.${name}`, 2000)] });
    await lan.seconds(1.5);
    assert.equal(peer.answers().length, 1, 'it is known for less than half of its time');
    peer.send({ ...question(name, 'PTR'), tc: true });
    await lan.seconds(0.2);
    peer.send({ answers: [record(name, 'PTR', `x.${name}`, 4000)] });
    await lan.seconds(1);
    assert.deepEqual(peer.answers(), [], 'what is known came in a second message');
    lan.world.close();
  });

  it('collects the answers of all, and tells what it knows when it asks again', async () => {
    const lan = new Lan(4);
    for (const i of [1, 2]) lan.mdns(i, { records: [{ ...records[0], data: `${i}.${name}` } as never] });
    await lan.seconds(5);
    const asker = lan.mdns(0);
    const peer = lan.peer(3);
    await lan.seconds(3);
    const found = await lan.run(asker.resolve(name, 'PTR'));
    assert.deepEqual(found.map(({ data }) => data).sort(), [`1.${name}`, `2.${name}`]);
    await lan.seconds(2);
    peer.heard.length = 0;
    assert.equal((await lan.run(asker.resolve(name, 'PTR', { refresh: true }))).length, 2);
    assert.equal(peer.heard[0]?.message.answers.length, 2);
    assert.deepEqual(peer.answers(), []);
    lan.world.close();
  });

  it('answers those who do not listen to the group as a name server does', async () => {
    const lan = new Lan(2);
    lan.mdns(0);
    await lan.seconds(5);
    const peer = lan.peer(1, 40_000);
    peer.send({ ...question('a.local', 'A'), id: 77 });
    await lan.seconds(1);
    const { message } = peer.heard[0] as Heard;
    assert.equal(message.id, 77);
    assert.equal(message.questions.length, 1);
    assert.deepEqual(message.answers, [{ ...record('a.local', 'A', '10.0.0.1', 10), flush: false }]);
    lan.world.close();
  });

  it('ignores answers from another port, and messages that are not of the link', async () => {
    const lan = new Lan(2);
    const asker = lan.mdns(0, { timeout: 1 });
    await lan.seconds(5);
    const forged = { response: true, answers: [record('x.local', 'A', '10.9.9.9')] };
    lan.peer(1, 40_000).send(forged);
    await lan.seconds(0.1);
    assert.equal(await codeOf(lan.run(asker.resolve('x.local', 'A'))), 'ENOTFOUND');
    const [a, b] = lan.hosts as [Stack, Stack];
    b.ip.netif('eth0')?.addAddress(IpAddress.parse('192.168.7.7') as IpAddress, 24);
    a.ip.routes.add({ destination: '192.168.7.0', prefixLength: 24, netif: 2 } as never);
    const fd = b.sys.socket(C.AF_INET, C.SOCK_DGRAM);
    b.sys.setsockopt(fd, C.SOL_SOCKET, C.SO_REUSEADDR, 1);
    assert.equal(b.sys.bind(fd, { address: '192.168.7.7', port: PORT }), 0);
    b.sys.sendmsg(fd, {
      msg_name: { address: '10.0.0.1', port: PORT },
      msg_iov: [encodeMessage({ ...BLANK_MESSAGE, ...forged })],
    });
    await lan.seconds(1);
    assert.equal(await codeOf(lan.run(asker.resolve('x.local', 'A'))), 'ENOTFOUND');
    lan.world.close();
  });
});

describe('multicast DNS, the rest', () => {
  it('resolves while a fifth of all packets is lost', async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const lan = new Lan(3, { loss: 0.2 }, seed);
      await lan.seconds(5);
      const [a, b] = [lan.mdns(0, { timeout: 20 }), lan.mdns(1)];
      await lan.run(Promise.all([a.ready, b.ready]));
      assert.ok((await lan.run(a.lookup('b.local'))).includes('10.0.0.2'), `seed ${seed}`);
      lan.world.close();
    }
  });

  it('is asked by a resolver for names below local', async () => {
    const lan = new Lan(2);
    await lan.seconds(5);
    const multicast = lan.mdns(0);
    await lan.run(lan.mdns(1).ready);
    const resolver = new Resolver(lan.hosts[0] as Stack, { multicast });
    assert.ok((await lan.run(resolver.lookup('b.local'))).includes('10.0.0.2'));
    assert.deepEqual(await lan.run(resolver.resolve4('b.local.')), ['10.0.0.2']);
    assert.equal(await codeOf(lan.run(resolver.lookup('b.test'))), 'ENOSERVER');
    lan.world.close();
  });

  it('keeps its limits, and works on, whatever it is sent', async () => {
    const lan = new Lan(2);
    const mdns = lan.mdns(0, { limits: { cacheRecords: 20, queries: 4 }, hostname: 'x' });
    await lan.seconds(5);
    const peer = lan.peer(1);
    const rng = new Rng(7);
    const seeds = [
      { ...question('x.local', 'ANY'), authorities: [record('x.local', 'A', '10.0.0.9')] },
      { response: true, answers: [record('y.local', 'A', '10.0.0.9'), record('y.local', 'NSEC', nsec)] },
      { response: true, answers: [record('z.local', 'TXT', [new Uint8Array(9)])] },
    ].map(message => encodeMessage({ ...BLANK_MESSAGE, ...message } as Message));
    for (let i = 0; i < 3000; i++) {
      const bytes = (seeds[i % 3] as Uint8Array).slice();
      for (let n = rng.below(4); n > 0; n--) bytes[rng.below(bytes.length)] = rng.below(256);
      peer.send(bytes);
      if (i % 20 === 0) await lan.seconds(0.01);
      assert.ok(mdns.cacheSize <= 20);
    }
    await lan.seconds(10);
    const many = Array.from({ length: 6 }, (_, i) => codeOf(mdns.resolve(`no${i}.local`, 'A')));
    const codes = await lan.run(Promise.all(many));
    assert.deepEqual(codes.filter(code => code === 'ECANCELLED').length, 2);
    assert.ok((await lan.run(mdns.lookup(mdns.hostname ?? ''))).includes('10.0.0.1'));
    lan.world.close();
  });

  it('tells no more of what it knows than there is room for', async () => {
    const lan = new Lan(2);
    const mdns = lan.mdns(0);
    await lan.seconds(5);
    const peer = lan.peer(1);
    for (let i = 0; i < 12; i++) {
      const text = Array.from({ length: 30 }, () => new Uint8Array(255).fill(i));
      peer.send({ response: true, answers: [record('big.local', 'TXT', text)] });
      await lan.seconds(0.1);
    }
    const small = record('big.local', 'TXT', [new Uint8Array(9)]);
    peer.send({ response: true, answers: [small] });
    await lan.seconds(0.1);
    peer.heard.length = 0;
    assert.ok((await lan.run(mdns.resolve('big.local', 'TXT', { refresh: true }))).length >= 12);
    assert.ok((peer.heard[0]?.message.answers.length ?? 0) >= 1);
    lan.world.close();
  });

  it('says what is wrong with its options, and gives up what is under way when it is closed', async () => {
    const lan = new Lan(1);
    assert.throws(() => lan.mdns(0, { hostname: 'a..b' }), /not a host name: "a..b"/);
    assert.throws(() => lan.mdns(0, { netif: 'eth7' }), /no interface for multicast DNS: eth7/);
    assert.throws(() => lan.mdns(0, { records: [{ name: 'x', type: 'NONSENSE', data: '' }] }), TypeError);
    const mdns = lan.mdns(0);
    const failed = codeOf(mdns.lookup('x.local'));
    mdns.close();
    assert.equal(await lan.run(failed), 'ECANCELLED');
    assert.equal(await codeOf(lan.run(mdns.ready)), 'ECANCELLED');
    lan.world.close();
  });
});
