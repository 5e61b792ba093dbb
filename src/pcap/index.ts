/**
 * Capture files: `import { PcapWriter, readPcap } from 'ethertype/pcap'`.
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
