import { AF_INET, AF_INET6, type IpAddress } from '../wire/address.ts';

/** Where a socket is bound. `dualStack`: bound to ::, it takes IPv4 as well (IPV6_V6ONLY is off). */
export interface BoundAddress {
  readonly address: IpAddress;
  readonly dualStack: boolean;
}

/** Whether what is sent to `address` comes to who is bound so. */
export function takes({ address: own, dualStack }: BoundAddress, address: IpAddress): boolean {
  return own.equals(address) || (own.isUnspecified && reaches(own, dualStack, address));
}

/** Whether something could be sent that comes to both. */
export function overlaps(a: BoundAddress, b: BoundAddress): boolean {
  return takes(a, b.address) || takes(b, a.address);
}

function reaches(own: IpAddress, dualStack: boolean, address: IpAddress): boolean {
  return (
    own.family === address.family || (dualStack && own.family === AF_INET6 && address.family === AF_INET)
  );
}
