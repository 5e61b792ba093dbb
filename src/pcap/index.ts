/**
 * Capture files: `import { pcapSink, readPcap } from 'ethertype/pcap'`.
 * @module
 */
export {
  LINKTYPE_ETHERNET,
  LINKTYPE_RAW,
  MAX_SNAPLEN,
  type PcapFile,
  type PcapOptions,
  type PcapPacket,
  PcapWriter,
  pcapHeader,
  pcapRecord,
  readPcap,
} from './pcap.ts';
export { type PcapSinkOptions, pcapSink } from './sink.ts';
