/**
 * Our host on a TAP device with the kernel as its peer, beside the kernel's own figure over a veth cable on which
 * nothing is left to a device: no super-segments, no open checksums.
 * @module
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { acceptedStreams, serveFiles, serveHttp } from '../src/http/index.ts';
import { nodeEnv } from '../src/node/env.ts';
import { FolderFiles } from '../src/node/files.ts';
import { addAddress, openTap, setUp } from '../src/node/linux/index.ts';
import { AF_INET, SOCK_DGRAM, SOCK_STREAM } from '../src/socket/constants.ts';
import { out, type Sockaddr } from '../src/socket/sockaddr.ts';
import { Stack } from '../src/stack/stack.ts';
import type { Benchmark } from './benchmark.ts';
import { missing, Namespaces, RIGHT } from './namespaces.ts';
import { must } from './pair.ts';
import { Pattern, PIECE_MAX } from './pattern.ts';

const KERNEL = '10.65.0.1';
const OURS = '10.65.0.2';
const PORT = 5001;
const HTTP_PORT = 80;
/** What is sent at once, as iperf3 does. */
const PIECE = 128 * 1024;
/** Moved in one measurement: with the virtio-net header, without it, and by the kernel alone. */
const BYTES = 1_000_000_000;
const BYTES_PLAIN = 250_000_000;
const BYTES_KERNEL = 400_000_000;
const TRIPS = 20_000;
const CONNECTIONS = 32;
const SECONDS = 2;
const FILE_LENGTH = 612;
const ROUNDS = 5;

const pattern = new Pattern();
const kernelEnd = [process.execPath, fileURLToPath(new URL('./kernel-end.js', import.meta.url))];

/** What the measurements of one benchmark share: the namespaces. */
let shared: Namespaces | null = null;

function namespaces(): Namespaces {
  shared ??= new Namespaces();
  return shared;
}

function tapBenchmark(
  name: string,
  unit: string,
  referenceName: string,
  tools: readonly string[],
  ours: Benchmark['ours'],
  reference: Benchmark['reference'],
): Benchmark {
  return {
    name,
    unit,
    referenceName,
    rounds: ROUNDS,
    skip: () => missing(tools),
    finish: () => {
      shared?.close();
      shared = null;
    },
    ours,
    reference,
  };
}

function bulk(name: string, vnetHdr: boolean, direction: (host: Host, bytes: number) => Promise<number>) {
  const ours = async (scale: number): Promise<number> => {
    const bytes = Math.round((vnetHdr ? BYTES : BYTES_PLAIN) * scale);
    const host = new Host(vnetHdr);
    try {
      return bytes / 1e6 / (await direction(host, bytes));
    } finally {
      host.close();
    }
  };
  return tapBenchmark(name, 'MB/s', 'iperf3 over veth without offloads', ['iperf3'], ours, kernelBulk);
}

/** The benchmarks, in the order in which they run. */
export const tap: readonly Benchmark[] = [
  bulk('tap-rx', true, receive),
  bulk('tap-tx', true, send),
  bulk('tap-rx-plain', false, receive),
  bulk('tap-tx-plain', false, send),
  tapBenchmark(
    'tap-udp-rtt',
    'round trips/s',
    'an echo server of node:dgram over veth',
    [],
    ourTrips,
    kernelTrips,
  ),
  tapBenchmark(
    'tap-http',
    'requests/s',
    'nginx with one worker over veth',
    ['wrk', 'nginx'],
    ourRequests,
    nginxRequests,
  ),
];

/** Our host at the other end of the kernel's TAP device. */
class Host {
  readonly spaces = namespaces();
  readonly stack: Stack;

