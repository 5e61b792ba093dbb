/** The part of a MessagePort used here. Browsers have no `ref` and `unref`; elsewhere a port keeps a process. */
interface Port {
  onmessage: (() => void) | null;
  postMessage(message: null): void;
  close(): void;
  ref?(): void;
  unref?(): void;
}

/**
 * `post()` has `run` called after one turn of the event loop; at most one call is pending. A message has not the 4 ms
 * that browsers add to nested timers.
 */
export function turnChannel(run: () => void): { post(): void; close(): void } {
  const { port1, port2 } = new MessageChannel() as unknown as { port1: Port; port2: Port };
  port1.onmessage = () => {
    port1.unref?.();
    run();
  };
  port1.unref?.();
  return {
    post: () => {
      port1.ref?.();
      port2.postMessage(null);
    },
    close: () => port1.close(),
  };
}

/** One turn of a browser's event loop. */
export function turn(): Promise<void> {
  return new Promise(resolve => {
    const channel = turnChannel(() => {
      channel.close();
      resolve();
    });
    channel.post();
  });
}
