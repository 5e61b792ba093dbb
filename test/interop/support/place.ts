import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { KERNEL } from '../../node/linux/kernel.ts';
import { Netns } from '../../node/linux/netns.ts';
import { shell } from './programs.ts';
import { sysctl } from './sysctl.ts';

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
      done(null, host, 4);
    const socket = createSocket({ type: 'udp4', lookup });
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
export const HERE: Place = new Place(KERNEL, null);

/** A host behind HERE, which routes; the cable between the two computes checksums and cuts segments. */
export async function makeFarPlace(): Promise<Place> {
  const far = new Place('10.65.1.2', Netns.create());
  await shell(
    'ip link add r0 type veth peer name f0 && ip addr add 10.65.1.1/24 dev r0 && ip link set r0 up',
  );
  await shell('ethtool -K r0 tx off gso off tso off && ethtool -K f0 tx off gso off tso off gro off');
  sysctl('ipv4/ip_forward', 1);
  far.take('f0');
  await far.shell(
    'ip addr add 10.65.1.2/24 dev f0 && ip link set f0 up && ip route add default via 10.65.1.1',
  );
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
export async function makeNarrowPath(mtu: number): Promise<NarrowPath> {
  const middle = new Place('10.65.1.2', Netns.create());
  const far = new Place('10.65.2.2', Netns.create());
  sysctl('ipv4/ip_forward', 1);
  await shell(`ip link add n0 mtu ${mtu} type veth peer name n1 mtu ${mtu} && ip addr add 10.65.1.1/24 dev n0 &&
    ip link set n0 up && ip route add 10.65.2.0/24 via 10.65.1.2 && ip link add m0 type veth peer name f0`);
  for (const device of ['n1', 'm0']) middle.take(device);
  far.take('f0');
  await middle.shell(`echo 1 >/proc/sys/net/ipv4/ip_forward && ip addr add 10.65.1.2/24 dev n1 &&
    ip addr add 10.65.2.1/24 dev m0 && ip link set n1 up && ip link set m0 up &&
    ip route add 10.65.0.0/24 via 10.65.1.1`);
  await far.shell(
    `ip addr add 10.65.2.2/24 dev f0 && ip link set f0 up && ip route add default via 10.65.2.1`,
  );
  return {
    far,
    async setIcmp(passes) {
      // Neither router finds a way for ICMP, be it its own or another's.
      const rule = 'ip rule del ipproto icmp 2>/dev/null;';
      const line = passes ? `${rule} true` : `${rule} ip rule add pref 100 ipproto icmp blackhole`;
      for (const router of [HERE, middle]) await router.shell(line);
    },
    close() {
      middle.close();
      far.close();
    },
  };
}
