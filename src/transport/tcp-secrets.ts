/**
 * What a remote party must not be able to guess: initial sequence numbers, ephemeral ports, timestamp offsets.
 * @module
 */
import type { Seq } from '../base/seq.ts';
import type { SipHash } from '../base/siphash.ts';
import type { Host } from '../core/host.ts';
import type { FiveTuple } from '../core/network.ts';
import type { IpAddress } from '../wire/address.ts';

/** The clock of RFC 9293 section 3.4.1 ticks every 4 microseconds. */
const ISN_TICK_US = 4;
const U32 = 0x100000000;

/** The keyed hashes of one stack. */
export class TcpSecrets {
  private readonly isnHash: SipHash;
  private readonly portHash: SipHash;
  private readonly timestampHash: SipHash;
  private readonly host: Host;
  /** Moves each search for a port on, so that ports are not reused soon. */
  private portsPicked = 0;

  constructor(host: Host) {
    this.host = host;
    this.isnHash = host.newHash();
    this.portHash = host.newHash();
    this.timestampHash = host.newHash();
  }

  /** RFC 6528: ISN = M + F(five-tuple, secret), with M the clock. */
  initialSeq(flow: FiveTuple): Seq {
    const clock = Math.floor(this.host.nowUs / ISN_TICK_US) % U32;
    this.isnHash.begin();
    addAddress(this.isnHash, flow.localAddress);
    addAddress(this.isnHash, flow.remoteAddress);
    return (clock + this.isnHash.add((flow.localPort << 16) | flow.remotePort).end()) | 0;
  }

  /** Where the search for an ephemeral port towards this peer begins (RFC 6056 algorithm 3). */
  portStart(local: IpAddress, remote: IpAddress, remotePort: number): number {
    this.portHash.begin();
    addAddress(this.portHash, local);
    addAddress(this.portHash, remote);
    return (this.portHash.add(remotePort).end() + 2 * this.portsPicked++) | 0;
  }

  /** What is added to the timestamps' clock towards this peer (RFC 7323 section 5.4): one for each pair of hosts. */
  timestampOffset(local: IpAddress, remote: IpAddress): number {
    this.timestampHash.begin();
    addAddress(this.timestampHash, local);
    addAddress(this.timestampHash, remote);
    return this.timestampHash.end();
  }
}

function addAddress(hash: SipHash, address: IpAddress): void {
  if (address.w0 !== 0 || address.w1 !== 0) hash.add(address.w0).add(address.w1);
  hash.add(address.w2).add(address.w3);
}
