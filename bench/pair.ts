import type { Offloads } from '../src/core/link.ts';
import { createCable } from '../src/link/cable.ts';
import { nodeEnv } from '../src/node/env.ts';
import { AF_INET, SOCK_STREAM } from '../src/socket/constants.ts';
import { Stack } from '../src/stack/stack.ts';

/** Two hosts on a cable in memory, in real time. */
export class Pair {
  readonly client: Stack;
  readonly server: Stack;
  readonly port = 5001;
  readonly address = '10.0.0.2';

  constructor(mtu: number, offloads: Partial<Offloads> = {}) {
    const env = nodeEnv();
    const [left, right] = createCable(env, { mtu, offloads });
    this.client = new Stack({ env, name: 'client' });
    this.server = new Stack({ env, name: 'server' });
    this.client.attach(left, { address: '10.0.0.1/24' });
    this.server.attach(right, { address: '10.0.0.2/24' });
  }

  /** A listening descriptor of the server. */
  listen(): number {
    const { sys } = this.server;
    const fd = must(sys.socket(AF_INET, SOCK_STREAM), 'socket');
    must(sys.bind(fd, { address: this.address, port: this.port }), 'bind');
    must(sys.listen(fd, 1024), 'listen');
    return fd;
  }

  /** A connected descriptor of the client. */
  async connect(): Promise<number> {
    const { sys } = this.client;
    const fd = must(sys.socket(AF_INET, SOCK_STREAM), 'socket');
    must(await sys.wait.connect(fd, { address: this.address, port: this.port }), 'connect');
    return fd;
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
