import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  CHECKSUM_NONE,
  CHECKSUM_PARTIAL,
  CHECKSUM_VERIFIED,
  HEADROOM,
  type Packet,
} from '../../../src/core/packet.ts';
import { completeChecksum } from '../../../src/core/partial-checksum.ts';
import { PacketPool } from '../../../src/core/pool.ts';
import { cutUdp } from '../../../src/node/linux/uso.ts';
import {
  applyVnetHeader,
  emitVnetHeader,
  VNET_CUT_UDP,
  VNET_DONE,
  VNET_HEADER_LENGTH,
} from '../../../src/node/linux/vnet-header.ts';
import { IpAddress } from '../../../src/wire/address.ts';
import { foldChecksum } from '../../../src/wire/checksum.ts';
import { emitEthernet } from '../../../src/wire/ethernet.ts';
import { emitIpv4, ipv4ChecksumOk, ipv4Id, ipv4TotalLength } from '../../../src/wire/ipv4.ts';
import { pseudoHeaderSum } from '../../../src/wire/pseudo-header.ts';
import { ACK, CWR, emitTcp, setTcpChecksum, TCP_CHECKSUM } from '../../../src/wire/tcp.ts';
import { emitUdp, UDP_CHECKSUM, udpLength } from '../../../src/wire/udp.ts';

const KERNEL = IpAddress.v4(0x0a410001);
const OURS = IpAddress.v4(0x0a410002);
const KERNEL_V6 = IpAddress.parse('fd65::1') as IpAddress;
const OURS_V6 = IpAddress.parse('fd65::2') as IpAddress;
const TCP = 6;
const UDP = 17;

/** The header's fields, as virtio names them. */
function fieldsAt(view: DataView, at: number) {
  return {
    flags: view.getUint8(at),
    gsoType: view.getUint8(at + 1),
    hdrLen: view.getUint16(at + 2, true),
    gsoSize: view.getUint16(at + 4, true),
    csumStart: view.getUint16(at + 6, true),
    csumOffset: view.getUint16(at + 8, true),
  };
}

/** An IPv4 header and `length` bytes behind it, whose first are still to be written. */
function ipv4Packet(pool: PacketPool, protocol: number, length: number, ethernet: number): Packet {
  const packet = pool.take(20 + length) as Packet;
  packet.start = HEADROOM - ethernet;
  packet.l3 = HEADROOM;
  packet.l4 = HEADROOM + 20;
  packet.end = packet.l4 + length;
  if (ethernet >= 14) emitEthernet(packet.view, packet.start, 0x0200, 2, 0x0200, 1, 0x0800);
  emitIpv4(packet.view, packet.l3, 0, 20 + length, 7, true, 64, protocol, KERNEL.w3, OURS.w3);
  for (let at = packet.l4; at < packet.end; at++) packet.bytes[at] = at % 251;
  return packet;
}

function tcpPacket(pool: PacketPool, payload: number, flags: number): Packet {
  const packet = ipv4Packet(pool, TCP, 20 + payload, 14);
  emitTcp(packet.view, packet.l4, 1, 2, 3, 4, 20, flags, 5);
  setTcpChecksum(packet.view, packet.l4, foldChecksum(pseudoHeaderSum(KERNEL, OURS, TCP, 20 + payload)));
  packet.checksumState = CHECKSUM_PARTIAL;
  packet.checksumOffset = TCP_CHECKSUM;
  return packet;
}

/** The whole transport checksum, pseudo-header and all, of a packet that is right. */
function transportSum(packet: Packet, source: IpAddress, destination: IpAddress, protocol: number): number {
  const length = packet.end - packet.l4;
  return packet.sum(packet.l4, packet.end, pseudoHeaderSum(source, destination, protocol, length));
}

/** As after reading: only start and end are known. */
function received(packet: Packet): Packet {
  packet.l3 = packet.l4 = packet.checksumOffset = packet.gsoSize = 0;
  packet.checksumState = CHECKSUM_NONE;
  return packet;
}

