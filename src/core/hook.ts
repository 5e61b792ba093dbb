import type { Packet } from './packet.ts';

/** Where in its path a packet can be looked at, changed or stopped. */
export type HookPoint = 'ingress' | 'egress';

/** `true` lets the packet pass, `false` drops it. The hook must not keep the packet. */
export type Hook = (packet: Packet) => boolean;

/** The hooks of one stack, in the order in which they were added. */
export class Hooks {
  private readonly lists: Record<HookPoint, Hook[]> = { ingress: [], egress: [] };

  /** Adds a hook; returns a function that removes it. */
  add(point: HookPoint, hook: Hook): () => void {
    this.lists[point].push(hook);
    return () => {
      this.lists[point] = this.lists[point].filter(other => other !== hook);
    };
  }

  /** Whether the packet may pass this point. Costs a length check when there is no hook. */
  pass(point: HookPoint, packet: Packet): boolean {
    const list = this.lists[point];
    if (list.length === 0) return true;
    return list.every(hook => hook(packet));
  }
}
