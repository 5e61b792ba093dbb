/**
 * The device of a plan through the Linux drivers, and the kernel's side of it.
 * @module
 */
import type { Link } from '../../core/link.ts';
import { SystemError } from '../../node/linux/libc.ts';
import {
  addAddress,
  findInterface,
  type InterfaceAddress,
  listInterfaces,
  type NetworkInterface,
  removeAddress,
  setUp,
} from '../../node/linux/netdev.ts';
import { openPacketSocket } from '../../node/linux/packet-socket.ts';
import { openTap } from '../../node/linux/tap.ts';
import { AF_INET6 } from '../../wire/address.ts';
import { EXIT_FAILURE, Failure } from '../failure.ts';
import { cidrText } from './addresses.ts';
import type { Device, DeviceContext } from './device.ts';
import { kernelHasIpv6 } from './kernel-ipv6.ts';
import type { Note } from './note.ts';
import type { HostPlan } from './plan.ts';
import { networkNamespace, nextName } from './register.ts';

/** Opens the device, gives the kernel's side its address and puts it up. Throws a Failure. */
export function openLinuxDevice(plan: HostPlan, context: DeviceContext): Device {
  try {
    return open(plan, context);
  } catch (error) {
    throw failureFor(plan, error);
  }
}

function open(plan: HostPlan, context: DeviceContext): Device {
  undoLeft(context.left);
  const before = listInterfaces();
  refuseTaken(plan, before);
  if (plan.mode === 'packet') return openInterface(plan, context);
  const { device: name, mode, mtu, mac } = plan;
  const link: Link = openTap({
    name,
    mode,
    env: context.env,
    ...(mtu === null ? {} : { mtu }),
    ...(mac === null || mac === 'device' ? {} : { mac }),
  });
  try {
    const existed = before.some(each => each.name === name);
    const { kernelSides, added } = configure(plan);
    // What we made ourselves goes away with the link.
    const undone = existed ? added : [];
    if (undone.length > 0) context.note({ network: networkNamespace(), device: name, addresses: undone });
    return {
      link,
      kernelSides,
      isPrivate: !existed,
      close() {
        link.close();
        for (const address of undone) removeAddress(name, address);
      },
    };
  } catch (error) {
    link.close();
    throw error;
  }
}

/** A host of its own on the interface's network: nothing is made, so nothing is to be undone. */
function openInterface({ device, mac }: HostPlan, { env }: DeviceContext): Device {
  const link = openPacketSocket({ device, env, ...(mac === null ? {} : { mac }) });
  return { link, kernelSides: [], isPrivate: false, close: () => link.close() };
}

/** Puts the kernel's side up and sees that it has an address in each network of ours; which, and which are new. */
function configure({ device, kernelAddresses }: HostPlan): { kernelSides: string[]; added: string[] } {
  const kernel = findInterface(device);
  if (kernelAddresses.some(({ address }) => address.family === AF_INET6) && !kernelHasIpv6(device))
    throw new Failure(
      `the kernel does not speak IPv6 on ${device}: sysctl net.ipv6.conf.${device}.disable_ipv6=0, ` +
        'or an IPv4 --address alone',
    );
  if (!kernel.up) setUp(device);
  const kernelSides: string[] = [];
  const added: string[] = [];
  for (const side of kernelAddresses) {
    const present = kernel.addresses.find(each => isSide(each, side));
    kernelSides.push(cidrText(present ?? side));
    if (present !== undefined) continue;
    added.push(cidrText(side));
    addAddress(device, cidrText(side));
  }
  return { kernelSides, added };
}

/** Whether an address of the kernel's serves as well as the one it would get. A link-local gateway is just that one. */
function isSide({ address }: InterfaceAddress, side: InterfaceAddress): boolean {
  return side.address.isLinkLocal
    ? address.equals(side.address)
    : address.inPrefix(side.address, side.prefixLength);
}

/**
 * Refuses an address of the kernel's. The kernel sends what is for a network to one interface: a second one, ours, of
 * the same network would get nothing.
 */
function refuseTaken(plan: HostPlan, interfaces: readonly NetworkInterface[]): void {
  const { device, mode } = plan;
  for (const own of plan.addresses) {
    const { address, prefixLength } = own;
    for (const { name, addresses } of interfaces) {
      // A link-local address is another one on another link.
      if (address.isLinkLocal && name !== device) continue;
      if (addresses.some(theirs => theirs.address.equals(address)))
        throw new Failure(`${address} is the kernel's own address, on ${name}: take another --address`);
      if (mode === 'packet' || name === device) continue;
      const same = addresses.find(
        theirs => theirs.prefixLength === prefixLength && theirs.address.inPrefix(address, prefixLength),
      );
      if (same !== undefined)
        throw new Failure(
          `the network of ${cidrText(own)} is on ${name} already (${cidrText(same)}): take another --address`,
        );
    }
  }
}

/** Takes away what processes that were killed would have taken away. */
function undoLeft(left: readonly Note[]): void {
  const network = networkNamespace();
  for (const note of left) {
    if (note.network !== network) continue;
    for (const address of note.addresses) {
      try {
        removeAddress(note.device, address);
      } catch {
        // It, or its interface, is gone.
      }
    }
  }
}

/** One line for the user, with what can be done about it. */
function failureFor(plan: HostPlan, error: unknown): unknown {
  if (error instanceof Failure || !(error instanceof Error)) return error;
  const { device } = plan;
  // No koffi, no Linux: the message says what is missing.
  if (!(error instanceof SystemError)) return new Failure(error.message, EXIT_FAILURE);
  if (error.code === 'EACCES' && error.syscall === 'open')
    return new Failure(
      'cannot open /dev/net/tun: permission denied; use sudo, or sudo chmod a+rw /dev/net/tun',
    );
  if (error.code === 'EPERM' || error.code === 'EACCES')
    return new Failure(
      `cannot open ${device}: permission denied; use sudo, or a network of your own: ` +
        'unshare --user --net --map-root-user',
    );
  if (error.code === 'EBUSY')
    return new Failure(
      `${device} is in use by another program; take another one, as --tap ${nextName(device)} --address 10.65.1.2/24`,
    );
  if (error.code === 'ENODEV' && plan.mode === 'packet')
    return new Failure(`there is no interface ${device}`);
  return new Failure(`cannot open ${device}: ${error.message}`);
}
