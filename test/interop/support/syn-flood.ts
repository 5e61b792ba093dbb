import { Rng } from '../../../src/base/rng.ts';
import { PacketPool } from '../../../src/core/pool.ts';
import { nodeEnv } from '../../../src/node/env.ts';
import { openPacketSocket } from '../../../src/node/linux/packet-socket.ts';
import { IpAddress } from '../../../src/wire/address.ts';
import { finishChecksum } from '../../../src/wire/checksum.ts';
import { emitEthernet, macHigh, macLow } from '../../../src/wire/ethernet.ts';
import { emitIpv6, IPV6_HEADER_LENGTH } from '../../../src/wire/ipv6.ts';
import { pseudoHeaderSum } from '../../../src/wire/pseudo-header.ts';
import { emitTcp, SYN, setTcpChecksum } from '../../../src/wire/tcp.ts';
import { type Program, start } from './programs.ts';

const ETHERTYPE_IPV6 = 0x86dd;
const IPPROTO_TCP = 6;
const TCP_HEADER_LENGTH = 20;
/** So many SYNs each millisecond. */
const AT_ONCE = 10;

/** Somebody who sends SYNs from addresses that are nobody's. */
export interface SynFlood {
  stop(): Promise<void>;
}

/** hping3 floods a port over IPv4 from where it is started. */
export function synFlood4(address: string, port: number): SynFlood {
  const hping: Program = start('hping3', [
    '-q',
    '-S',
    '-p',
    `${port}`,
    '--rand-source',
    '-i',
    'u100',
    address,
  ]);
  return { stop: () => hping.stop('SIGINT') };
}

/** hping3 has no IPv6: the same, by frames that this process puts on a device of the kernel's. */
export function synFlood6(device: string, mac: Uint8Array, address: string, port: number): SynFlood {
  const destination = IpAddress.parse(address);
  if (destination === null) throw new Error(`${address} is no address`);
  const link = openPacketSocket({ device, env: nodeEnv() });
  link.attach({ receive: packet => packet.release(), writable() {}, carrier() {} });
  const pool = new PacketPool();
  const rng = new Rng(1);
  const word = (): number => rng.u32();
  const sendOne = (): void => {
    const packet = pool.take(TCP_HEADER_LENGTH);
    if (packet === null) return;
    const { view, start: l4 } = packet;
    packet.end = l4 + TCP_HEADER_LENGTH;
    const source = IpAddress.v6(0x20010db8, word(), word(), word());
    emitTcp(view, l4, 1024 + (word() & 0x7fff), port, word(), 0, TCP_HEADER_LENGTH, SYN, 512);
    const sum = pseudoHeaderSum(source, destination, IPPROTO_TCP, TCP_HEADER_LENGTH);
    setTcpChecksum(view, l4, finishChecksum(packet.sum(l4, packet.end, sum)));
    packet.start = l4 - IPV6_HEADER_LENGTH - 14;
    emitIpv6(view, l4 - IPV6_HEADER_LENGTH, 0, 0, TCP_HEADER_LENGTH, IPPROTO_TCP, 64, source, destination);
    emitEthernet(view, packet.start, macHigh(mac), macLow(mac), 0x0200, 0x99, ETHERTYPE_IPV6);
    link.send(packet);
  };
  const timer = setInterval(() => {
    for (let i = 0; i < AT_ONCE; i++) sendOne();
  }, 1);
  return {
    async stop() {
      clearInterval(timer);
      link.close();
    },
  };
}
