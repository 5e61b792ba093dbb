import type { Packet } from './packet.ts';

/** Where in its path a packet can be looked at, changed or stopped. */
export type HookPoint = 'ingress' | 'egress';

/** `true` lets the packet pass, `false` drops it. The hook must not keep the packet. */
export type Hook = (packet: Packet) => boolean;

/** The hooks of one point, in the order in which they were added. */
export class HookList {
  private list: readonly Hook[] = [];

  /** Adds a hook; returns a function that removes it. */
  add(hook: Hook): () => void {
    this.list = [...this.list, hook];
    return () => {
      this.list = this.list.filter(other => other !== hook);
    };
  }

  /** Whether the packet may pass. Costs a length check when there is no hook. */
  pass(packet: Packet): boolean {
    return this.list.length === 0 || this.list.every(hook => hook(packet));
  }
}

/** The hooks of one stack, by their points. */
export class Hooks implements Record<HookPoint, HookList> {
  readonly ingress = new HookList();
  readonly egress = new HookList();
}