describe('the virtio-net header', () => {
  it('is empty for a packet that needs nothing', () => {
    const packet = ipv4Packet(new PacketPool(), UDP, 100, 14);
    const at = packet.start - VNET_HEADER_LENGTH;
    packet.bytes.fill(0xff, 0, packet.start);
    emitVnetHeader(packet, packet.view, at);
    assert.ok(packet.bytes.subarray(at, packet.start).every(byte => byte === 0));
    assert.ok(packet.bytes.subarray(0, at).every(byte => byte === 0xff));
    assert.equal(applyVnetHeader(received(packet), at, 'ethernet'), VNET_DONE);
    assert.equal(packet.checksumState, CHECKSUM_NONE);
    assert.equal(packet.gsoSize, 0);
  });

  it('says where the open checksum is', () => {
    const packet = tcpPacket(new PacketPool(), 100, ACK);
    const at = packet.start - VNET_HEADER_LENGTH;
    emitVnetHeader(packet, packet.view, at);
    assert.deepEqual(fieldsAt(packet.view, at), {
      flags: 1,
      gsoType: 0,
      hdrLen: 0,
      gsoSize: 0,
      csumStart: 34,
      csumOffset: 16,
    });
    applyVnetHeader(received(packet), at, 'ethernet');
    assert.equal(packet.checksumState, CHECKSUM_PARTIAL);
    assert.equal(packet.l4, HEADROOM + 20);
    assert.equal(packet.checksumOffset, TCP_CHECKSUM);
  });

  it('describes super-segments, and which of them has the congestion bit', () => {
    const pool = new PacketPool();
    for (const [flags, gsoType] of [
      [ACK, 1],
      [ACK | CWR, 0x81],
    ] as const) {
      const packet = tcpPacket(pool, 30_000, flags);
      packet.gsoSize = 1460;
      const at = packet.start - VNET_HEADER_LENGTH;
      emitVnetHeader(packet, packet.view, at);
      const fields = fieldsAt(packet.view, at);
      assert.deepEqual(fields, {
        flags: 1,
        gsoType,
        hdrLen: 54,
        gsoSize: 1460,
        csumStart: 34,
        csumOffset: 16,
      });
      assert.equal(applyVnetHeader(received(packet), at, 'ethernet'), VNET_DONE);
      assert.equal(packet.gsoSize, 1460);
    }
  });

  it('vouches for a checksum', () => {
    const packet = ipv4Packet(new PacketPool(), UDP, 100, 0);
    const at = packet.start - VNET_HEADER_LENGTH;
    packet.bytes.fill(0, at, packet.start);
    packet.bytes[at] = 2;
    applyVnetHeader(received(packet), at, 'ip');
    assert.equal(packet.checksumState, CHECKSUM_VERIFIED);
  });

  it('has the open checksum of a packet inside a packet closed at once', () => {
    const packet = ipv4Packet(new PacketPool(), 4, 20 + 8 + 100, 0);
    const inner = packet.l4;
    emitIpv4(packet.view, inner, 0, 128, 1, true, 64, UDP, KERNEL.w3, OURS.w3);
    const udp = inner + 20;
    emitUdp(packet.view, udp, 1, 2, 108, foldChecksum(pseudoHeaderSum(KERNEL, OURS, UDP, 108)));
    const at = packet.start - VNET_HEADER_LENGTH;
    packet.bytes.fill(0, at, packet.start);
    packet.bytes[at] = 1;
    packet.view.setUint16(at + 6, udp - packet.start, true);
    packet.view.setUint16(at + 8, UDP_CHECKSUM, true);
    applyVnetHeader(received(packet), at, 'ip');
    assert.equal(packet.checksumState, CHECKSUM_NONE);
    assert.equal(packet.sum(udp, packet.end, pseudoHeaderSum(KERNEL, OURS, UDP, 108)), 0xffff);
  });

  it('that points past the end is not believed', () => {
    const packet = ipv4Packet(new PacketPool(), UDP, 20, 0);
    const at = packet.start - VNET_HEADER_LENGTH;
    packet.bytes.fill(0, at, packet.start);
    packet.bytes[at] = 1;
    packet.view.setUint16(at + 6, 39, true);
    applyVnetHeader(received(packet), at, 'ip');
    assert.equal(packet.checksumState, CHECKSUM_NONE);
  });
});

