import type { Stack } from '../stack/stack.ts';
import { IpAddress } from '../wire/address.ts';

/** A name server. */
export interface NameServer {
  readonly address: IpAddress;
  readonly port: number;
}

/** Where name servers listen. */
export const DNS_PORT = 53;

/** '10.0.0.1', 'fd00::1', 'fe80::1%eth0', '10.0.0.1:5353', '[fd00::1]:5353'. Throws TypeError. */
export function parseServer(text: string, stack: Stack): NameServer {
  const whole = IpAddress.parse(text, zoneOf(stack));
  if (whole !== null) return { address: whole, port: DNS_PORT };
  const [, inBrackets, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const address = IpAddress.parse(inBrackets ?? plain ?? '', zoneOf(stack));
  const port = Number(digits);
  if (address === null || port < 1 || port > 65535)
    throw new TypeError(`not the address of a name server: ${JSON.stringify(text)}`);
  return { address, port };
}

/** The interfaces of a stack by their names, for addresses with a zone. */
export function zoneOf(stack: Stack): (name: string) => number {
  return name => stack.ip.netif(name)?.index ?? 0;
}
