import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Host } from './host.ts';
import { type Program, run, start } from './programs.ts';
import { until } from './until.ts';

/** The port to which nobody listens, and what is sent to it as the last packet of a capture. */
const DISCARD = 9;
const MARKER = 'this is the last packet that matters';

/** tcpdump at work on an interface. */
export class Capture {
  private readonly folder = mkdtempSync(join(tmpdir(), 'ethertype-'));
  private readonly file = join(this.folder, 'capture.pcap');
  private readonly tcpdump: Program;

  /** In the network namespace of the main thread. `args` may end in a filter. */
  constructor(device: string, ...args: readonly string[]) {
    const options = [
      '-i',
      device,
      '-w',
      this.file,
      '-U',
      '--immediate-mode',
      '-B',
      '16384',
      '-s',
      '2048',
      '-Z',
      'root',
    ];
    this.tcpdump = start('tcpdump', [...options, ...args]);
  }

  /** Resolves once it sees packets. */
  async ready(): Promise<void> {
    await this.tcpdump.says(/listening on/);
    await until(
      () => existsSync(this.file),
      () => this.tcpdump.report,
    );
  }

  /** Ends it when it has seen all that `host` has sent to `hostname` so far. */
  async finish(host: Host, hostname: string): Promise<void> {
    const socket = host.stack.udp({ hostname: host.family.any });
    await socket.send(Buffer.from(MARKER), { hostname, port: DISCARD });
    await until(
      () => readFileSync(this.file).includes(MARKER),
      () => this.tcpdump.report,
    );
    socket.close();
    await this.tcpdump.stop('SIGINT');
    if (!this.tcpdump.stderr.includes('\n0 packets dropped by kernel')) throw new Error(this.tcpdump.report);
  }

  /** What tcpdump says of the packets that match a filter, a line each; with -vv of the lines that begin a packet. */
  async lines(filter: string, ...args: readonly string[]): Promise<string[]> {
    const { stdout } = await run('tcpdump', ['-n', '-t', '-r', this.file, ...args, filter]);
    return stdout.split('\n').filter(line => line !== '');
  }

  /** Removes the file, and ends tcpdump if need be. */
  async remove(): Promise<void> {
    await this.tcpdump.stop('SIGKILL');
    rmSync(this.folder, { recursive: true });
  }
}