/** Writes the header of a frame of many datagrams and applies it. */
function applyUso(packet: Packet, size: number): void {
  const { l3, l4 } = packet;
  const at = packet.start - VNET_HEADER_LENGTH;
  packet.checksumState = CHECKSUM_PARTIAL;
  packet.checksumOffset = UDP_CHECKSUM;
  packet.gsoSize = size;
  emitVnetHeader(packet, packet.view, at);
  assert.equal(packet.view.getUint8(at + 1), 5);
  assert.equal(applyVnetHeader(received(packet), at, packet.start < l3 ? 'ethernet' : 'ip'), VNET_CUT_UDP);
  assert.equal(packet.l3, l3);
  assert.equal(packet.l4, l4);
}

describe('a frame of several datagrams', () => {
  it('is cut over IPv4: lengths, ids, checksums', () => {
    const pool = new PacketPool();
    const packet = ipv4Packet(pool, UDP, 8 + 2500, 14);
    emitUdp(packet.view, packet.l4, 53, 54, 8 + 2500, 0);
    applyUso(packet, 1000);
    const parts: Packet[] = [];
    const whole = packet.bytes.slice(packet.l4 + 8, packet.end);
    assert.equal(
      cutUdp(packet, part => parts.push(part)),
      0,
    );
    assert.equal(pool.inUse, 3);
    assert.deepEqual(
      parts.map(part => part.length),
      [14 + 28 + 1000, 14 + 28 + 1000, 14 + 28 + 500],
    );
    for (const [index, part] of parts.entries()) {
      const { view, l3, l4 } = part;
      assert.equal(ipv4TotalLength(view, l3), part.end - l3);
      assert.equal(udpLength(view, l4), part.end - l4);
      assert.equal(ipv4Id(view, l3), 7 + index);
      assert.ok(ipv4ChecksumOk(view, l3));
      assert.deepEqual(part.bytes.slice(l4 + 8, part.end), whole.subarray(index * 1000, index * 1000 + 1000));
      completeChecksum(part);
      assert.equal(transportSum(part, KERNEL, OURS, UDP), 0xffff);
      part.release();
    }
  });

  it('is cut over IPv6', () => {
    const pool = new PacketPool();
    const packet = pool.take(40 + 8 + 1500) as Packet;
    packet.l3 = packet.start;
    packet.l4 = packet.l3 + 40;
    packet.end = packet.l4 + 8 + 1500;
    packet.view.setUint32(packet.l3, 0x60000000);
    packet.view.setUint32(packet.l3 + 4, (1508 << 16) | (UDP << 8) | 64);
    KERNEL_V6.write(packet.view, packet.l3 + 8);
    OURS_V6.write(packet.view, packet.l3 + 24);
    emitUdp(packet.view, packet.l4, 53, 54, 1508, 0);
    applyUso(packet, 1000);
    const lengths: number[] = [];
    cutUdp(packet, part => {
      assert.equal(part.view.getUint16(part.l3 + 4), part.end - part.l4);
      completeChecksum(part);
      assert.equal(transportSum(part, KERNEL_V6, OURS_V6, UDP), 0xffff);
      lengths.push(part.end - part.l4 - 8);
      part.release();
    });
    assert.deepEqual(lengths, [1000, 500]);
    assert.equal(pool.inUse, 0);
  });

  it('loses what the pool has no room for, and no more', () => {
    const pool = new PacketPool({ smallSlots: 2, largeSlots: 1, overflowPackets: 0 });
    const packet = ipv4Packet(pool, UDP, 8 + 5000, 0);
    emitUdp(packet.view, packet.l4, 53, 54, 8 + 5000, 0);
    applyUso(packet, 1000);
    const parts: Packet[] = [];
    assert.equal(
      cutUdp(packet, part => parts.push(part)),
      3,
    );
    assert.equal(parts.length, 2);
    for (const part of parts) part.release();
    assert.equal(pool.inUse, 0);
  });
});
