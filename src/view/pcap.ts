import { fromHex } from '../base/hex.ts';
import { LINKTYPE_ETHERNET, type PcapOptions, PcapWriter } from '../pcap/pcap.ts';
import { TRACE_PACKET } from '../trace/events.ts';
import type { TraceSink } from '../trace/sink.ts';

const ETHERNET_HEADER = 14;

/** Which packets go into the file. */
export interface PcapSinkOptions extends PcapOptions {
  /** Only what this host saw; all hosts when not given. */
  host?: string;
  /** Only this interface, 'eth0'; all interfaces when not given. */
  netif?: string;
}

/**
 * A trace sink that writes the packets it sees as a capture file. An Ethernet file takes bare IP packets too, behind
 * a MAC header of zeros as Linux's loopback has it; a file of LINKTYPE_RAW takes bare IP packets only.
 * @example host.trace = pcapSink(chunk => file.write(chunk), { host: 'client', netif: 'eth0' })
 */
export function pcapSink(write: (chunk: Uint8Array) => void, options: PcapSinkOptions = {}): TraceSink {
  const writer = new PcapWriter(write, options);
  const ethernet = (options.linkType ?? LINKTYPE_ETHERNET) === LINKTYPE_ETHERNET;
  return {
    wants: TRACE_PACKET,
    emit(event) {
      if (event.type !== 'packet') return;
      if (options.host !== undefined && event.host !== options.host) return;
      if (options.netif !== undefined && event.netif !== options.netif) return;
      const bytes = fromHex(event.data);
      if (event.medium === 'ethernet') {
        if (ethernet) writer.packet(event.atUs, bytes, event.length);
      } else if (ethernet) {
        writer.packet(event.atUs, withLoopbackHeader(bytes), event.length + ETHERNET_HEADER);
      } else {
        writer.packet(event.atUs, bytes, event.length);
      }
    },
  };
}

function withLoopbackHeader(packet: Uint8Array): Uint8Array {
  const frame = new Uint8Array(ETHERNET_HEADER + packet.length);
  const etherType = (packet[0] ?? 0) >>> 4 === 6 ? 0x86dd : 0x0800;
  frame[12] = etherType >>> 8;
  frame[13] = etherType & 0xff;
  frame.set(packet, ETHERNET_HEADER);
  return frame;
}
