/**
 * A link to the Linux kernel: a TAP device carries Ethernet frames, a TUN device IP packets. What one side sends the
 * other side's network stack receives.
 * @module
 */
import type { Env } from '../../core/env.ts';
import type { PacketPool } from '../../core/pool.ts';
import type { TraceSink } from '../../trace/sink.ts';
import { libc } from './libc.ts';
import { findInterface, setMtu } from './netdev.ts';
import { TapLink } from './tap-link.ts';
import { openTunDevice } from './tun-device.ts';
import { VNET_HEADER_LENGTH } from './vnet-header.ts';

/** How a TAP or TUN link is opened. */
export interface TapOptions {
  /** The kernel's interface; made unless it exists. 'et%d' has the kernel number it. */
  readonly name: string;
  readonly env: Env;
  /** 'tap' (the default) for Ethernet frames, 'tun' for IP packets. */
  readonly mode?: 'tap' | 'tun' | undefined;
  /**
   * Whether checksums and cutting are left to the other side where they cost nothing, and super-segments of up to
   * 64 KiB cross in one piece. Default true; without where the kernel cannot.
   */
  readonly vnetHdr?: boolean | undefined;
  /**
   * Whether TCP segments that come one behind the other are joined before the stack sees them, where the kernel does
   * not hand over super-segments itself (as `ethtool -K et0 gro on` would have it). Default true.
   */
  readonly gro?: boolean | undefined;
  /** Whether further links, of other threads or processes too, may open the same interface. Default false. */
  readonly multiQueue?: boolean | undefined;
  /** Bytes; set on the kernel's interface as well. Default: what the interface has. */
  readonly mtu?: number | undefined;
  /** Our end's hardware address ('tap' only); a random one by default. The kernel's end has another. */
  readonly mac?: Uint8Array | undefined;
  /** Where received packets come from. Default: a pool of the link's own. */
  readonly pool?: PacketPool | undefined;
  /** Is told of frames that could not be sent. */
  readonly trace?: TraceSink | null | undefined;
}

/**
 * Opens a TAP or TUN device as a link. The interface is made when it does not exist, and goes away when the link is
 * closed unless it is persistent; `netdev.ts` puts it up and gives the kernel's side its address.
 * @throws SystemError EPERM, EBUSY, ENOENT ...; its message says what can be done
 * @example
 * const link = openTap({ name: 'et0', env });
 * addAddress(link.name, '10.65.0.1/24');
 * setUp(link.name);
 * stack.attach(link, { address: '10.65.0.2/24' });
 */
export function openTap(options: TapOptions): TapLink {
  const { name, mode = 'tap', vnetHdr = true, multiQueue = false, mtu } = options;
  const device = openTunDevice({
    name,
    mode,
    multiQueue,
    vnetHeaderLength: vnetHdr ? VNET_HEADER_LENGTH : 0,
  });
  try {
    if (mtu !== undefined) setMtu(device.name, mtu);
    const { env, gro = true, mac, pool, trace } = options;
    return new TapLink(device, mode, { env, gro, mac, pool, trace, mtu: findInterface(device.name).mtu });
  } catch (error) {
    libc().close(device.fd);
    throw error;
  }
}
