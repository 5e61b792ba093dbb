import { type AddressFamily, AF_INET, AF_INET6 } from '../../wire/address.ts';

/** Who is who in the walk. */
export const CLIENT_NAME = 'client';
export const SERVER_NAME = 'server';
export const SERVER_PORT = 65500;
/** What the client asks for. */
export const PATH = '/';

/** The network on which the walk takes place. */
export interface WalkNetwork {
  readonly family: AddressFamily;
  readonly client: string;
  readonly server: string;
  /** How long the hosts are up before the client begins, in microseconds: by then their addresses are certain. */
  readonly bootUs: number;
}

/** Two hosts over IPv4. */
export const NETWORK4: WalkNetwork = {
  family: AF_INET,
  client: '10.0.0.1',
  server: '10.0.0.2',
  bootUs: 1_000_000,
};
/** The same two hosts over IPv6. */
export const NETWORK6: WalkNetwork = {
  family: AF_INET6,
  client: 'fd00::1',
  server: 'fd00::2',
  // A check takes up to two seconds (RFC 4862 section 5.4), and another two until the groups are told of.
  bootUs: 4_000_000,
};
