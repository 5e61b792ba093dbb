import { execFileSync } from 'node:child_process';
import type { Packet } from '../../src/core/packet.ts';
import { nodeEnv } from '../../src/node/env.ts';
import { addAddress, setMac, setUp } from '../../src/node/linux/netdev.ts';
import { openTap } from '../../src/node/linux/tap.ts';
import { sysctl } from '../interop/support/sysctl.ts';
import { Netns } from '../node/linux/netns.ts';
import type { Node, NodeOptions } from './node.ts';

const DEVICE = 'et0';
/** Milliseconds between two looks at whether what is awaited has come. */
const LOOK_MS = 5;

/** A kernel whose interface is still down, and what puts it up. */
export interface PreparedNode {
  readonly node: Node;
  readonly begin: () => void;
}

/** The Linux kernel, in a network namespace of its own, at the other end of a TAP device. */
export function linuxNode(options: NodeOptions): PreparedNode {
  const {
    addresses = ['fd00::1/64'],
    dadTransmits = 0,
    routerSolicitations = 0,
    fragmentTime = 60,
  } = options;
  const netns = Netns.create();
  const link = netns.run(() => {
    const tap = openTap({ name: DEVICE, env: nodeEnv(), vnetHdr: false, gro: false });
    const interfaces = `ipv6/conf/${DEVICE}`;
    sysctl(`${interfaces}/addr_gen_mode`, 0);
    sysctl(`${interfaces}/dad_transmits`, dadTransmits);
    sysctl(`${interfaces}/accept_dad`, dadTransmits === 0 ? 0 : 1);
    sysctl(`${interfaces}/router_solicitations`, routerSolicitations);
    sysctl(`${interfaces}/accept_ra_min_lft`, 0);
    sysctl('ipv6/ip6frag_time', fragmentTime);
    setMac(DEVICE, Uint8Array.of(2, 0, 0, 0, 0, 1));
    return tap;
  });
  const node: Node = {
    onFrame: () => {},
    send: frame => {
      const packet = link.pool.take(frame.length);
      if (packet === null) throw new Error('no packet left');
      packet.end = packet.start + frame.length;
      packet.bytes.set(frame, packet.start);
      if (!link.send(packet)) packet.release();
    },
    wait: async (ms, done = () => false) => {
      const endMs = performance.now() + ms;
      while (!done() && performance.now() < endMs) await sleep(Math.min(LOOK_MS, endMs - performance.now()));
    },
    close: () => {
      link.close();
      netns.close();
    },
  };
  link.attach({
    receive: (packet: Packet) => {
      node.onFrame(packet.bytes.slice(packet.start, packet.end));
      packet.release();
    },
    writable: () => {},
    carrier: () => {},
  });
  const begin = (): void =>
    netns.run(() => {
      setUp(DEVICE);
      for (const address of addresses) {
        // addAddress() has the kernel not ask whether the address is somebody else's.
        if (dadTransmits === 0) addAddress(DEVICE, address);
        else execFileSync('ip', ['-6', 'address', 'add', address, 'dev', DEVICE]);
      }
    });
  return { node, begin };
}

function sleep(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, Math.max(ms, 0)));
}
