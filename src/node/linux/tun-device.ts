/**
 * Opening Linux's TAP and TUN devices: the ioctls of <linux/if_tun.h>.
 * @module
 */
import { EACCES, EINVAL, ENODEV, ENOENT, EPERM } from '../../base/errno.ts';
import { type Libc, libc, O_CLOEXEC, O_NONBLOCK, O_RDWR, SystemError } from './libc.ts';

const TUNSETIFF = 0x400454ca;
const TUNSETPERSIST = 0x400454cb;
const TUNSETOWNER = 0x400454cc;
const TUNSETOFFLOAD = 0x400454d0;
const TUNSETVNETHDRSZ = 0x400454d8;
const TUNSETCARRIER = 0x400454e2;

const IFF_TUN = 0x0001;
const IFF_TAP = 0x0002;
const IFF_MULTI_QUEUE = 0x0100;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;

const TUN_F_CSUM = 0x01;
const TUN_F_TSO4 = 0x02;
const TUN_F_TSO6 = 0x04;
const TUN_F_TSO_ECN = 0x08;
const TUN_F_USO4 = 0x20;
const TUN_F_USO6 = 0x40;

const TSO = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
/** What the kernel is asked to leave to us, the most first: the first set that it takes is used (USO: Linux 6.2). */
const OFFLOADS = [TSO | TUN_F_USO4 | TUN_F_USO6, TSO, TUN_F_CSUM, 0];

/** Bytes of an interface's name with its terminating zero. */
const IFNAMSIZ = 16;
const IFREQ_LENGTH = 40;
const EBUSY = 16;
/** Gives a user all rights over a network of their own. */
const OWN_NETWORK = '`unshare --user --net --map-root-user`';

/** How a device is opened. */
export interface TunDeviceOptions {
  /** The interface; made unless it exists. 'et%d' has the kernel number it. */
  readonly name: string;
  /** 'tap' for Ethernet frames, 'tun' for IP packets. */
  readonly mode: 'tap' | 'tun';
  /** Whether a virtio-net header of this many bytes goes in front of each frame; 0 for none. */
  readonly vnetHeaderLength: number;
  readonly multiQueue: boolean;
}

/** One queue of a TAP or TUN device. */
export interface TunDevice {
  readonly fd: number;
  /** The interface's name, as the kernel has it. */
  readonly name: string;
  /** Whether each frame has the virtio-net header in front. */
  readonly hasVnetHeader: boolean;
  /** Whether the kernel hands over super-segments and leaves checksums open. */
  readonly offloads: { readonly checksum: boolean; readonly tso: boolean; readonly uso: boolean };
}

/**
 * Opens a queue of a TAP or TUN device, which does not block. Its `fd` is the caller's to close; the interface goes
 * away with its last queue unless it is persistent.
 * @throws SystemError EPERM, EBUSY, ENOENT ..., with what can be done about it
 */
export function openTunDevice(options: TunDeviceOptions): TunDevice {
  const { name } = options;
  if (name === '' || name.length >= IFNAMSIZ || /[^!-.0-~]/.test(name)) {
    throw new SystemError('ioctl', -EINVAL, `'${name}' is no name for an interface`);
  }
  const system = libc();
  const fd = system.open('/dev/net/tun', O_RDWR | O_NONBLOCK | O_CLOEXEC, 0);
  if (fd < 0) throw new SystemError('open', fd, 'open /dev/net/tun', openRemedy(fd));
  try {
    return configure(system, fd, options);
  } catch (error) {
    system.close(fd);
    throw error;
  }
}

/** Says whether there is a cable: whoever looks at the interface from the kernel's side sees NO-CARRIER without. */
export function setTunCarrier(fd: number, up: boolean): number {
  return libc().ioctl(fd, TUNSETCARRIER, Uint8Array.of(up ? 1 : 0, 0, 0, 0));
}

/** Makes the interface outlive its last queue, or not. */
export function setTunPersistent(fd: number, persistent: boolean): number {
  return libc().ioctl(fd, TUNSETPERSIST, persistent ? 1 : 0);
}

/** Lets a user open the (persistent) interface without CAP_NET_ADMIN. */
export function setTunOwner(fd: number, uid: number): number {
  return libc().ioctl(fd, TUNSETOWNER, uid);
}

function configure(system: Libc, fd: number, options: TunDeviceOptions): TunDevice {
  const { name, mode, multiQueue, vnetHeaderLength } = options;
  const kind = (mode === 'tap' ? IFF_TAP : IFF_TUN) | IFF_NO_PI | (multiQueue ? IFF_MULTI_QUEUE : 0);
  let hasVnetHeader = vnetHeaderLength > 0;
  const request = new Uint8Array(IFREQ_LENGTH);
  request.set(new TextEncoder().encode(name));
  const view = new DataView(request.buffer);
  const attach = (): number => {
    view.setInt16(IFNAMSIZ, kind | (hasVnetHeader ? IFF_VNET_HDR : 0), true);
    return system.ioctl(fd, TUNSETIFF, request);
  };
  let result = attach();
  if (result === -EINVAL && hasVnetHeader) {
    hasVnetHeader = false;
    result = attach();
  }
  if (result < 0)
    throw new SystemError('ioctl', result, `open ${mode} interface ${name}`, attachRemedy(result));
  let offloads = 0;
  if (hasVnetHeader) {
    const length = new Uint8Array(Int32Array.of(vnetHeaderLength).buffer);
    result = system.ioctl(fd, TUNSETVNETHDRSZ, length);
    if (result < 0) throw new SystemError('ioctl', result, `set the header size of ${name}`);
    offloads = OFFLOADS.find(set => system.ioctl(fd, TUNSETOFFLOAD, set) >= 0) ?? 0;
  }
  return {
    fd,
    name: new TextDecoder().decode(request.subarray(0, request.indexOf(0))),
    hasVnetHeader,
    offloads: {
      checksum: (offloads & TUN_F_CSUM) !== 0,
      tso: (offloads & TUN_F_TSO4) !== 0,
      uso: (offloads & TUN_F_USO4) !== 0,
    },
  };
}

function openRemedy(result: number): string {
  if (result === -ENOENT || result === -ENODEV) {
    return 'the kernel has no TUN/TAP driver: run `modprobe tun` (in a container: pass it --device /dev/net/tun)';
  }
  if (result !== -EACCES) return result === -EPERM ? PERMISSION_REMEDY : '';
  return (
    'run as root, or have root run `chmod 666 /dev/net/tun` (as most systems have it) and then: CAP_NET_ADMIN, or ' +
    OWN_NETWORK
  );
}

function attachRemedy(result: number): string {
  if (result === -EPERM) return PERMISSION_REMEDY;
  if (result === -EBUSY) return 'another program has it open';
  if (result === -EINVAL) return 'an interface of that name exists and is of another kind';
  return '';
}

/** What to do where CAP_NET_ADMIN is missing. */
export const PERMISSION_REMEDY = `run as root or with CAP_NET_ADMIN, or start a shell of your own network with ${OWN_NETWORK}`;
