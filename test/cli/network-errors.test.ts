import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { repositoryRoot } from '../support/repository.ts';
import { ethertype, type Ran } from './command.ts';

/** The commands on a real network, with arguments that are right. */
const COMMANDS: readonly (readonly [name: string, ...args: string[]])[] = [
  ['serve', '.'],
  ['get', 'http://10.65.0.1/'],
  ['nc', '10.65.0.1', '7'],
  ['flood', '10.65.0.1', '7'],
  ['sink', '7'],
  ['ping', '10.65.0.1'],
  ['ping6', 'fd65::1'],
  ['traceroute', '10.65.0.1'],
  ['traceroute6', 'fd65::1'],
  ['dig', '@10.65.0.1', 'www.example.test'],
];

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'ethertype-network-'));
});
after(() => rmSync(folder, { recursive: true }));

/** Wrong command lines, their exit status and what the one line says. */
const WRONG: readonly [args: string[], status: number, says: RegExp][] = [
  [['serve'], 2, /missing required argument 'folder'/],
  [['serve', '/nonexistent'], 1, /cannot serve \/nonexistent: no such file or folder/],
  [['serve', '.', '--port', '0'], 2, /'0' is invalid. Not a number from 1 to 65535/],
  [['serve', '.', '--address', '10.65.0.2'], 2, /Not an address with its prefix/],
  [['serve', '.', '--address', '10.65.0.300/24'], 2, /Not an address with its prefix/],
  [['serve', '.', '--address', '10.65.0.2/33'], 2, /Not an address with its prefix/],
  [['serve', '.', '--address', '10.65.0.2/4'], 2, /A prefix has 8 to 31 bits/],
  [['serve', '.', '--address', 'fd65::2/7'], 2, /A prefix has 8 to 127 bits/],
  [['serve', '.', '--address', 'fd65::2%tap0/64'], 2, /Not an address with its prefix/],
  [['serve', '.', '--address', '::ffff:10.65.0.2/112'], 2, /Not the address of a host/],
  [['serve', '.', '--address', 'fd65::/64'], 2, /fd65::\/64 is a network, not one of a host/],
  [['serve', '.', '--address', '10.65.0.2/24,fd65::2'], 2, /Not an address with its prefix/],
  [['serve', '.', '--address', 'fd65::2/64', '--mtu', '1279'], 2, /IPv6 needs an MTU of at least 1280/],
  [['serve', '.', '--dhcp', '--tun'], 2, /--dhcp needs Ethernet, which a TUN device has not: use --tap/],
  [
    ['serve', '.', '--dhcp', '--gateway', '10.65.0.1'],
    2,
    /the gateway 10.65.0.1 is of no use: this stack has no IPv4 address/,
  ],
  [['serve', '.', '--slaac', '--mtu', '576'], 2, /IPv6 needs an MTU of at least 1280/],
  [
    ['serve', '.', '--address', '10.65.0.2/24', '--gateway', 'fe80::1'],
    2,
    /the gateway fe80::1 is of no use: this stack has no IPv6 address/,
  ],
  [
    ['serve', '.', '--address', 'fd65::2/64', '--gateway', 'fd66::1'],
    2,
    /is not in the network of fd65::2\/64/,
  ],
  [['serve', '.', '--gateway', '10.65.0.1,10.65.0.7'], 2, /one gateway for each of IPv4 and IPv6/],
  [['serve', '.', '--address', '224.0.0.1/24'], 2, /Not the address of a host/],
  [['serve', '.', '--address', '10.65.0.0/24'], 2, /10\.65\.0\.0\/24 is a network or a broadcast address/],
  [['serve', '.', '--address', '10.65.0.255/24'], 2, /is a network or a broadcast address/],
  [['serve', '.', '--address', '10.65.0.2/32'], 2, /no address is left/],
  [
    ['serve', '.', '--gateway', '10.66.0.1'],
    2,
    /gateway 10\.66\.0\.1 is not in the network of 10\.65\.0\.2\/24$/m,
  ],
  [['serve', '.', '--gateway', '10.65.0.2'], 2, /is this stack's own address/],
  [['serve', '.', '--gateway', 'nope'], 2, /Not an IP address/],
  [['serve', '.', '--mtu', '60'], 2, /Not a number from 68 to 65535/],
  [['serve', '.', '--mac', '01:00:5e:00:00:01'], 2, /A group address/],
  [['serve', '.', '--mac', '1:2'], 2, /Not a hardware address/],
  [['serve', '.', '--mac', 'device'], 2, /--mac device is for --interface/],
  [['serve', '.', '--tap', 'much-too-long-a-name'], 2, /Not the name of an interface/],
  [['serve', '.', '--tap', 'a/b'], 2, /Not the name of an interface/],
  [
    ['serve', '.', '--trace', 'strace,nope'],
    2,
    /'nope' is none of strace, tcp, packets, queues, config, all/,
  ],
  [['serve', '.', '--tun', '--interface', 'eth0'], 2, /cannot be used with/],
  [['serve', '.', '--write', '/nonexistent/a.pcap'], 1, /cannot write \/nonexistent\/a\.pcap: no such file/],
  [['get'], 2, /missing required argument 'url'/],
  [['get', 'http://a..b/'], 6, /cannot find the host 'a\.\.b': it is not a domain name/],
  [['get', 'https://10.65.0.1/'], 1, /https:\/\/ is not there yet/],
  [['get', 'http://[fe80::1%]/'], 3, /is not a URL/],
  [['get', 'http://[fd65::1/'], 3, /is not a URL/],
  [['get', 'http://10.65.0.1:99999/'], 3, /is not a URL/],
  [['get', '10.65.0.1', '--header', 'nope'], 2, /Not a field/],
  [['get', '10.65.0.1', '--range', 'x'], 2, /Not a range of bytes/],
  [['nc', '10.65.0.1'], 2, /missing argument 'port'/],
  [['nc', '10.65.0.256', '7'], 2, /Not an IP address/],
  [['nc', '10.65.0.1', '70000'], 2, /Not a number from 1 to 65535/],
  [['nc', '-l', '10.65.0.1', '7'], 2, /-l takes a port only/],
  [['nc', '-l', 'x'], 2, /Not a number from 1 to 65535/],
  [['flood', '10.65.0.1'], 2, /missing required argument 'port'/],
  [['flood', '10.65.0.1', '7', '--bytes', '1x'], 2, /Not a number of bytes/],
  [['flood', '10.65.0.1', '7', '--bytes', '1M', '--seconds', '2'], 2, /cannot be used with/],
  [['flood', '10.65.0.1', '7', '--parallel', '0'], 2, /Not a number from 1 to 128/],
  [['sink', 'x'], 2, /Not a number from 1 to 65535/],
  [['ping'], 2, /missing required argument 'host'/],
  [['ping', 'a..b'], 2, /Not an IP address/],
  [['ping', '--dns', 'ns.example.org', 'x'], 2, /Not an IP address/],
  [['ping', '-4', 'fd65::1'], 2, /'fd65::1' is not an IPv4 address/],
  [['ping', '-6', '10.65.0.1'], 2, /'10\.65\.0\.1' is not an IPv6 address/],
  [['ping', '-4', '-6', '10.65.0.1'], 2, /cannot be used with/],
  [['ping6', '10.65.0.1'], 2, /'10\.65\.0\.1' is not an IPv6 address/],
  [['ping', 'fd65::1%'], 2, /Not an IP address/],
  [['ping', '-s', '65528', 'fd65::1'], 2, /Not a number from 0 to 65527/],
  [['ping', '10.65.0.1', '10.65.0.3'], 2, /too many arguments/],
  [['ping', '-c', '0', '10.65.0.1'], 2, /Not a number from 1 to/],
  [['ping', '-i', 'x', '10.65.0.1'], 2, /Not a number of seconds/],
  [['ping', '-s', '65508', '10.65.0.1'], 2, /--size 65508 is more than a packet holds: 65507 bytes/],
  [['ping', '-t', '256', '10.65.0.1'], 2, /Not a number from 1 to 255/],
  [['ping', '-M', 'maybe', '10.65.0.1'], 2, /Allowed choices are do, want, dont/],
  [['dig', 'a..b'], 2, /'a\.\.b' is no domain name/],
  [['dig', 'x.test', '+nope'], 2, /'\+nope' is an option that is not there/],
  [['traceroute'], 2, /missing required argument 'host'/],
  [['traceroute', '10.65.0.1', '27'], 2, /Not a number from 28 to 65535/],
  [['traceroute', 'fd65::1', '47'], 2, /47 bytes are less than the headers: 48/],
  [['traceroute6', '10.65.0.1'], 2, /'10\.65\.0\.1' is not an IPv6 address/],
  [['traceroute', '-q', '11', '10.65.0.1'], 2, /Not a number from 1 to 10/],
  [['traceroute', '-w', '5,x', '10.65.0.1'], 2, /Not seconds, or seconds and two factors/],
  [['traceroute', '-f', '9', '-m', '8', '10.65.0.1'], 2, /--first-hop 9 is behind --max-hops 8/],
  [['ss', 'extra'], 2, /too many arguments/],
  [['netstat'], 2, /only netstat -s is there/],
];

for (const [args, status, says] of WRONG) {
  test(`ethertype ${args.join(' ')} ends with ${status} and one line`, () => {
    isOneLine(ethertype(...args), status, says);
  });
}

test('each command has help with examples and its exit statuses', () => {
  for (const [name] of [...COMMANDS, ['ss'], ['netstat']] as const) {
    const { status, out, err } = ethertype(name, '--help');
    assert.equal(status, 0);
    assert.equal(err, '');
    assert.match(out, new RegExp(`^Usage: ethertype ${name} `));
    assert.match(out, /\nExamples?:\n( {2}\$ .*\n)*? {2}\$ sudo npx ethertype/);
    assert.match(out, /\nExit status.*: 0/);
  }
  for (const [name] of COMMANDS) {
    const { out } = ethertype('help', name);
    for (const option of [
      '--tap',
      '--address',
      '--slaac',
      '--dhcp',
      '--gateway',
      '--mtu',
      '--mac',
      '--tun',
      '--trace',
      '--write',
    ])
      assert.ok(out.includes(`${option} `), `${name} ${option}`);
  }
});

test('without the package koffi each command says so in one line', () => {
  const copy = join(folder, 'without-koffi');
  mkdirSync(join(copy, 'node_modules'), { recursive: true });
  for (const part of ['bin', 'dist', 'package.json'])
    symlinkSync(join(repositoryRoot(), part), join(copy, part));
  const packages = ['commander', 'http-parser-js', 'mrmime', '@dnsquery', '@leichtgewicht', 'utf8-codec'];
  for (const name of packages)
    symlinkSync(join(repositoryRoot(), 'node_modules', name), join(copy, 'node_modules', name));
  for (const args of COMMANDS) {
    const ran = node([
      '--preserve-symlinks',
      '--preserve-symlinks-main',
      join(copy, 'bin', 'ethertype.js'),
      ...args,
    ]);
    isOneLine(ran, 1, /the Linux drivers need (the package koffi: npm install koffi|Linux)/);
  }
});

test('ss and netstat without a running stack', () => {
  const says = /no stack of this user is running \(one that was started with sudo is root's: use sudo\)/;
  isOneLine(node([script(), 'ss']), 1, says);
  isOneLine(node([script(), 'netstat', '-s']), 1, says);
  isOneLine(node([script(), 'ss', '--tap', 'tap9']), 1, /is running on tap9/);
  isOneLine(node([script(), 'ss', '--pid', '1']), 1, /is running in process 1/);
});

test('a folder for control sockets that others can enter is refused', () => {
  const control = join(folder, 'ethertype');
  mkdirSync(control, { mode: 0o700, recursive: true });
  chmodSync(control, 0o755);
  isOneLine(node([script(), 'ss']), 1, /cannot look for running stacks: .* can be entered by other users/);
  rmSync(control, { recursive: true });
  writeFileSync(control, '');
  isOneLine(node([script(), 'ss']), 1, /cannot look for running stacks: .* is not a folder/);
  rmSync(control);
});

function script(): string {
  return join(repositoryRoot(), 'bin', 'ethertype.js');
}

/** Runs node with the runtime folder of nobody else. */
function node(args: readonly string[]): Ran {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    env: { ...process.env, XDG_RUNTIME_DIR: folder },
  });
  return { status, out: stdout, err: stderr };
}

function isOneLine(ran: Ran, status: number, says: RegExp): void {
  assert.match(ran.err, says);
  assert.match(ran.err, /^ethertype: [^\n]+\n$/);
  assert.equal(ran.out, '');
  assert.equal(ran.status, status);
}
