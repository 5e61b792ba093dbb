/**
 * A stack on a real network for as long as a command runs.
 * @module
 */
import type { Env } from '../../core/env.ts';
import type { NameResolver } from '../../core/name-resolver.ts';
import type { Stack } from '../../stack/stack.ts';
import type { AddressFamily, IpAddress } from '../../wire/address.ts';
import type { OpenDevice } from './device.ts';
import { kernelHasIpv6 } from './kernel-ipv6.ts';
import { Lifetime } from './lifetime.ts';
import type { HostOptions } from './options.ts';
import { planOf } from './plan.ts';

/** What a command has to work with. */
export interface CommandHost {
  readonly stack: Stack;
  readonly env: Env;
  /** Aborts when the command is to end (Ctrl-C): it may then say its last words and return. */
  readonly signal: AbortSignal;
  /** Says how the stack can be reached: of a server, once it listens. Said once. */
  announce(): void;
  /**
   * The address of a host, looked up if it is a name, with its zone if it needs one: 'fe80::1%tap0'. Rejects with a
   * Failure.
   */
  lookup(host: string, family?: AddressFamily | null): Promise<string>;
  /** Finds every address of a host; rejects with a Failure. */
  readonly hosts: NameResolver;
  /** Ends the command from outside of its promise, as a closed output does. */
  end(reason: unknown): void;
}

/** How a command's host differs from another's. */
export interface HostSetup {
  /** Its name, as others see it: 'serve'. */
  readonly name: string;
  /**
   * Of a server: what to tell the user to reach of each address, 'http://10.65.0.2/', when it calls `announce`. Else
   * the addresses are said at once.
   */
  readonly reach?: (address: IpAddress) => string;
  /** Whether the command returns by itself, soon, once the signal has aborted. Default: it is not waited for. */
  readonly lastWords?: boolean;
  /** The exit status when the name of a host cannot be found; 1 by default. */
  readonly notFound?: number;
  /** What opens the device; the Linux drivers when not given. */
  readonly open?: OpenDevice;
}

/**
 * Makes the device and a stack on it, runs `command`, and removes what was made: also on a signal, an error that nobody
 * caught, or when nobody reads the output any more. Throws a Failure for what cannot be made, and what the command
 * throws.
 */
export async function withHost<T>(
  options: HostOptions,
  setup: HostSetup,
  command: (host: CommandHost) => Promise<T>,
): Promise<T> {
  const plan = planOf(options, kernelHasIpv6);
  // Loaded only now: complaints about the command line come at once.
  const { openHost, leave } = await import('./open-host.ts');
  const life = new Lifetime();
  try {
    const host = await openHost(plan, setup, life);
    try {
      return await life.run(command(host), setup.lastWords ?? false);
    } finally {
      await leave(host.stack);
    }
  } finally {
    life.close();
  }
}
