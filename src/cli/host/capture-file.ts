import { closeSync, openSync, writeSync } from 'node:fs';
import type { Env } from '../../core/env.ts';
import type { Link, Medium } from '../../core/link.ts';
import { capture } from '../../link/capture.ts';
import { LINKTYPE_ETHERNET, LINKTYPE_RAW, PcapWriter } from '../../pcap/pcap.ts';
import { failureOf } from '../failure.ts';

/** A capture file that is being written. */
export interface CaptureFile {
  /** The link, with every packet that passes written to the file. */
  tap(link: Link, env: Env): Link;
  /** Writes what is gathered and closes the file. A second call does nothing. */
  close(): void;
}

/** Bytes gathered before they are written. */
const GATHER_BYTES = 1 << 18;
/** The longest a packet waits to be written, in milliseconds: after a crash no more than this is missing. */
const FLUSH_MS = 200;

/**
 * A capture file for packets of this medium. Whole records are written at a time, so that the file can be read whenever
 * the program ends. Throws a Failure when the file cannot be opened.
 */
export function captureTo(path: string, medium: Medium): CaptureFile {
  let fd: number;
  try {
    fd = openSync(path, 'w');
  } catch (error) {
    throw failureOf(`cannot write ${path}`, error);
  }
  const gathered = new Uint8Array(GATHER_BYTES);
  let length = 0;
  let timer: NodeJS.Timeout | null = null;
  const flush = (): void => {
    timer = null;
    if (fd < 0 || length === 0) return;
    const bytes = gathered.subarray(0, length);
    length = 0;
    writeTo(fd, path, bytes);
  };
  const write = (chunk: Uint8Array): void => {
    if (length + chunk.length > GATHER_BYTES) flush();
    if (chunk.length > GATHER_BYTES) {
      writeTo(fd, path, chunk);
      return;
    }
    gathered.set(chunk, length);
    length += chunk.length;
    timer ??= setTimeout(flush, FLUSH_MS).unref();
  };
  const writer = new PcapWriter(write, { linkType: medium === 'ip' ? LINKTYPE_RAW : LINKTYPE_ETHERNET });
  flush();
  return {
    tap: (link, env) =>
      capture(link, packet => {
        if (fd >= 0) writer.packet(env.nowUs(), packet.bytes.subarray(packet.start, packet.end));
      }),
    close() {
      if (timer !== null) clearTimeout(timer);
      flush();
      if (fd >= 0) closeSync(fd);
      fd = -1;
    },
  };
}

function writeTo(fd: number, path: string, bytes: Uint8Array): void {
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
  } catch (error) {
    throw failureOf(`cannot write ${path}`, error);
  }
}
