import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import { Netns } from '../../node/linux/netns.ts';
import type { Family } from './family.ts';
import { shell } from './programs.ts';
import { skipDad, sysctl } from './sysctl.ts';

/** A host of the kernel's: a network namespace with an address. */
export class Place {
  readonly address: string;
  private readonly netns: Netns | null;

  /** `netns` null: the one in which the process is. */
  constructor(address: string, netns: Netns | null) {
    this.address = address;
    this.netns = netns;
  }

  /** Programs started by `body` run there, devices made by it are there. */
  run<T>(body: () => T): T {
    return this.netns === null ? body() : this.netns.run(body);
  }

  /** Runs a line of shell there. */
  shell(line: string): Promise<string> {
    return this.run(() => shell(line));
  }

  /** Moves an interface there from the namespace in which the process is. */
  take(device: string): void {
    this.netns?.take(device);
  }

  /** A UDP socket there, bound to `address`. */
  async datagramSocket(port = 0): Promise<Socket> {
    // Node makes the socket itself once it has looked up the address: here at once.
    const lookup = (host: string, _: unknown, done: (error: null, address: string, family: number) => void) =>
      done(null, host, isIPv6(host) ? 6 : 4);
    const socket = createSocket({ type: isIPv6(this.address) ? 'udp6' : 'udp4', lookup });
    const listening = once(socket, 'listening');
    this.run(() => socket.bind(port, this.address));
    await listening;
    return socket;
  }

  close(): void {
    this.netns?.close();
  }
}

/** The kernel at the other end of our TAP. */
export function here(family: Family): Place {
  return new Place(family.kernel, null);
}

/** Lets the kernel hand packets on, in the namespace of the main thread. */
export function forward({ sysctl: folder }: Family): void {
  sysctl(folder === 'ipv4' ? 'ipv4/ip_forward' : 'ipv6/conf/all/forwarding', 1);
}

/** A host behind the kernel, which routes; the cable between the two computes checksums and cuts segments. */
export async function makeFarPlace(family: Family): Promise<Place> {
  const [, prefix] = prefixesOf(family);
  const [near, address] = [1, 2].map(host => family.beyond[0] + host) as [string, string];
  const far = newPlace(address);
  await shell(
    `ip link add r0 type veth peer name f0 && ip addr add ${near}${prefix} dev r0 && ip link set r0 up`,
  );
  await shell('ethtool -K r0 tx off gso off tso off && ethtool -K f0 tx off gso off tso off gro off');
  forward(family);
  far.take('f0');
  await far.shell(`ip addr add ${address}${prefix} dev f0 && ip link set f0 up &&
    ip route add default via ${near}`);
  return far;
}

/** HERE, two cables and a far host: the first cable is narrow, both routers and the far host have 1500 elsewhere. */
export interface NarrowPath {
  readonly far: Place;
  /** Whether the routers' ICMP messages get anywhere. */
  setIcmp(passes: boolean): Promise<void>;
  close(): void;
}

/** Makes such a path. `mtu` in bytes. */
export async function makeNarrowPath(family: Family, mtu: number): Promise<NarrowPath> {
  const [networks, prefix] = prefixesOf(family);
  const [first, second] = family.beyond;
  const middle = newPlace(`${first}2`);
  const far = newPlace(`${second}2`);
  forward(family);
  middle.run(() => forward(family));
  await shell(`ip link add n0 mtu ${mtu} type veth peer name n1 mtu ${mtu} &&
    ip addr add ${first}1${prefix} dev n0 && ip link set n0 up &&
    ip route add ${networks[1]} via ${first}2 && ip link add m0 type veth peer name f0`);
  for (const device of ['n1', 'm0']) middle.take(device);
  far.take('f0');
  await middle.shell(`ip addr add ${first}2${prefix} dev n1 && ip addr add ${second}1${prefix} dev m0 &&
    ip link set n1 up && ip link set m0 up && ip route add ${networks[2]} via ${first}1`);
  await far.shell(`ip addr add ${second}2${prefix} dev f0 && ip link set f0 up &&
    ip route add default via ${second}1`);
  const routers = [here(family), middle];
  return {
    far,
    async setIcmp(passes) {
      // Neither router finds a way for ICMP, be it its own or another's; neighbours are found all the same.
      const [ip, protocol] = family.name === 'IPv4' ? ['ip', 'icmp'] : ['ip -6', 'ipv6-icmp'];
      const rule = `${ip} rule del ipproto ${protocol} 2>/dev/null;`;
      const line = passes ? `${rule} true` : `${rule} ${ip} rule add pref 100 ipproto ${protocol} blackhole`;
      for (const router of routers) await router.shell(line);
    },
    close() {
      middle.close();
      far.close();
    },
  };
}

function newPlace(address: string): Place {
  const place = new Place(address, Netns.create());
  place.run(skipDad);
  return place;
}

/** The networks behind the first cable, the second, and our own, and the length of their prefixes, '/24'. */
function prefixesOf({ beyond, ours, prefixLength }: Family): [[string, string, string], string] {
  const prefix = `/${prefixLength}`;
  const zero = (start: string): string => `${start}${start.endsWith(':') ? '' : '0'}${prefix}`;
  return [[zero(beyond[0]), zero(beyond[1]), zero(ours.replace(/2$/, ''))], prefix];
}
