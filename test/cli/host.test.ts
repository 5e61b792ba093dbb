import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Failure } from '../../src/cli/failure.ts';
import { parseAddresses } from '../../src/cli/host/arguments.ts';
import type { OpenDevice } from '../../src/cli/host/device.ts';
import { kernelAddressFor } from '../../src/cli/host/kernel-address.ts';
import { Interrupted } from '../../src/cli/host/lifetime.ts';
import type { HostOptions } from '../../src/cli/host/options.ts';
import { progressLine } from '../../src/cli/host/progress.ts';
import { waitForSlaac } from '../../src/cli/host/slaac.ts';
import { type CommandHost, withHost } from '../../src/cli/host/with-host.ts';
import { askRunning } from '../../src/cli/running.ts';
import { chooseSockets } from '../../src/cli/ss/choose.ts';
import { formatBytes, formatRate, formatSeconds, parseBytes } from '../../src/cli/units.ts';
import { createCable } from '../../src/link/cable.ts';
import { readPcap } from '../../src/pcap/pcap.ts';
import { Stack } from '../../src/stack/stack.ts';
import { IpAddress, parseCidr } from '../../src/wire/address.ts';

describe("the address of the kernel's side", () => {
  const side = (cidr: string, gateway: string | null = null): string => {
    const { address, prefixLength } = parseCidr(cidr) ?? assert.fail();
    const router = gateway === null ? null : IpAddress.parse(gateway);
    return String(kernelAddressFor(address, prefixLength, [address], router));
  };
  it('is the gateway, or the first that is free', () => {
    assert.equal(side('10.65.0.2/24'), '10.65.0.1');
    assert.equal(side('10.65.0.1/24'), '10.65.0.2');
    assert.equal(side('10.65.0.2/24', '10.65.0.254'), '10.65.0.254');
    assert.equal(side('192.168.77.130/25'), '192.168.77.129');
    assert.equal(side('10.65.0.1/30'), '10.65.0.2');
    assert.equal(side('10.65.0.1/31'), '10.65.0.0');
    assert.equal(side('10.65.0.0/31'), '10.65.0.1');
    assert.equal(side('10.65.0.1/32'), 'null');
    assert.equal(side('10.200.0.9/8'), '10.0.0.1');
    assert.equal(side('255.255.255.1/24'), '255.255.255.2');
  });
  it('is the first one of an IPv6 network that is not the routers together', () => {
    assert.equal(side('fd65::2/64'), 'fd65::1');
    assert.equal(side('fd65::1/64'), 'fd65::2');
    assert.equal(side('fd65::2/64', 'fd65::ff'), 'fd65::ff');
    assert.equal(side('fd65::ffff:0:0:5/80'), 'fd65::ffff:0:0:1');
    assert.equal(side('fd65::2/127'), 'fd65::3');
    assert.equal(side('fd65::3/127'), 'fd65::2');
    assert.equal(side('fd65::9/125'), 'fd65::a');
    assert.equal(side('fd65::3/128'), 'null');
  });
  it('is none of several addresses of ours', () => {
    const ours = ['10.65.0.1', '10.65.0.2'].map(text => IpAddress.parse(text) ?? assert.fail());
    assert.equal(String(kernelAddressFor(ours[0] as IpAddress, 24, ours, null)), '10.65.0.3');
    assert.equal(kernelAddressFor(ours[0] as IpAddress, 30, ours, null), null);
  });
});

describe('numbers for people', () => {
  it('have three digits', () => {
    assert.equal(formatBytes(0), '0 B');
    assert.equal(formatBytes(999), '999 B');
    assert.equal(formatBytes(1000), '1.00 kB');
    assert.equal(formatBytes(12_345), '12.3 kB');
    assert.equal(formatBytes(999_999), '1.00 MB');
    assert.equal(formatBytes(123_456_789), '123 MB');
    assert.equal(formatRate(1000, 500), '2.00 kB/s');
    assert.equal(formatRate(1000, 0), '0 B/s');
    assert.equal(formatSeconds(59.4), '59 s');
    assert.equal(formatSeconds(65), '1 min 5 s');
    assert.equal(formatSeconds(7300), '2 h 1 min');
  });
  it('are read as they are written', () => {
    assert.equal(parseBytes('512'), 512);
    assert.equal(parseBytes('64k'), 64_000);
    assert.equal(parseBytes('64KiB'), 65_536);
    assert.equal(parseBytes('1.5G'), 1.5e9);
    for (const wrong of ['', 'x', '1x', '-1', '1i', '1.0005k5']) assert.equal(parseBytes(wrong), null, wrong);
  });
  it('show how far a transfer is', () => {
    assert.equal(progressLine(450e6, 1e9, 5000), '45 %, 450 MB of 1.00 GB, 90.0 MB/s, 6 s left');
    assert.equal(progressLine(450e6, null, 5000), '450 MB, 90.0 MB/s');
  });
});