  constructor(vnetHdr = true) {
    const env = nodeEnv();
    const link = this.spaces.inside(this.spaces.left, () => {
      const opened = openTap({ name: 'et0', env, vnetHdr });
      addAddress(opened.name, `${KERNEL}/24`);
      setUp(opened.name);
      return opened;
    });
    this.spaces.useCubic(this.spaces.left, link.name, KERNEL);
    this.stack = new Stack({ env });
    this.stack.attach(link, { address: `${OURS}/24` });
  }

  /** A program on the kernel's side. */
  start(...args: readonly (string | number)[]): Program {
    return new Program(this.spaces, this.spaces.left, [...kernelEnd, ...args.map(String)]);
  }

  listen(port: number): number {
    const { sys } = this.stack;
    const fd = must(sys.socket(AF_INET, SOCK_STREAM), 'socket');
    must(sys.bind(fd, { address: OURS, port }), 'bind');
    must(sys.listen(fd, 511), 'listen');
    return fd;
  }

  close(): void {
    this.stack.close();
  }
}

/** A program in a namespace, and what it prints. */
class Program {
  private readonly child: ChildProcess;
  private readonly ended: Promise<unknown>;
  private text = '';

  constructor(spaces: Namespaces, namespace: string, command: readonly string[]) {
    this.child = spaces.spawn(namespace, command, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      this.text += chunk;
    });
    this.ended = once(this.child, 'close');
  }

  /** Resolves once it prints `word`. */
  async printed(word: string): Promise<void> {
    while (!this.text.includes(word)) {
      if (this.child.exitCode !== null) throw new Error(`it ended, and printed: ${this.text}`);
      await Promise.race([once(this.child.stdout as NodeJS.ReadableStream, 'data'), this.ended]);
    }
  }

  /** What it printed until its end. */
  async output(): Promise<string> {
    await this.ended;
    if (this.child.exitCode !== 0) throw new Error(`exit code ${this.child.exitCode}: ${this.text}`);
    return this.text;
  }

  /** The last number that it printed. */
  async number(): Promise<number> {
    return Number((await this.output()).trim().split('\n').at(-1));
  }

  async stop(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }
}

/** The kernel sends, we receive: seconds. */
async function receive(host: Host, bytes: number): Promise<number> {
  const { sys } = host.stack;
  const listener = host.listen(PORT);
  const sender = host.start('send', OURS, PORT, bytes);
  const fd = must(await sys.wait.accept(listener), 'accept');
  const buffer = new Uint8Array(PIECE_MAX);
  const began = performance.now();
  for (let received = 0; received < bytes; ) {
    const count = must(await sys.wait.recv(fd, buffer), 'recv');
    if (count === 0) throw new Error(`the stream ended after ${received} bytes`);
    pattern.check(buffer, count, received);
    received += count;
  }
  const seconds = (performance.now() - began) / 1000;
  sys.close(fd);
  await sender.output();
  return seconds;
}

/** We send, the kernel receives: seconds. */
async function send(host: Host, bytes: number): Promise<number> {
  const { sys } = host.stack;
  const listener = host.listen(PORT);
  const receiver = host.start('receive', OURS, PORT, bytes);
  const fd = must(await sys.wait.accept(listener), 'accept');
  for (let sent = 0; sent < bytes; ) {
    const piece = pattern.at(sent, Math.min(PIECE, bytes - sent));
    sent += must(await sys.wait.send(fd, piece), 'send');
  }
  sys.close(fd);
  return receiver.number();
}

async function kernelBulk(scale: number): Promise<number> {
  const spaces = namespaces();
  const server = new Program(spaces, spaces.right, ['iperf3', '-s', '-1', '-B', RIGHT, '--forceflush']);
  await server.printed('listening');
  const bytes = Math.round(BYTES_KERNEL * scale);
  const command = ['iperf3', '-c', RIGHT, '-C', 'cubic', '-n', String(bytes), '-J'];
  const client = new Program(spaces, spaces.left, command);
  const report = JSON.parse(await client.output());
  await server.output();
  return report.end.sum_received.bits_per_second / 8e6;
}

