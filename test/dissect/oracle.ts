/** Comparing our lines with those of the installed tcpdump. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TcpdumpFormatter } from '../../src/dissect/tcpdump.ts';
import { type PcapOptions, PcapWriter } from '../../src/pcap/pcap.ts';

/** When the first frame was captured: 21:16:04.737246. */
export const START_US = 76_564_737_246;

/** What the installed tcpdump prints of the frames, or null when there is none. */
function realTcpdump(packets: Uint8Array[], options: PcapOptions = {}): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'ethertype-'));
  try {
    const chunks: Uint8Array[] = [];
    const writer = new PcapWriter(chunk => chunks.push(chunk), options);
    for (const [index, bytes] of packets.entries()) writer.packet(START_US + index, bytes);
    const file = join(folder, 'frames.pcap');
    writeFileSync(file, Buffer.concat(chunks));
    const result = spawnSync('tcpdump', ['-n', '-r', file], {
      encoding: 'utf8',
      env: { ...process.env, TZ: 'UTC' },
    });
    return result.error === undefined ? result.stdout : null;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Whether there is the version whose output we print; says loudly when the comparison cannot be made. */
export function tcpdumpMissing(): string | false {
  const version = spawnSync('tcpdump', ['--version'], { encoding: 'utf8' });
  if (version.error !== undefined)
    return 'TCPDUMP IS NOT INSTALLED: the lines were not compared with the real ones';
  const found = /tcpdump version (\d+\.\d+)/.exec(version.stdout)?.[1];
  return found === '4.99'
    ? false
    : `TCPDUMP IS ${found}, NOT 4.99: the lines were not compared with the real ones`;
}

/** Asserts that the installed tcpdump prints the lines that we do. */
export function compareWithTcpdump(
  packets: Uint8Array[],
  medium: 'ethernet' | 'ip',
  options: PcapOptions,
): void {
  const snaplen = options.snaplen ?? 65536;
  const formatter = new TcpdumpFormatter();
  const ours = packets.flatMap((bytes, index) =>
    formatter.line(START_US + index, medium, bytes.subarray(0, snaplen), bytes.length),
  );
  assert.deepEqual(ours, realTcpdump(packets, options)?.split('\n').slice(0, -1));
}
