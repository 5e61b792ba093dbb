import { readFileSync } from 'node:fs';

/**
 * A counter of the kernel's in the network namespace of the main thread: kernelCounter('Tcp', 'InCsumErrors'), and with
 * the protocols of /proc/net/snmp6 kernelCounter('Icmp6', 'InCsumErrors').
 */
export function kernelCounter(protocol: string, name: string): number {
  if (protocol.endsWith('6')) {
    const found = new RegExp(`^${protocol}${name}\\s+(\\d+)$`, 'm').exec(
      readFileSync('/proc/net/snmp6', 'latin1'),
    );
    if (found === null) throw new Error(`no counter ${protocol} ${name}`);
    return Number(found[1]);
  }
  const lines = readFileSync('/proc/net/snmp', 'latin1').split('\n');
  const [names, values] = lines.filter(line => line.startsWith(`${protocol}: `)).map(line => line.split(' '));
  const value = values?.[names?.indexOf(name) ?? -1];
  if (value === undefined) throw new Error(`no counter ${protocol} ${name}`);
  return Number(value);
}
