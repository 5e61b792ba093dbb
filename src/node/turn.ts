/** One turn of Node's event loop: pending promises, timers and I/O get theirs before it resolves. */
export function turn(): Promise<void> {
  return new Promise(resolve => {
    setImmediate(resolve);
  });
}
