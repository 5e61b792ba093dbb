import { Rng } from '../src/base/rng.ts';
import type { Link, Offloads } from '../src/core/link.ts';
import { createCable } from '../src/link/cable.ts';
import { faulty } from '../src/link/faulty.ts';
import { nodeEnv } from '../src/node/env.ts';
import { AF_INET, AF_INET6, SOCK_STREAM } from '../src/socket/constants.ts';
import { Stack } from '../src/stack/stack.ts';

/** Fewer than there are ports to come from. */
const IDLE_PER_PORT = 10_000;

/** What a pair of hosts can be like. */
export interface PairOptions {
  readonly offloads?: Partial<Offloads>;
  /** The probability, in each direction, that a frame vanishes. */
  readonly loss?: number;
  /** Whether they speak over IPv6. */
  readonly ipv6?: boolean;
}

/** Two hosts on a cable in memory, in real time. */
export class Pair {
  readonly client: Stack;
  readonly server: Stack;
  readonly port = 5001;
  readonly address: string;
  private readonly family: number;

  constructor(mtu: number, { offloads = {}, loss = 0, ipv6 = false }: PairOptions = {}) {
    const env = nodeEnv();
    const [end, right] = createCable(env, { mtu, offloads });
    const left: Link = loss === 0 ? end : faulty(end, env, new Rng(1), { up: { loss }, down: { loss } });
    // Nobody else can have these addresses.
    const sysctl = { dad_transmits: 0 };
    this.client = new Stack({ env, name: 'client', sysctl });
    this.server = new Stack({ env, name: 'server', sysctl });
    this.client.attach(left, { address: ipv6 ? 'fd00::1/64' : '10.0.0.1/24' });
    this.server.attach(right, { address: ipv6 ? 'fd00::2/64' : '10.0.0.2/24' });
    this.address = ipv6 ? 'fd00::2' : '10.0.0.2';
    this.family = ipv6 ? AF_INET6 : AF_INET;
  }

  /** A listening descriptor of the server. */
  listen(port: number = this.port): number {
    const { sys } = this.server;
    const fd = must(sys.socket(this.family, SOCK_STREAM), 'socket');
    must(sys.bind(fd, { address: this.address, port }), 'bind');
    must(sys.listen(fd, 1024), 'listen');
    return fd;
  }

  /** A connected descriptor of the client. */
  async connect(port: number = this.port): Promise<number> {
    const { sys } = this.client;
    const fd = must(sys.socket(this.family, SOCK_STREAM), 'socket');
    must(await sys.wait.connect(fd, { address: this.address, port }), 'connect');
    return fd;
  }

  /** Opens connections that do nothing; both ends keep them. */
  async openIdle(count: number): Promise<void> {
    for (let opened = 0, port = this.port; opened < count; opened++) {
      if (opened % IDLE_PER_PORT === 0) void this.acceptIdle(this.listen(++port));
      await this.connect(port);
    }
  }

  private async acceptIdle(listener: number): Promise<void> {
    while ((await this.server.sys.wait.accept(listener)) >= 0);
  }

  close(): void {
    this.client.close();
    this.server.close();
  }
}

/** The result of a call that must not fail. */
export function must(result: number, call: string): number {
  if (result < 0) throw new Error(`${call} failed: ${result}`);
  return result;
}
