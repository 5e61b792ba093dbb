/**
 * Network namespaces for tests: they have no name, and are gone with the test's process, however it ends.
 */
import { spawnSync } from 'node:child_process';
import { libc } from '../../../src/node/linux/libc.ts';
import { addAddress, deleteInterface, findInterface, setMac, setUp } from '../../../src/node/linux/netdev.ts';
import { netlinkRequest, u32 } from '../../../src/node/linux/netlink.ts';

const CLONE_NEWNET = 0x40000000;
const O_RDONLY_CLOEXEC = 0x80000;
const RTM_NEWLINK = 16;
const IFLA_NET_NS_FD = 28;

/** Why the tests of real devices cannot run here, or false. Says so loudly in the test's report. */
export function skipReason(...tools: readonly string[]): string | false {
  if (process.platform !== 'linux') return 'NOT LINUX: nothing was tried on real devices';
  if (process.getuid?.() !== 0) return 'NOT ROOT: nothing was tried on real devices';
  for (const tool of ['ip', ...tools]) {
    if (spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0) {
      return `${tool} IS NOT INSTALLED: nothing was tried on real devices`;
    }
  }
  return false;
}

/** A network namespace. What is opened inside `run` stays in it. */
export class Netns {
  private readonly fd: number;

  private constructor(fd: number) {
    this.fd = fd;
  }

  /** A new one, with nothing in it but a loopback. */
  static create(): Netns {
    const here = currentFd();
    must(unshare(CLONE_NEWNET));
    const made = new Netns(currentFd());
    must(setns(here, CLONE_NEWNET));
    libc().close(here);
    made.run(() => setUp('lo'));
    return made;
  }

  /** Runs `body` with the main thread in the namespace: sockets, links and child processes made there belong to it. */
  run<T>(body: () => T): T {
    const here = currentFd();
    must(setns(this.fd, CLONE_NEWNET));
    try {
      return body();
    } finally {
      must(setns(here, CLONE_NEWNET));
      libc().close(here);
    }
  }

  /** Moves an interface of the namespace that the process is in to this one. */
  take(device: string): void {
    const fixed = new Uint8Array(16);
    new DataView(fixed.buffer).setInt32(4, findInterface(device).index, true);
    netlinkRequest(RTM_NEWLINK, 0, fixed, [[IFLA_NET_NS_FD, u32(this.fd)]], `move ${device}`);
  }

  close(): void {
    libc().close(this.fd);
  }
}

/** The kernel's hardware address on a wire. */
export const KERNEL_MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);

/**
 * A veth cable. Its end veth0, with 10.65.0.1/24, is in the namespace that the process is in (see enterNetns); its end
 * veth1, which is nobody's, is in another.
 */
export class Wire {
  readonly ours = Netns.create();
  private closed = false;

  constructor() {
    command('ip', 'link', 'add', 'veth0', 'type', 'veth', 'peer', 'name', 'veth1');
    this.ours.take('veth1');
    quiet('veth0');
    setMac('veth0', KERNEL_MAC);
    addAddress('veth0', '10.65.0.1/24');
    setUp('veth0');
    this.ours.run(() => {
      quiet('veth1');
      setUp('veth1');
    });
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    deleteInterface('veth0');
    this.ours.close();
  }
}

/** Without IPv6 the kernel says nothing on an interface of its own accord. */
function quiet(device: string): void {
  command(
    'sh',
    '-c',
    `test ! -d /proc/sys/net/ipv6 || echo 1 > /proc/sys/net/ipv6/conf/${device}/disable_ipv6`,
  );
}

function command(name: string, ...args: readonly string[]): void {
  const result = spawnSync(name, args, { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${name} ${args.join(' ')}: ${result.stderr}`);
}

function unshare(flags: number): number {
  return libc().koffi.load(null).func('int unshare(int flags)')(flags) as number;
}

function setns(fd: number, kind: number): number {
  return libc().koffi.load(null).func('int setns(int fd, int kind)')(fd, kind) as number;
}

function currentFd(): number {
  return must(libc().open('/proc/thread-self/ns/net', O_RDONLY_CLOEXEC, 0));
}

function must(result: number): number {
  if (result < 0) throw new Error(`errno ${result === -1 ? libc().koffi.errno() : -result}`);
  return result;
}
