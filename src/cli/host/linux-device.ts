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
import { EXIT_FAILURE, Failure } from '../failure.ts';
import type { Device, DeviceContext } from './device.ts';
import type { Note } from './note.ts';
import type { HostPlan } from './options.ts';
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
    const { kernelSide, added } = configure(plan);
    // What we made ourselves goes away with the link.
    const undone = existed && added ? [kernelSide] : [];
    if (undone.length > 0) context.note({ network: networkNamespace(), device: name, addresses: undone });
    return {
      link,
      kernelSide,
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
  return { link, kernelSide: null, close: () => link.close() };
}

/** Puts the kernel's side up and sees that it has an address in our network; returns it. */
function configure(plan: HostPlan): { kernelSide: string; added: boolean } {
  const { device, address, prefixLength, kernelAddress } = plan;
  const kernel = findInterface(device);
  if (!kernel.up) setUp(device);
  const present = kernel.addresses.find(each => each.address.inPrefix(address, prefixLength));
  if (present !== undefined) return { kernelSide: cidrText(present), added: false };
  const kernelSide = `${kernelAddress}/${prefixLength}`;
  addAddress(device, kernelSide);
  return { kernelSide, added: true };
}

/**
 * Refuses an address of the kernel's. The kernel sends what is for a network to one interface: a second one, ours, of
 * the same network would get nothing.
 */
function refuseTaken(plan: HostPlan, interfaces: readonly NetworkInterface[]): void {
  const { device, address, prefixLength, mode } = plan;
  for (const { name, addresses } of interfaces) {
    for (const theirs of addresses) {
      if (theirs.address.equals(address))
        throw new Failure(`${address} is the kernel's own address, on ${name}: take another --address`);
      if (mode === 'packet') continue;
      const same = theirs.prefixLength === prefixLength && theirs.address.inPrefix(address, prefixLength);
      if (same && name !== device)
        throw new Failure(
          `the network of ${address}/${prefixLength} is on ${name} already (${cidrText(theirs)}): ` +
            'take another --address',
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

function cidrText({ address, prefixLength }: InterfaceAddress): string {
  return `${address}/${prefixLength}`;
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
