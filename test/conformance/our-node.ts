import { createCable } from '../../src/link/cable.ts';
import { VirtualClock } from '../../src/sim/clock.ts';
import { Stack } from '../../src/stack/stack.ts';
import type { Node, NodeOptions } from './node.ts';

/** Our stack on virtual time, with defaults that Linux has. */
export function ourNode(options: NodeOptions): Node {
  const {
    addresses = ['fd00::1/64'],
    dadTransmits = 0,
    routerSolicitations = 0,
    fragmentTime = 60,
  } = options;
  const clock = new VirtualClock();
  const env = clock.env(1);
  const macs = [Uint8Array.of(2, 0, 0, 0, 0, 1), Uint8Array.of(2, 0, 0, 0, 0, 2)] as const;
  const [near, far] = createCable(env, { macs });
  const stack = new Stack({
    name: 'node',
    env,
    sysctl: {
      addr_gen_mode: 0,
      optimistic_dad: false,
      dad_transmits: dadTransmits,
      router_solicitations: routerSolicitations,
      ip6frag_time: fragmentTime,
    },
  });
  const node: Node = {
    onFrame: () => {},
    send: frame => {
      const packet = stack.host.pool.take(frame.length);
      if (packet === null) throw new Error('no packet left');
      packet.end = packet.start + frame.length;
      packet.bytes.set(frame, packet.start);
      if (!far.send(packet)) packet.release();
    },
    wait: async (ms, done = () => false) => {
      const untilUs = clock.nowUs + ms * 1000;
      while (!done() && clock.nextUs <= untilUs) clock.step();
      if (!done()) clock.runUntil(untilUs);
    },
    close: () => stack.close(),
  };
  far.attach({
    receive: packet => {
      node.onFrame(packet.bytes.slice(packet.start, packet.end));
      packet.release();
    },
    writable: () => {},
    carrier: () => {},
  });
  stack.attach(near, { addresses, ipv6: true });
  return node;
}
