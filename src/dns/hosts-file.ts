import type { AddressFamily, IpAddress } from '../wire/address.ts';
import { IpAddress as Address } from '../wire/address.ts';
import { nameKey, normalName } from './names.ts';

/** The names and addresses of a hosts(5) file. */
export class HostsFile {
  private readonly byName = new Map<string, IpAddress[]>();
  private readonly names: [address: IpAddress, name: string][] = [];

  /** Lines that are none, and names that are none, are ignored. */
  constructor(text: string) {
    for (const line of text.split('\n')) {
      const [first = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
      const address = Address.parse(first);
      if (address !== null) for (const name of names) this.add(address, name);
    }
  }

  private add(address: IpAddress, text: string): void {
    const name = normalName(text);
    if (name === null) return;
    const key = nameKey(name);
    const addresses = this.byName.get(key) ?? [];
    this.byName.set(key, addresses);
    if (!addresses.some(other => other.equals(address))) addresses.push(address);
    this.names.push([address, name]);
  }

  /** The addresses of a name, of one family, in the file's order; null when the file does not have the name at all. */
  addresses(name: string, family: AddressFamily): readonly IpAddress[] | null {
    return this.byName.get(nameKey(name))?.filter(address => address.family === family) ?? null;
  }

  /** The names of an address, in the file's order. */
  namesOf(address: IpAddress): readonly string[] {
    return this.names.filter(([other]) => other.equals(address)).map(([, name]) => name);
  }
}
