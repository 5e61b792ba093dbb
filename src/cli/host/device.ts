import type { Env } from '../../core/env.ts';
import type { Link } from '../../core/link.ts';
import type { Note } from './note.ts';
import type { HostPlan } from './plan.ts';

/** The open device between this stack and the kernel. */
export interface Device {
  readonly link: Link;
  /** The kernel's side of it, '10.65.0.1/24' in each network; empty when it has no address there that we know. */
  readonly kernelSides: readonly string[];
  /** Nobody but the kernel is on the link: no address can be another's. */
  readonly isPrivate: boolean;
  /** Closes the link, unless the stack has done so, and undoes what was made for it. Must not wait. */
  close(): void;
}

/** What a device that is opened can know and tell. */
export interface DeviceContext {
  readonly env: Env;
  /** What killed processes would have undone. */
  readonly left: readonly Note[];
  /** Writes down what is to be undone even if this process is killed. */
  note(note: Note): void;
}

/** Makes the device of a plan, or throws a Failure that says in one line why that cannot be. */
export type OpenDevice = (plan: HostPlan, context: DeviceContext) => Device;
