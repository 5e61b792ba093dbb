/**
 * Seeing every frame of an interface, as tcpdump does.
 * @module
 */
import { EINVAL } from '../../base/errno.ts';
import { type ClassicFilter, limitSnaplen, WHOLE_FRAME } from './classic-filter.ts';
import { SystemError } from './libc.ts';
import { type Fanout, PacketFd, RING_BYTES, type RingStatistics } from './packet-fd.ts';
import { DRAINED, MORE, NOTHING, register, type Watch } from './poller.ts';

/** Frames that are shown before others have their turn. */
const FRAMES_A_TURN = 256;
/** Milliseconds a frame may wait in a block that is not full: a wake-up for each frame costs more than it is worth. */
const RETIRE_MS = 20;
const PACKET_OUTGOING = 4;

/** A captured frame: the same object each time, good until the listener returns. */
export interface CapturedFrame {
  /** The memory of the whole ring: the frame is bytes[start, end) there. What is to be kept must be copied. */
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** Bytes it had on the wire; more than are here when `snaplen` cut it. */
  readonly wireLength: number;
  /** When it passed, by the kernel's clock: seconds since the Unix epoch, and nanoseconds. */
  readonly seconds: number;
  readonly nanoseconds: number;
  /** 'out' when this host sent it. */
  readonly direction: 'in' | 'out';
}

/** How a capture is opened. */
export interface CaptureOptions {
  readonly device: string;
  /** Is called with each frame, in order. What it throws ends the process, as in any callback of Node's. */
  readonly onFrame: (frame: CapturedFrame) => void;
  /** The interface went down or away, or came back: tells the error's number, negative. The capture goes on. */
  readonly onError?: ((errno: number) => void) | undefined;
  /** Classic BPF, as `tcpdump -dd EXPRESSION` prints it; run by the kernel. Default: everything. */
  readonly filter?: ClassicFilter | undefined;
  /** The most bytes of a frame to keep. Default 262144. */
  readonly snaplen?: number | undefined;
  /** Whether frames for other hosts are seen, too. Default true. */
  readonly promiscuous?: boolean | undefined;
  /** Which frames: default 'both'. */
  readonly direction?: 'in' | 'out' | 'both' | undefined;
  /** Bytes of the ring in which frames wait. Default 16 MiB. */
  readonly ringBytes?: number | undefined;
  /** Milliseconds a frame may wait in the kernel. Default 20. */
  readonly retireMs?: number | undefined;
  readonly fanout?: Fanout | undefined;
}

/** A capture that runs. */
export interface Capture {
  /** Stops reading: frames wait in the ring, and are counted as drops once it is full. */
  pause(): void;
  resume(): void;
  statistics(): RingStatistics;
  /**
   * Shows what waits in the ring and ends the capture; inside `onFrame` it ends it at once. A second call does nothing.
   */
  close(): void;
}

/**
 * Shows every frame that passes an interface, read in place from a ring that the kernel writes (TPACKET_V3).
 * Frames that this host sends have checksums that are not computed yet, and may be super-segments.
 * @throws SystemError EPERM, ENODEV, ENOMEM, EINVAL; its message says what can be done
 * @example
 * const capture = openCapture({ device: 'eth0', onFrame: ({ bytes, start, end }) => save(bytes.slice(start, end)) });
 */
export function openCapture(options: CaptureOptions): Capture {
  const { device, filter = [], snaplen = WHOLE_FRAME, direction = 'both' } = options;
  if (!(snaplen > 0)) throw new SystemError('setsockopt', -EINVAL, `a snaplen of ${snaplen}`);
  const socket = new PacketFd({
    device,
    ring: 'blocks',
    retireMs: options.retireMs ?? RETIRE_MS,
    ringBytes: options.ringBytes ?? RING_BYTES,
    vnet: false,
    ignoreOutgoing: direction === 'in',
    promiscuous: options.promiscuous ?? true,
    filter: filter.length > 0 || snaplen < WHOLE_FRAME ? limitSnaplen(filter, snaplen) : null,
    fanout: options.fanout ?? null,
  });
  return new RingCapture(socket, options);
}

class RingCapture implements Capture {
  private readonly socket: PacketFd;
  private readonly options: CaptureOptions;
  private readonly seen: { -readonly [K in keyof CapturedFrame]: CapturedFrame[K] };
  private readonly watch: Watch;
  private showing = false;
  private closed = false;

  constructor(socket: PacketFd, options: CaptureOptions) {
    this.socket = socket;
    this.options = options;
    const { bytes } = socket.ring.frame;
    this.seen = { bytes, start: 0, end: 0, wireLength: 0, seconds: 0, nanoseconds: 0, direction: 'in' };
    this.watch = register(socket.fd, () => this.drain(FRAMES_A_TURN));
  }

  pause(): void {
    if (!this.closed) this.watch.setReadable(false);
  }

  resume(): void {
    if (!this.closed) this.watch.setReadable(true);
  }

  statistics(): RingStatistics {
    return this.socket.statistics();
  }

  close(): void {
    if (this.closed) return;
    this.watch.close();
    if (!this.showing) this.drain(Number.POSITIVE_INFINITY);
    this.closed = true;
    this.socket.close();
  }

  private drain(budget: number): typeof NOTHING | typeof DRAINED | typeof MORE {
    const { ring } = this.socket;
    let count = 0;
    while (count < budget && !this.closed) {
      if (!ring.next()) {
        if (count > 0) return DRAINED;
        this.lookForError();
        return NOTHING;
      }
      count++;
      this.show();
    }
    return MORE;
  }

  private show(): void {
    const { seen, options } = this;
    const { frame } = this.socket.ring;
    seen.direction = frame.packetType === PACKET_OUTGOING ? 'out' : 'in';
    if (options.direction === 'out' && seen.direction === 'in') return;
    seen.start = frame.start;
    seen.end = frame.end;
    seen.wireLength = frame.wireLength;
    seen.seconds = frame.seconds;
    seen.nanoseconds = frame.nanoseconds;
    this.showing = true;
    try {
      options.onFrame(seen);
    } finally {
      this.showing = false;
    }
  }

  private lookForError(): void {
    const error = this.socket.takeError();
    if (error === 0) return;
    // Node's event loop no longer looks at a descriptor that had an error.
    this.watch.setReadable(false);
    this.watch.setReadable(true);
    this.options.onError?.(error);
  }
}
