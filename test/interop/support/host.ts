import { errnoName } from '../../../src/base/errno.ts';
import { Rng } from '../../../src/base/rng.ts';
import type { Sysctl } from '../../../src/core/sysctl.ts';
import { fdStream } from '../../../src/http/fd-stream.ts';
import type { ByteStream } from '../../../src/http/stream.ts';
import { type FaultyLink, faulty } from '../../../src/link/faulty.ts';
import type { Faults } from '../../../src/link/lane.ts';
import { nodeEnv } from '../../../src/node/env.ts';
import { addAddress, setUp } from '../../../src/node/linux/netdev.ts';
import { openTap } from '../../../src/node/linux/tap.ts';
import type { TapLink } from '../../../src/node/linux/tap-link.ts';
import { SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET } from '../../../src/socket/constants.ts';
import { Stack } from '../../../src/stack/stack.ts';
import { type Family, IPV4 } from './family.ts';
import { skipDad } from './sysctl.ts';
import { until } from './until.ts';

/** How our host differs from one of IPv4 whose neighbour is the kernel. */
export interface HostOptions {
  readonly family?: Family;
  readonly sysctl?: Partial<Sysctl>;
  readonly vnetHdr?: boolean;
  /** Whether what is not on the network goes to the kernel. */
  readonly gateway?: boolean;
  /** What goes wrong with what we send ('up') and receive ('down'). */
  readonly faults?: { readonly up?: Faults; readonly down?: Faults };
}

/** Our host on a TAP device of the network namespace in which it is made. */
export class Host {
  readonly tap: TapLink;
  /** Between the stack and the TAP. */
  readonly faulty: FaultyLink;
  readonly stack: Stack;
  readonly family: Family;

  constructor(options: HostOptions = {}) {
    const { family = IPV4, vnetHdr = true, sysctl = {}, faults = {} } = options;
    const { kernel, ours, prefixLength } = family;
    const env = nodeEnv();
    this.family = family;
    skipDad();
    this.tap = openTap({ name: 'et0', env, vnetHdr });
    addAddress(this.tap.name, `${kernel}/${prefixLength}`);
    setUp(this.tap.name);
    this.stack = new Stack({ env, sysctl: { dad_transmits: 0, ...sysctl } });
    this.faulty = faulty(this.tap, env, new Rng(1), faults);
    const gateway = options.gateway === true ? { gateway: kernel } : {};
    this.stack.attach(this.faulty, { address: `${ours}/${prefixLength}`, ...gateway });
  }

  /** Packets held by the link or the stack. */
  get packetsInUse(): number {
    return this.tap.pool.inUse + this.stack.host.pool.inUse;
  }

  /** Opens a TCP connection. Throws an Error whose code is the errno's name. */
  async connect(port: number, hostname: string = this.family.kernel): Promise<ByteStream> {
    const { sys } = this.stack;
    const fd = sys.socket(this.family.domain, SOCK_STREAM, 0);
    const result = await sys.wait.connect(fd, { address: hostname, port });
    if (result === 0) return fdStream(sys, fd);
    sys.close(fd);
    throw Object.assign(new Error(errnoName(result)), { code: errnoName(result) });
  }

  /** A socket that listens. */
  listen(port: number): number {
    const { sys } = this.stack;
    const fd = sys.socket(this.family.domain, SOCK_STREAM, 0);
    sys.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    const result = sys.bind(fd, { address: this.family.any, port }) || sys.listen(fd, 511);
    if (result < 0) throw new Error(errnoName(result));
    return fd;
  }

  /** The next connection. */
  async accept(listener: number): Promise<ByteStream> {
    const { sys } = this.stack;
    return fdStream(sys, await sys.wait.accept(listener));
  }

  /** Waits until no connection is left but in TIME_WAIT, and no packet is held. */
  async idle(): Promise<void> {
    const done = new Set(['LISTEN', 'TIME_WAIT']);
    const { stack } = this;
    const rows = () => stack.sockets().filter(({ state }) => !done.has(state));
    await until(
      () => rows().length === 0 && this.packetsInUse === 0,
      () => `${this.packetsInUse} packets, ${JSON.stringify(rows())}`,
    );
  }

  close(): void {
    this.stack.close();
  }
}

/** Everything that comes until the end. */
export async function readAll(stream: ByteStream): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let piece = await stream.read(); piece !== null; piece = await stream.read())
    pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}
