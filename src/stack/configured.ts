import type { Env } from '../core/env.ts';
import type { Autoconfiguration } from '../dhcp/autoconfiguration.ts';
import type { Ipv4Settings } from '../dhcp/ipv4-configuration.ts';
import { Deferred } from '../socket/api/deferred.ts';
import type { WaitOptions } from '../socket/wait.ts';

/** Whoever waits until every interface that configures itself has an address. */
export class Configured {
  private readonly env: Env;
  private readonly autoconfiguration: Autoconfiguration;
  private readonly waiters = new Set<Deferred<readonly Ipv4Settings[]>>();
  private closed = false;

  constructor(env: Env, autoconfiguration: Autoconfiguration) {
    this.env = env;
    this.autoconfiguration = autoconfiguration;
    autoconfiguration.onChange = () => this.check();
  }

  /** Resolves to what the interfaces have; rejects with the signal's reason, or when the stack is closed before. */
  wait({ signal }: WaitOptions): Promise<readonly Ipv4Settings[]> {
    const waiter = new Deferred<readonly Ipv4Settings[]>(this.env);
    if (this.closed) waiter.reject(closedError());
    if (signal?.aborted === true) waiter.reject(signal.reason);
    if (waiter.settled) return waiter.promise;
    const onAbort = (): void => {
      this.waiters.delete(waiter);
      waiter.reject(signal?.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    const untie = (): void => signal?.removeEventListener('abort', onAbort);
    waiter.promise.then(untie, untie);
    this.waiters.add(waiter);
    this.check();
    return waiter.promise;
  }

  /** Nothing will be configured any more. */
  close(): void {
    this.closed = true;
    for (const waiter of this.waiters) waiter.reject(closedError());
    this.waiters.clear();
  }

  private check(): void {
    const { settings } = this.autoconfiguration;
    if (settings === null) return;
    for (const waiter of this.waiters) waiter.resolve(settings);
    this.waiters.clear();
  }
}

function closedError(): Error {
  return new Error('the stack was closed before its interfaces were configured');
}
