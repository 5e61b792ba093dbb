/**
 * Which stacks of this user are running, and what those left behind that were killed.
 * @module
 */
import { lstatSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { askControl } from './ask.ts';
import { checkControlFolder, controlFolder } from './folder.ts';
import type { About } from './protocol.ts';

/** The names in the folder: process, device. */
const NAME = /^(\d{1,10})-([^/]{1,15})\.sock$/;
/** Between bind and listen a socket refuses, though its process is only just starting. Milliseconds. */
const STARTING_MS = 10_000;

/** A stack that runs, as far as its socket's name tells. */
export interface Running {
  /** The control socket. */
  readonly path: string;
  readonly pid: number;
  readonly device: string;
  /** What it says of itself; null when it does not answer in time. */
  readonly about: About | null;
}

/** What was found in the folder. */
export interface Found {
  readonly running: readonly Running[];
  /** Notes of processes that did not end by themselves, as they wrote them; their files are removed. */
  readonly left: readonly string[];
}

/** The path of a process's control socket. */
export function socketPath(folder: string, pid: number, device: string): string {
  return join(folder, `${pid}-${device}.sock`);
}

/** The path of what a process notes for those that come after it, in case it is killed. */
export function notePath(socket: string): string {
  return socket.replace(/\.sock$/, '.json');
}

/**
 * Asks every control socket of this user who is there, and removes what nobody is behind any more. Throws an Error when
 * the folder is not one that only this user can enter.
 */
export async function findRunning(): Promise<Found> {
  const folder = controlFolder();
  let names: string[];
  try {
    checkControlFolder(folder);
    names = readdirSync(folder).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { running: [], left: [] };
    throw error;
  }
  const running: Running[] = [];
  const left: string[] = [];
  const sockets = names.filter(name => NAME.test(name));
  await Promise.all(
    sockets.map(async name => {
      const path = join(folder, name);
      const [, pid, device = ''] = NAME.exec(name) ?? [];
      const about = await whoIs(path, Number(pid));
      if (about !== 'nobody') running.push({ path, pid: Number(pid), device, about });
      else left.push(...removeLeft(path));
    }),
  );
  // A note without its socket: the process was killed before it could listen, or after it had ended.
  for (const name of names.filter(each => each.endsWith('.json'))) {
    const socket = name.replace(/\.json$/, '.sock');
    const pid = Number(/^\d+/.exec(name)?.[0]);
    if (!sockets.includes(socket) && !isAlive(pid)) left.push(...removeLeft(join(folder, socket)));
  }
  running.sort((a, b) => a.pid - b.pid);
  return { running, left };
}

async function whoIs(path: string, pid: number): Promise<About | null | 'nobody'> {
  try {
    return await askControl(path, 'about');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return 'nobody';
    if (code !== 'ECONNREFUSED') return null;
    return isAlive(pid) && !isOld(path) ? null : 'nobody';
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function isOld(path: string): boolean {
  try {
    return Date.now() - lstatSync(path).mtimeMs > STARTING_MS;
  } catch {
    return true;
  }
}

/** Removes a socket and its note; gives the note. */
function removeLeft(socket: string): string[] {
  const note = notePath(socket);
  let text: string[] = [];
  try {
    text = [readFileSync(note, 'utf8')];
  } catch {
    // It had nothing to note.
  }
  rmSync(socket, { force: true });
  rmSync(note, { force: true });
  return text;
}
