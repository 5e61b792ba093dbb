/**
 * Network namespaces with a name, for benchmarks against the kernel: two of them with a veth cable between, and room
 * for TAP devices.
 * @module
 */
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { libc, O_CLOEXEC, O_RDONLY } from '../src/node/linux/libc.ts';

const CLONE_NEWNET = 0x40000000;
const DIRECTORY = '/run/netns';
const PREFIX = 'et-bench-';

/** Addresses of the veth cable. */
export const LEFT = '10.65.1.1';
export const RIGHT = '10.65.1.2';

/** Why there is nothing to measure here, or null. */
export function missing(tools: readonly string[]): string | null {
  if (process.platform !== 'linux') return 'this is not Linux';
  if (process.getuid?.() !== 0) return 'not root';
  if (!existsSync('/dev/net/tun')) return 'there is no /dev/net/tun';
  for (const tool of ['ip', 'ethtool', 'sysctl', ...tools]) {
    if (spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0) return `${tool} is not installed`;
  }
  try {
    libc();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Two network namespaces; LEFT and RIGHT are the ends of a cable on which every packet is a packet. */
export class Namespaces {
  readonly left: string;
  readonly right: string;
  private readonly children = new Set<ChildProcess>();

  constructor() {
    removeStale();
    this.left = `${PREFIX}${process.pid}-a`;
    this.right = `${PREFIX}${process.pid}-b`;
    process.on('exit', this.close);
    process.once('SIGINT', onSignal);
    process.once('SIGTERM', onSignal);
    for (const name of [this.left, this.right]) {
      run('ip', 'netns', 'add', name);
      this.run(name, 'ip link set lo up');
      this.run(name, 'sysctl -q net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1');
    }
    this.run(this.left, `ip link add veth0 type veth peer name veth0 netns ${this.right}`);
    this.putUp(this.left, LEFT);
    this.putUp(this.right, RIGHT);
  }

  private putUp(name: string, address: string): void {
    this.run(name, 'ethtool -K veth0 tx off rx off tso off gso off gro off');
    this.run(name, `ip address add ${address}/24 dev veth0`);
    this.run(name, 'ip link set veth0 up');
    this.useCubic(name, 'veth0', address);
  }

  /** Linux's default, which the machine may have changed; not every namespace may choose another for everything. */
  useCubic(name: string, device: string, address: string): void {
    const network = address.replace(/\d+$/, '0/24');
    this.run(name, `ip route replace ${network} dev ${device} src ${address} congctl cubic`);
  }

  /** Runs a command in a namespace and waits for it. */
  run(name: string, command: string): void {
    run('ip', 'netns', 'exec', name, ...command.split(' '));
  }

  /** Starts a command in a namespace; it is ended with the namespaces at the latest. */
  spawn(name: string, command: readonly string[], options: SpawnOptions): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', name, ...command], options);
    this.children.add(child);
    child.once('exit', () => this.children.delete(child));
    return child;
  }

  /** Runs `body` with the main thread in a namespace: what is opened there belongs to it. */
  inside<T>(name: string, body: () => T): T {
    const here = open('/proc/thread-self/ns/net');
    const there = open(`${DIRECTORY}/${name}`);
    enter(there);
    try {
      return body();
    } finally {
      enter(here);
      libc().close(here);
      libc().close(there);
    }
  }

  /** Ends what runs in the namespaces and removes them. A second call does nothing. */
  readonly close = (): void => {
    process.off('exit', this.close);
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
    for (const child of this.children) child.kill('SIGKILL');
    for (const name of [this.left, this.right]) remove(name);
  };
}

/** So that 'exit' is heard. */
function onSignal(): void {
  process.exit(130);
}

/** Namespaces of a benchmark that was killed. */
function removeStale(): void {
  const names = existsSync(DIRECTORY) ? readdirSync(DIRECTORY) : [];
  for (const name of names) {
    const pid = name.startsWith(PREFIX) ? Number.parseInt(name.slice(PREFIX.length), 10) : 0;
    if (pid > 0 && !isAlive(pid)) remove(name);
  }
}

/** A process that has ended but was not waited for has no program any more. */
function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}/exe`);
}

function remove(name: string): void {
  spawnSync('ip', ['netns', 'del', name], { stdio: 'ignore' });
}

function open(path: string): number {
  const fd = libc().open(path, O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) throw new Error(`open ${path}: errno ${-fd}`);
  return fd;
}

function enter(fd: number): void {
  const setns = libc().koffi.load(null).func('int setns(int fd, int kind)');
  if (setns(fd, CLONE_NEWNET) !== 0) throw new Error(`setns: errno ${libc().koffi.errno()}`);
}

function run(command: string, ...args: readonly string[]): void {
  const result = spawnSync(command, args, { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${result.stderr}`);
}
