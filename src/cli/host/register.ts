/**
 * Makes a running stack known to the user's other commands: `ss` and `netstat` ask it, a second one on the same device
 * is told that it is in use, and what a killed one left behind is removed.
 * @module
 */
import { readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { openControlFolder } from '../../node/control/folder.ts';
import { findRunning, notePath, type Running, socketPath } from '../../node/control/running.ts';
import { type ControlServer, serveControl } from '../../node/control/serve.ts';
import { datagramRows } from '../../stack/sockets.ts';
import type { Stack } from '../../stack/stack.ts';
import { Failure } from '../failure.ts';
import { say } from '../output.ts';
import { cidrText, ownAddresses } from './addresses.ts';
import { type Note, parseNote } from './note.ts';
import type { HostPlan } from './plan.ts';

/** A stack's entry among the running ones. */
export interface Registration {
  /** What killed processes would have undone. */
  readonly left: readonly Note[];
  /** Writes down what is to be undone even if this process is killed. */
  note(note: Note): void;
  /** Answers questions about `stack` from now on. */
  serve(stack: Stack): Promise<void>;
  /** Removes the entry. */
  close(): void;
}

/** The network namespace of this process; '' when that cannot be told. */
export function networkNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/net');
  } catch {
    return '';
  }
}

/**
 * Makes the entry; throws a Failure when another command of this user is on the same device. Where no entry can be made
 * it says so and goes on: the stack works without.
 */
export async function register(plan: HostPlan, name: string): Promise<Registration> {
  let folder: string;
  let left: readonly string[];
  try {
    folder = openControlFolder();
    const found = await findRunning();
    refuseSecond(plan, found.running);
    left = found.left;
  } catch (error) {
    if (error instanceof Failure) throw error;
    say(`ethertype: no control socket, so that ss and netstat cannot ask: ${(error as Error).message}`);
    return { left: [], note: () => undefined, serve: async () => undefined, close: () => undefined };
  }
  const path = socketPath(folder, process.pid, plan.device);
  let server: ControlServer | null = null;
  return {
    left: left.flatMap(text => parseNote(text) ?? []),
    note: note => writeFileSync(notePath(path), JSON.stringify(note), { mode: 0o600 }),
    async serve(stack) {
      server = await serveControl(path, {
        about: () => ({
          pid: process.pid,
          name,
          device: plan.device,
          address: ownAddresses(stack.ip.netif(plan.device)).map(cidrText).join(' '),
          network: networkNamespace(),
        }),
        sockets: () => ({ tcp: stack.sockets(), udp: datagramRows(stack.udpLayer) }),
        counters: () => stack.mib,
        interfaces: () => stack.interfaces(),
        routes: () => stack.routes(),
        neighbors: () => stack.neighbors(),
      });
    },
    close() {
      server?.close();
      rmSync(notePath(path), { force: true });
    },
  };
}

function refuseSecond(plan: HostPlan, running: readonly Running[]): void {
  if (plan.mode === 'packet') return;
  const network = networkNamespace();
  for (const { pid, device, about } of running) {
    if (device !== plan.device || (about !== null && about.network !== network)) continue;
    const who = about === null ? `process ${pid}` : `ethertype ${about.name} (process ${pid})`;
    throw new Failure(
      `${device} is in use by ${who}; take another one, as --tap ${nextName(device)} --address 10.65.1.2/24`,
    );
  }
}

/** tap1 after tap0. */
export function nextName(device: string): string {
  const [, stem = device, digits = '0'] = /^(.*?)(\d*)$/.exec(device) ?? [];
  return `${stem}${Number(digits) + 1}`;
}