describe('which sockets ss lists', () => {
  const row = {
    recvQ: 0,
    sendQ: 0,
    local: 'a:1',
    peer: 'b:2',
    timer: null,
    congestion: '',
    model: null,
    info: null,
  };
  const states = ['LISTEN', 'ESTABLISHED', 'TIME_WAIT', 'SYN_RCVD', 'CLOSE_WAIT'];
  const sockets = {
    tcp: states.map(state => ({ ...row, state })),
    udp: [
      { ...row, state: 'UNCONN' as const },
      { ...row, state: 'ESTAB' as const },
    ],
  };
  const chosen = (choice: object): string[] => chooseSockets(sockets, choice).map(({ state }) => state);
  it('depends on -t, -u, -l and -a', () => {
    assert.deepEqual(chosen({}), ['ESTAB', 'ESTABLISHED', 'CLOSE_WAIT']);
    assert.deepEqual(chosen({ tcp: true }), ['ESTABLISHED', 'CLOSE_WAIT']);
    assert.deepEqual(chosen({ udp: true }), ['ESTAB']);
    assert.deepEqual(chosen({ listening: true }), ['UNCONN', 'LISTEN']);
    assert.deepEqual(chosen({ tcp: true, all: true }), states);
    assert.equal(chosen({ all: true }).length, 7);
  });
  it('depends on -4 and -6: a socket of both families is one of IPv6', () => {
    const of = ['10.65.0.2:80', '[fd65::2]:80', '[fe80::2]%tap0:80', '*:80', '0.0.0.0:80'];
    const rows = { tcp: of.map(local => ({ ...row, local, state: 'ESTABLISHED' })), udp: [] };
    const locals = (choice: object): string[] => chooseSockets(rows, choice).map(({ local }) => local);
    assert.deepEqual(locals({ ipv4: true }), ['10.65.0.2:80', '0.0.0.0:80']);
    assert.deepEqual(locals({ ipv6: true }), ['[fd65::2]:80', '[fe80::2]%tap0:80', '*:80']);
  });
});

