/**
 * The last 64 bits of addresses that a host makes itself.
 * @module
 */
import { fromHex } from '../base/hex.ts';
import { SipHash } from '../base/siphash.ts';
import type { Host } from '../core/host.ts';
import { IpAddress } from '../wire/address.ts';
import type { Netif } from './netif.ts';

/** Bytes of the secret: the keys of two hashes of 32 bits. */
const SECRET_LENGTH = 16;
/** RFC 2464 section 4: what is put into the middle of a hardware address. */
const EUI64_MIDDLE = 0xfffe;
/** The bit of a hardware address that says it was given by hand; RFC 4291 appendix A turns it over. */
const LOCAL_BIT = 0x0200;

/** Makes the identifiers of one host's interfaces. */
export class InterfaceIds {
  private readonly host: Host;
  private readonly high: SipHash;
  private readonly low: SipHash;

  constructor(host: Host) {
    this.host = host;
    const given = fromHex(host.sysctl.stable_secret);
    const secret = given.length === SECRET_LENGTH ? given : host.randomBytes(SECRET_LENGTH);
    this.high = new SipHash(secret.subarray(0, 8));
    this.low = new SipHash(secret.subarray(8));
  }

  /**
   * An address in `prefix`, always the same for the same interface, prefix and `counter`, which counts the addresses
   * that somebody else had already: RFC 7217 section 5 (addr_gen_mode 3), or RFC 4291 appendix A (0).
   */
  address(prefix: IpAddress, netif: Netif, counter: number): IpAddress {
    const { w0, w1 } = prefix;
    if (this.host.sysctl.addr_gen_mode === 0 && netif.link.mac !== null && counter === 0) {
      const { macHigh, macLow } = netif;
      const w2 = ((macHigh ^ LOCAL_BIT) << 16) | ((macLow >>> 24) << 8) | (EUI64_MIDDLE >>> 8);
      return IpAddress.v6(w0, w1, w2, ((EUI64_MIDDLE & 0xff) << 24) | (macLow & 0xffffff), prefix.zone);
    }
    for (let attempt = 0; ; attempt++) {
      const w2 = this.hash(this.high, prefix, netif, counter, attempt);
      const w3 = this.hash(this.low, prefix, netif, counter, attempt);
      if (!isReserved(w2, w3)) return IpAddress.v6(w0, w1, w2, w3, prefix.zone);
    }
  }

  /** A random address in `prefix` (RFC 8981 section 3.3.1). */
  temporary(prefix: IpAddress): IpAddress {
    for (;;) {
      const w2 = this.host.random32();
      const w3 = this.host.random32();
      if (!isReserved(w2, w3)) return IpAddress.v6(prefix.w0, prefix.w1, w2, w3, prefix.zone);
    }
  }

  private hash(hash: SipHash, prefix: IpAddress, netif: Netif, counter: number, attempt: number): number {
    hash.begin().add(prefix.w0).add(prefix.w1).add(netif.macHigh).add(netif.macLow);
    for (let i = 0; i < netif.name.length; i++) hash.add(netif.name.charCodeAt(i));
    return hash.add(counter).add(attempt).end();
  }
}

/** RFC 5453: the anycast address of routers, and those of the block for other anycast addresses. */
function isReserved(w2: number, w3: number): boolean {
  if (w2 === 0 && w3 === 0) return true;
  return w2 === (0xfdffffff | 0) && w3 >= (0xffffff80 | 0) && w3 < 0;
}
