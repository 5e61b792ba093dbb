import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Program, start } from './programs.ts';

/** dnsmasq with names of its own in the network namespace in which it is started; it asks nobody else. */
export class Dnsmasq {
  private readonly program: Program;
  private readonly folder: string;

  /** `hosts` are lines of a hosts file, `options` its own, as '--mx-host=...'. */
  constructor(addresses: readonly string[], hosts: readonly string[], options: readonly string[]) {
    this.folder = mkdtempSync(join(tmpdir(), 'ethertype-dnsmasq-'));
    const file = join(this.folder, 'hosts');
    writeFileSync(file, `${hosts.join('\n')}\n`);
    this.program = start('dnsmasq', [
      '--keep-in-foreground',
      '--log-facility=-',
      '--conf-file=/dev/null',
      '--pid-file=',
      '--user=root',
      '--no-resolv',
      '--no-hosts',
      `--addn-hosts=${file}`,
      '--bind-interfaces',
      ...addresses.map(address => `--listen-address=${address}`),
      ...options,
    ]);
  }

  /** Resolves once it answers. */
  async ready(): Promise<void> {
    await this.program.says(/read .*hosts/);
  }

  async close(): Promise<void> {
    await this.program.stop();
    rmSync(this.folder, { recursive: true });
  }
}