describe('withHost', () => {
  let folder = '';
  let before: string | undefined;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ethertype-host-'));
    before = process.env['XDG_RUNTIME_DIR'];
    process.env['XDG_RUNTIME_DIR'] = folder;
  });
  afterEach(() => {
    if (before === undefined) delete process.env['XDG_RUNTIME_DIR'];
    else process.env['XDG_RUNTIME_DIR'] = before;
    rmSync(folder, { recursive: true });
  });

  const options: HostOptions = {
    tap: 'fake0',
    address: parseAddresses('10.65.0.2/24,fd65::2/64'),
    quiet: true,
  };

  /** A cable to another stack of ours, which stands for the kernel. */
  function fake(
    seen: string[],
    kernelSide: (kernel: Stack) => void = () => undefined,
    isPrivate = false,
  ): OpenDevice {
    return (_plan, { env }) => {
      const [ours, theirs] = createCable(env);
      const kernel = new Stack({ env, name: 'kernel', sysctl: { forwarding: true, dad_transmits: 0 } });
      kernel.attach(theirs, { address: '10.65.0.1/24', address6: 'fd65::1/64' });
      kernelSide(kernel);
      seen.push('open');
      return {
        link: ours,
        kernelSides: ['10.65.0.1/24', 'fd65::1/64'],
        isPrivate,
        close() {
          seen.push('close');
          kernel.close();
        },
      };
    };
  }

  const inUse = (): string[] => readdirSync(join(folder, 'ethertype'));

  it('gives a command a stack that works, and takes everything away again', async () => {
    const seen: string[] = [];
    const open = fake(seen, kernel => {
      void (async () => {
        const socket = await kernel.listen({ port: 7 }).accept();
        await socket.readable.pipeTo(socket.writable);
      })();
    });
    const got = await withHost(options, { name: 'test', open }, async host => {
      const socket = host.stack.connect({ hostname: '10.65.0.1', port: 7 });
      const writer = socket.writable.getWriter();
      await writer.write(new TextEncoder().encode('hello'));
      const { value } = await socket.readable.getReader().read();
      await writer.close();
      return new TextDecoder().decode(value);
    });
    assert.equal(got, 'hello');
    assert.deepEqual(seen, ['open', 'close']);
    assert.deepEqual(inUse(), []);
    assert.equal(process.listenerCount('SIGINT'), 0);
  });

  it('answers questions on a socket that only its user can open', async () => {
    await withHost(options, { name: 'test', open: fake([]) }, async ({ stack }) => {
      assert.deepEqual(inUse(), [`${process.pid}-fake0.sock`]);
      assert.equal(statSync(join(folder, 'ethertype')).mode & 0o777, 0o700);
      assert.equal(statSync(join(folder, 'ethertype', inUse()[0] ?? '')).mode & 0o777, 0o600);
      stack.listen({ port: 80 });
      stack.udp({ port: 53 });
      const [sockets] = await askRunning({}, 'sockets');
      assert.equal(sockets?.heading, `# test, process ${process.pid}, fake0 with 10.65.0.2/24 fd65::2/64`);
      assert.deepEqual(
        [...(sockets?.answer.tcp ?? []), ...(sockets?.answer.udp ?? [])].map(({ state, local }) => [
          state,
          local,
        ]),
        [
          ['LISTEN', '0.0.0.0:80'],
          ['UNCONN', '0.0.0.0:53'],
        ],
      );
      const [counters] = await askRunning({ tap: 'fake0', pid: process.pid }, 'counters');
      assert.equal(counters?.answer.Tcp['RtoMin'], 200);
      const [interfaces] = await askRunning({}, 'interfaces');
      assert.deepEqual(
        interfaces?.answer.map(({ name }) => name),
        ['lo', 'fake0'],
      );
      const [routes] = await askRunning({}, 'routes');
      assert.ok(routes?.answer.some(({ destination }) => destination === 'fd65::/64'));
      assert.deepEqual((await askRunning({}, 'neighbors'))[0]?.answer, []);
      await assert.rejects(askRunning({ tap: 'other' }, 'counters'), Failure);
    });
    await assert.rejects(askRunning({}, 'about'), Failure);
  });

  it('refuses a second one on the same device', async () => {
    await withHost(options, { name: 'first', open: fake([]) }, async () => {
      const seen: string[] = [];
      const second = withHost(options, { name: 'second', open: fake(seen) }, async () => undefined);
      await assert.rejects(second, (error: Failure) => {
        assert.match(
          error.message,
          /^fake0 is in use by ethertype first \(process \d+\); take another one, as --tap fake1 /,
        );
        return error.exitStatus === 1;
      });
      assert.deepEqual(seen, []);
      // The first one is still there.
      assert.equal((await askRunning({}, 'about')).length, 1);
    });
  });

  it('removes what a killed one left, and gives its note to the next', async () => {
    await withHost(options, { name: 'first', open: fake([]) }, async () => undefined);
    const dead = join(folder, 'ethertype', '4194304-fake0');
    const note = { network: 'net:[1]', device: 'fake0', addresses: ['10.65.0.1/24'] };
    writeFileSync(`${dead}.json`, JSON.stringify(note));
    writeFileSync(join(folder, 'ethertype', '4194303-fake0.json'), 'not json');
    const open: OpenDevice = (plan, context) => {
      assert.deepEqual(context.left, [note]);
      context.note(note);
      return fake([])(plan, context);
    };
    await withHost(options, { name: 'next', open }, async () => {
      assert.deepEqual(inUse(), [`${process.pid}-fake0.json`, `${process.pid}-fake0.sock`]);
    });
    assert.deepEqual(inUse(), []);
  });

  it('writes a capture file that can be read at once, and whole at the end', async () => {
    const write = join(folder, 'a.pcap');
    const packets = (): number => [...(readPcap(readFileSync(write))?.packets ?? assert.fail())].length;
    await withHost({ ...options, write }, { name: 'test', open: fake([]) }, async host => {
      assert.equal(readPcap(readFileSync(write))?.linkType, 1);
      const refused = host.stack.connect({ hostname: '10.65.0.1', port: 9 });
      await assert.rejects(refused.opened, { code: 'ECONNREFUSED' });
    });
    // Our announcement; request, reply, and the kernel's own; SYN, RST at least.
    assert.ok(packets() >= 5);
  });

  it('waits for an address that a router gives, or says why there is none', async () => {
    const slaac: HostOptions = { tap: 'fake0', slaac: true, quiet: true };
    const advertise = (kernel: Stack): void => {
      kernel.ip.ipv6.advertise(kernel.ip.netif('eth0') ?? assert.fail(), {});
    };
    await withHost(slaac, { name: 'test', open: fake([], advertise, true) }, async host => {
      const [about] = await askRunning({}, 'about');
      assert.match(about?.answer.address ?? '', /^fd65::[0-9a-f:]+\/64$/);
      assert.equal(await host.lookup('fe80::1'), 'fe80::1%fake0');
      assert.equal(await host.lookup('fe80::1%fake0'), 'fe80::1%fake0');
      assert.equal(await host.lookup('fd65::1'), 'fd65::1');
      await assert.rejects(host.lookup('fe80::1%eth0'), /is on another link: this stack is on fake0 alone/);
    });
    await withHost(options, { name: 'test', open: fake([], undefined, true) }, async ({ stack }) => {
      const netif = stack.ip.netif('fake0') ?? assert.fail();
      await assert.rejects(waitForSlaac(stack, netif, 40), {
        name: 'Failure',
        message: /^--slaac: no router on fake0 gives addresses: .* \(it was waited for 0\.04 s\)$/,
      });
    });
  });

  it('ends when another host has its IPv6 address', async () => {
    const taken: HostOptions = { ...options, address: parseAddresses('fd65::1/64') };
    const forever = (): Promise<void> => new Promise(() => undefined);
    await assert.rejects(withHost(taken, { name: 'test', open: fake([]) }, forever), {
      name: 'Failure',
      message: 'fd65::1 is in use by another host on fake0: take another --address',
    });
  });

  it('ends a command that is told to, and rejects with why', async () => {
    const seen: string[] = [];
    const forever = (host: CommandHost): Promise<void> => {
      setImmediate(() => process.emit('SIGTERM', 'SIGTERM'));
      return new Promise((_, reject) => {
        host.signal.addEventListener('abort', () => reject(new Error('last words')));
      });
    };
    const run = withHost(options, { name: 'test', open: fake(seen) }, forever);
    await assert.rejects(run, (error: unknown) => error instanceof Interrupted && error.signal === 'SIGTERM');
    assert.deepEqual(seen, ['open', 'close']);
    assert.deepEqual(inUse(), []);
  });

  it('lets a command say its last words', async () => {
    const run = withHost(options, { name: 'test', lastWords: true, open: fake([]) }, host => {
      setImmediate(() => process.emit('SIGINT', 'SIGINT'));
      return new Promise<string>(resolve => {
        host.signal.addEventListener('abort', () => resolve('sums'));
      });
    });
    assert.equal(await run, 'sums');
  });

  it('takes away what was made when the command fails, or the device cannot be made', async () => {
    const seen: string[] = [];
    await assert.rejects(
      withHost(options, { name: 'test', open: fake(seen) }, () => Promise.reject(new Failure('no'))),
      Failure,
    );
    assert.deepEqual(seen, ['open', 'close']);
    const open = (): never => {
      throw new Failure('no device');
    };
    await assert.rejects(
      withHost(options, { name: 'test', open }, async () => undefined),
      /no device/,
    );
    assert.deepEqual(inUse(), []);
    assert.ok(existsSync(folder));
  });
});
