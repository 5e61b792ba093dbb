import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Env } from '../core/env.ts';
import { createLinkOver, type RemoteLink, type RemoteLinkOptions } from '../link/remote.ts';
import type { RemoteEvents, RemoteTransport } from '../link/remote-transport.ts';

/** Milliseconds the other side has to take what is left and to close its end. */
const CLOSE_TIMEOUT_MS = 1000;

/**
 * A link over a Duplex: a TCP or Unix socket, or the pipes of a child process. Each frame lies behind its length, as
 * QEMU's `-netdev stream` and `-netdev socket` have it. Given a function, it calls it for a new Duplex whenever there
 * is no connection; given a Duplex, it ends with it. The Duplex is the link's from now on.
 * @example
 * stack.attach(createDuplexLink(env, () => connect(9000, 'lab.example')), { address: '10.0.0.2/24' });
 * createServer(socket => lan.attach(createDuplexLink(env, socket))).listen(9000); // a LearningSwitch
 */
export function createDuplexLink(
  env: Env,
  source: Duplex | (() => Duplex | Promise<Duplex>),
  options: RemoteLinkOptions = {},
): RemoteLink {
  const make = (duplex: Duplex, events: RemoteEvents) => new DuplexTransport(duplex, events);
  return createLinkOver(env, 'stream', source, make, options);
}

class DuplexTransport implements RemoteTransport {
  private readonly duplex: Duplex & Partial<Pick<Socket, 'connecting' | 'setNoDelay' | 'unref'>>;
  private readonly events: RemoteEvents;
  private closed = false;

  constructor(duplex: Duplex, events: RemoteEvents) {
    this.duplex = duplex;
    this.events = events;
    // It stays for good: an error after the end must not become an exception.
    duplex.on('error', error => events.down(error.message));
    duplex.on('end', () => events.down('the other side has closed the connection'));
    duplex.on('close', () => events.down('the connection is closed'));
    duplex.on('drain', () => events.room());
    duplex.on('data', this.onData);
    // Its former owner may have paused it (pauseOnConnect).
    duplex.resume();
    // Frames must not wait for acknowledgements of the outer TCP.
    this.duplex.setNoDelay?.(true);
    if (duplex.destroyed || !duplex.writable) events.down('the connection is closed');
    else if (this.duplex.connecting === true) duplex.once('connect', () => events.up());
    else events.up();
  }

  write(chunk: Uint8Array<ArrayBuffer>): boolean {
    return this.duplex.write(chunk);
  }

  pause(): void {
    this.duplex.pause();
  }

  resume(): void {
    this.duplex.resume();
  }

  /** The process need not wait for the other side, but as long as it runs anyway, the other side has its time. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    const { duplex } = this;
    if (duplex.destroyed) return;
    duplex.off('data', this.onData);
    if (this.duplex.connecting === true || duplex.errored !== null) {
      duplex.destroy();
      return;
    }
    duplex.end();
    // Its end must be read to be seen; then the Duplex destroys itself.
    duplex.resume();
    const timer = setTimeout(() => duplex.destroy(), CLOSE_TIMEOUT_MS).unref();
    duplex.once('close', () => clearTimeout(timer));
    this.duplex.unref?.();
  }

  private readonly onData = (chunk: unknown): void => {
    if (chunk instanceof Uint8Array) this.events.received(chunk);
    else this.events.down('the connection gives something else than bytes');
  };
}
