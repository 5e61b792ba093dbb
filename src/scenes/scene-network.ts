/**
 * The network on which scenes are played: the same hosts, over IPv4 or over IPv6.
 * @module
 */
import { type AddressFamily, AF_INET, AF_INET6 } from '../wire/address.ts';

/** The addresses of one family, as the programs of the scenes use them. */
export interface SceneNetwork {
  readonly family: AddressFamily;
  /** The first host of a world, and the second. */
  readonly client: string;
  readonly server: string;
  /** On the same network, but nobody has it. */
  readonly nobody: string;
  /** For bind(): every address of the host. */
  readonly any: string;
  /** Bytes of data in a full segment with timestamps, over Ethernet. */
  readonly segment: number;
  /** How long the hosts are up before a scene begins, in microseconds: their announcements are no part of it. */
  readonly bootUs: number;
}

/** 10.0.0.0/24. */
export const SCENE_NETWORK4: SceneNetwork = {
  family: AF_INET,
  client: '10.0.0.1',
  server: '10.0.0.2',
  nobody: '10.0.0.99',
  any: '0.0.0.0',
  segment: 1448,
  bootUs: 1_000_000,
};

/** fd00::/64. */
export const SCENE_NETWORK6: SceneNetwork = {
  family: AF_INET6,
  client: 'fd00::1',
  server: 'fd00::2',
  nobody: 'fd00::99',
  any: '::',
  segment: 1428,
  // By then they have also given up looking for a router (RFC 4861 section 6.3.7).
  bootUs: 20_000_000,
};
