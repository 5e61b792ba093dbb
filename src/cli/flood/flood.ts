/**
 * Bulk sending: as many bytes as a connection takes.
 * @module
 */
import { strerror } from '../../base/errno.ts';
import { Pattern, PIECE_MAX } from '../../sim/pattern.ts';
import { hostPort } from '../../socket/api/errors.ts';
import type { Sys } from '../../socket/calls.ts';
import { SHUT_WR, SIOCOUTQ, SOCK_STREAM } from '../../socket/constants.ts';
import { out } from '../../socket/sockaddr.ts';
import { check } from '../check.ts';
import { Failure } from '../failure.ts';
import { pause } from '../host/lifetime.ts';
import type { CommandHost } from '../host/with-host.ts';
import { openSocketTo } from '../sockets.ts';
import { Meter, type Metered } from './meter.ts';
import { tcpInfoOf } from './tcp-info.ts';

/** What to send, and where. */
export interface FloodSettings {
  readonly address: string;
  readonly port: number;
  /** How long; null when `bytes` says how much. */
  readonly seconds: number | null;
  /** On each connection. */
  readonly bytes: number | null;
  readonly parallel: number;
  /** Seconds between reports. */
  readonly interval: number;
  readonly json: boolean;
  /** Takes the reports. */
  readonly print: (text: string) => void;
}

/** Bytes given to one send(). */
const SEND_BYTES: number = PIECE_MAX / 4;
/** How often it is looked whether all was acknowledged, and for how long at most. Milliseconds. */
const DRAIN_STEP_MS = 2;
const DRAIN_MS = 30_000;

/** Sends until the time is over, all is sent, or the host's signal aborts; prints reports. Throws a Failure. */
export async function runFlood(
  host: Pick<CommandHost, 'stack' | 'signal'>,
  settings: FloodSettings,
): Promise<void> {
  const sys = host.stack.sys.as('flood');
  const pattern = new Pattern();
  const senders: Sender[] = [];
  for (let id = 1; id <= settings.parallel; id++)
    senders.push(new Sender(sys, await connect(sys, settings), id, pattern));
  const meter = new Meter(senders, { verb: 'sent', json: settings.json, print: settings.print });
  const endMs = settings.seconds === null ? Number.POSITIVE_INFINITY : Date.now() + settings.seconds * 1000;
  const timer = setInterval(() => meter.interval(), settings.interval * 1000);
  const mayGoOn = (): boolean => Date.now() < endMs && !host.signal.aborted;
  try {
    await Promise.all(senders.map(sender => sender.run(settings.bytes ?? Number.POSITIVE_INFINITY, mayGoOn)));
  } finally {
    clearInterval(timer);
    meter.end();
  }
  for (const sender of senders) sender.close();
}

async function connect(sys: Sys, { address, port }: FloodSettings): Promise<number> {
  const fd = openSocketTo(sys, address, SOCK_STREAM);
  const result = await sys.wait.connect(fd, { address, port });
  if (result < 0) throw new Failure(`cannot connect to ${hostPort(address, port)}: ${strerror(result)}`);
  return fd;
}

/** One connection. */
class Sender implements Metered {
  readonly id: number;
  private readonly sys: Sys;
  private readonly fd: number;
  private readonly pattern: Pattern;
  private written = 0;

  constructor(sys: Sys, fd: number, id: number, pattern: Pattern) {
    this.pattern = pattern;
    this.sys = sys;
    this.fd = fd;
    this.id = id;
  }

  /** What the peer has acknowledged, without our SYN and FIN. */
  get bytes(): number {
    return this.written - this.unacknowledged();
  }

  info(): ReturnType<typeof tcpInfoOf> {
    return tcpInfoOf(this.sys, this.fd);
  }

  /** Sends up to `bytes`, then our FIN, and waits until the peer has all of it. */
  async run(bytes: number, mayGoOn: () => boolean): Promise<void> {
    const { sys, fd, pattern } = this;
    while (this.written < bytes && mayGoOn()) {
      const piece = pattern.piece(0, this.written, Math.min(SEND_BYTES, bytes - this.written));
      this.written += check('send', await sys.wait.send(fd, piece));
    }
    check('shutdown', sys.shutdown(fd, SHUT_WR));
    for (let waited = 0; waited < DRAIN_MS && this.unacknowledged() > 0; waited += DRAIN_STEP_MS)
      await pause(DRAIN_STEP_MS);
    if (this.unacknowledged() > 0) throw new Failure('the peer does not take what was sent');
  }

  close(): void {
    this.sys.close(this.fd);
  }

  /** SIOCOUTQ counts our FIN, too. */
  private unacknowledged(): number {
    const queued = out<number>();
    const result = this.sys.ops.ioctl(this.fd, SIOCOUTQ, queued);
    return result < 0 ? 0 : Math.min(queued.value ?? 0, this.written);
  }
}
