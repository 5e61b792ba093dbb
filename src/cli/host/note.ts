/** What a process changed on a device that it did not make, and would undo at its end. */
export interface Note {
  /** The network namespace: a device of the same name elsewhere is another one. */
  readonly network: string;
  readonly device: string;
  /** Addresses it gave the kernel's side, '10.65.0.1/24'. */
  readonly addresses: readonly string[];
}

/** The note of a text; null when it is none. */
export function parseNote(text: string): Note | null {
  try {
    const { network, device, addresses } = JSON.parse(text) as Note;
    const strings = [network, device, ...addresses];
    return strings.every(value => typeof value === 'string') ? { network, device, addresses } : null;
  } catch {
    return null;
  }
}
