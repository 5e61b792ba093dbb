/**
 * Messages that cases send.
 * @module
 */
import { IpAddress } from '../../src/wire/address.ts';
import type { NeighborAdvert, NeighborSolicit, RouterAdvert } from '../../src/wire/ndp.ts';
import type { NdpOptions, PrefixInformation } from '../../src/wire/ndp-options.ts';
import { frame6, ipv6, mac, sign } from '../net/craft6.ts';
import { addressOf } from './words.ts';

/** "Who has `target`?" */
export function solicit(target: string, options: NdpOptions = {}): NeighborSolicit {
  return { type: 135, target: addressOf(target), options };
}

/** "`target` is here"; flags of R, S and O. */
export function tell(target: string, flags: string, options: NdpOptions = {}): NeighborAdvert {
  const [router, solicited, override] = ['R', 'S', 'O'].map(flag => flags.includes(flag)) as [
    boolean,
    boolean,
    boolean,
  ];
  return { type: 136, target: addressOf(target), router, solicited, override, options };
}

/** What a router says that has nothing special to say. */
export function advert(change: Partial<RouterAdvert> = {}): RouterAdvert {
  return {
    type: 134,
    hopLimit: 64,
    managed: false,
    other: false,
    preference: 0,
    lifetime: 1800,
    reachableMs: 0,
    retransMs: 0,
    options: { sourceMac: mac(2) },
    ...change,
  };
}

/** A prefix of 64 bits for an advertisement. */
export function prefix(network: string, change: Partial<PrefixInformation> = {}): PrefixInformation {
  return {
    prefix: addressOf(network),
    prefixLength: 64,
    onLink: true,
    autonomous: true,
    validSeconds: 3600,
    preferredSeconds: 3600,
    ...change,
  };
}

/** A frame with ICMPv6 behind the IPv6 header, of which bytes of the message were changed. */
export function changed(frame: Uint8Array, at: number, value: number): Uint8Array {
  const bytes = frame.slice();
  bytes[14 + 40 + at] = value;
  return bytes;
}

/** The frame with its checksum made right again. */
export function signed(frame: Uint8Array): Uint8Array {
  const view = new DataView(frame.buffer, frame.byteOffset);
  const [source, destination] = [22, 38].map(at => IpAddress.read6(view, at).toString()) as [string, string];
  const data = frame.slice(14 + 40);
  sign(data, source, destination);
  return frame6(ipv6({ source, destination, protocol: 58, hopLimit: 255, data }));
}

/** The frame cut to so many bytes of ICMPv6. */
export function shortened(frame: Uint8Array, bytes: number): Uint8Array {
  return frame.slice(0, 14 + 40 + bytes);
}
