import { segmentCount } from '../core/gso.ts';
import type { Mib } from '../core/mib.ts';
import type { Packet } from '../core/packet.ts';
import { CE, ECT_0, ECT_1, ecnField } from '../wire/ecn.ts';

/** The counters of received packets by their ECN field, in either family. */
export type EcnCounters = Pick<Mib['IpExt'], 'InNoECTPkts' | 'InECT1Pkts' | 'InECT0Pkts' | 'InCEPkts'>;

/** Counts a received packet by the ECN field of its IP header (at l3); a super-segment for what it is made of. */
export function countEcn(counters: EcnCounters, packet: Packet): void {
  const segments = segmentCount(packet);
  const ecn = ecnField(packet.view, packet.l3);
  if (ecn === ECT_0) counters.InECT0Pkts += segments;
  else if (ecn === CE) counters.InCEPkts += segments;
  else if (ecn === ECT_1) counters.InECT1Pkts += segments;
  else counters.InNoECTPkts += segments;
}
