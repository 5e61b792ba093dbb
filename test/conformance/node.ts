/** How the node under test is to be set up before a case begins. */
export interface NodeOptions {
  /** Its addresses; fd00::1/64 unless told otherwise. It always makes itself fe80::ff:fe00:1, too. */
  readonly addresses?: readonly string[];
  /** How often it asks whether an address is somebody else's; 0 unless told otherwise. */
  readonly dadTransmits?: number;
  /** How often it asks for routers; 0 unless told otherwise. */
  readonly routerSolicitations?: number;
  /** Seconds for which the fragments of a packet are kept. */
  readonly fragmentTime?: number;
  readonly acceptRa?: boolean;
}

/**
 * A node under test, with hardware address 02:00:00:00:00:01 on an Ethernet link on which only the tester is. Times are
 * milliseconds of the node's own clock: virtual for ours, real for a kernel.
 */
export interface Node {
  /** Called with each frame that the node sends. */
  onFrame: (frame: Uint8Array) => void;
  /** Lets a frame come in. */
  send(frame: Uint8Array): void;
  /** Lets time pass: all of it, or until `done`. */
  wait(ms: number, done?: () => boolean): Promise<void>;
  close(): void;
}
