/**
 * Multicast between our host and the kernel, both ways and over both families; the kernel says, in /proc/net, which of
 * its groups it has, and we see its reports.
 */
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import * as C from '../../src/socket/constants.ts';
import type { OptionValue } from '../../src/socket/options.ts';
import { enterNetns } from '../node/linux/kernel.ts';
import { FAMILIES, IPV4 } from './support/family.ts';
import { Host } from './support/host.ts';
import { skipUnless } from './support/skip.ts';

const skip = skipUnless();
const PORT = 5000;

for (const family of FAMILIES) {
  const isV4 = family === IPV4;
  const group = isV4 ? '239.65.0.1' : 'ff15::65';
  const [level, join]: readonly [number, number] = isV4
    ? [C.SOL_IP, C.IP_ADD_MEMBERSHIP]
    : [C.SOL_IPV6, C.IPV6_JOIN_GROUP];
  const membership: OptionValue = isV4
    ? { imr_multiaddr: group }
    : { ipv6mr_multiaddr: group, ipv6mr_interface: 0 };

  describe(`multicast with the kernel over ${family.name}`, { skip, timeout: 30_000 }, () => {
    let host: Host;
    let kernel: Socket;

    before(async () => {
      enterNetns();
      host = new Host({ family });
      kernel = createSocket(family.datagram).bind(PORT, family.any);
      await once(kernel, 'listening');
      kernel.setMulticastInterface(isV4 ? family.kernel : '::%et0');
    });
    after(() => {
      kernel?.close();
      host?.close();
    });

    it('what we send to a group reaches a member in the kernel', async () => {
      const interfaceOf = isV4 ? family.kernel : '::%et0';
      kernel.addMembership(group, interfaceOf);
      const { sys } = host.stack;
      const fd = sys.socket(family.domain, C.SOCK_DGRAM);
      const heard = once(kernel, 'message') as Promise<[Buffer]>;
      sys.sendto(fd, new TextEncoder().encode('from us'), 0, { address: group, port: PORT });
      assert.equal(String((await heard)[0]), 'from us');
      kernel.dropMembership(group, interfaceOf);
      sys.close(fd);
    });

    it('what the kernel sends to a group reaches a member of ours', async () => {
      const { sys } = host.stack;
      const fd = sys.socket(family.domain, C.SOCK_DGRAM);
      assert.equal(sys.bind(fd, { address: family.any, port: PORT }), 0);
      assert.equal(sys.setsockopt(fd, level, join, membership), 0);
      kernel.send('from the kernel', PORT, group);
      const buffer = new Uint8Array(100);
      const length = await sys.wait.recv(fd, buffer);
      assert.equal(new TextDecoder().decode(buffer.subarray(0, length)), 'from the kernel');
      sys.close(fd);
    });
  });
}