async function ourTrips(scale: number): Promise<number> {
  const host = new Host();
  try {
    const { sys } = host.stack;
    const fd = must(sys.socket(AF_INET, SOCK_DGRAM), 'socket');
    must(sys.bind(fd, { address: OURS, port: PORT }), 'bind');
    const count = Math.round(TRIPS * scale);
    const echoing = echo(host.stack, fd);
    const seconds = await host.start('trips', OURS, PORT, count).number();
    sys.close(fd);
    await echoing;
    return count / seconds;
  } finally {
    host.close();
  }
}

/** Until the socket is closed. */
async function echo({ sys }: Stack, fd: number): Promise<void> {
  const buffer = new Uint8Array(2048);
  const from = out<Sockaddr>();
  for (;;) {
    const count = await sys.wait.recvfrom(fd, buffer, 0, from);
    if (count < 0) return;
    await sys.wait.sendto(fd, buffer.subarray(0, count), 0, from.value);
  }
}

async function kernelTrips(scale: number): Promise<number> {
  const spaces = namespaces();
  const count = Math.round(TRIPS * scale);
  const server = new Program(spaces, spaces.right, [...kernelEnd, 'echo', RIGHT, String(PORT)]);
  await server.printed('ready');
  const client = new Program(spaces, spaces.left, [
    ...kernelEnd,
    'trips',
    RIGHT,
    String(PORT),
    String(count),
  ]);
  const seconds = await client.number();
  await server.stop();
  return count / seconds;
}

async function ourRequests(scale: number): Promise<number> {
  const host = new Host();
  const folder = makeFolder();
  try {
    const { env } = host.stack.host;
    const listener = acceptedStreams(host.stack.sys, host.listen(HTTP_PORT));
    void serveHttp(listener, serveFiles(new FolderFiles(folder)), { env });
    return await requests(host.spaces, OURS, scale);
  } finally {
    host.close();
    rmSync(folder, { recursive: true });
  }
}

async function nginxRequests(scale: number): Promise<number> {
  const spaces = namespaces();
  const folder = makeFolder();
  writeFileSync(join(folder, 'nginx.conf'), nginxConfiguration(folder));
  const server = new Program(spaces, spaces.right, ['nginx', '-c', join(folder, 'nginx.conf')]);
  try {
    await listening(spaces);
    return await requests(spaces, RIGHT, scale);
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true });
  }
}

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'et-bench-'));
  writeFileSync(join(folder, 'index.html'), 'x'.repeat(FILE_LENGTH));
  return folder;
}

/** In the foreground and with its worker in the same process, so that it ends with it. */
function nginxConfiguration(folder: string): string {
  return `daemon off; master_process off; worker_processes 1; pid ${folder}/pid; error_log stderr crit;
events { worker_connections 256; }
http { access_log off; server { listen ${RIGHT}:${HTTP_PORT}; root ${folder}; } }
`;
}

async function listening(spaces: Namespaces): Promise<void> {
  const url = `http://${RIGHT}/index.html`;
  const tries = [
    'curl',
    '-s',
    '-o',
    '/dev/null',
    '--retry',
    '20',
    '--retry-delay',
    '0',
    '--retry-connrefused',
    url,
  ];
  await new Program(spaces, spaces.left, tries).output();
}

/** Requests a second by wrk; every answer has status 200. */
async function requests(spaces: Namespaces, address: string, scale: number): Promise<number> {
  const seconds = Math.max(1, Math.round(SECONDS * scale));
  const url = `http://${address}/index.html`;
  const command = ['wrk', '-t', '1', '-c', String(CONNECTIONS), '-d', String(seconds), url];
  const report = await new Program(spaces, spaces.left, command).output();
  const found = /Requests\/sec:\s+([\d.]+)/.exec(report);
  if (found === null || /Non-2xx|Socket errors/.test(report)) throw new Error(report);
  return Number(found[1]);
}
