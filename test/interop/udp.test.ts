/**
 * UDP datagrams of all sizes between our host and programs of the kernel's, each sent back by the other side.
 */
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { enterNetns } from '../node/linux/kernel.ts';
import { FAMILIES, IPV4 } from './support/family.ts';
import { Host } from './support/host.ts';
import { bytesOf } from './support/pattern.ts';
import { skipUnless } from './support/skip.ts';

const skip = skipUnless();
const PORT = 7;

for (const [family, vnetHdr] of FAMILIES.flatMap(each => [[each, true] as const, [each, false] as const])) {
  const { kernel: KERNEL, ours, any, header } = family;
  /** Nothing, one byte, the last that fits a frame and the first that does not, three and 45 fragments. */
  const SIZES = [0, 1, 1492 - header, 1493 - header, 4000, 9000, 65527 - (header === 20 ? 20 : 0)];
  const how = vnetHdr ? 'with the virtio-net header' : 'without the virtio-net header';
  describe(`UDP echo over ${family.name} ${how}`, { skip, timeout: 60_000 }, () => {
    let host: Host;
    let kernel: Socket;

    before(async () => {
      enterNetns();
      host = new Host({ family, vnetHdr });
      kernel = createSocket(family.datagram).bind(PORT, KERNEL);
      await once(kernel, 'listening');
    });
    after(() => {
      kernel?.close();
      host?.close();
    });

    for (const size of SIZES) {
      it(`${size} bytes from the kernel and back`, async () => {
        const server = host.stack.udp({ hostname: any, port: PORT });
        kernel.send(bytesOf(0, size), PORT, ours);
        const { data, hostname, port } = await server.receive();
        assert.deepEqual(Buffer.from(data), bytesOf(0, size));
        const echo = once(kernel, 'message') as Promise<[Buffer]>;
        await server.send(data, { hostname, port });
        assert.deepEqual((await echo)[0], bytesOf(0, size));
        server.close();
      });

      it(`${size} bytes from us and back`, async () => {
        const client = host.stack.udp({ hostname: any });
        const question = once(kernel, 'message') as Promise<[Buffer, { port: number; address: string }]>;
        await client.send(bytesOf(100, 100 + size), { hostname: KERNEL, port: PORT });
        const [data, { port, address }] = await question;
        assert.deepEqual(data, bytesOf(100, 100 + size));
        kernel.send(data, port, address);
        assert.deepEqual(Buffer.from((await client.receive()).data), bytesOf(100, 100 + size));
        client.close();
      });
    }

    it('leaves no packet behind', async () => {
      await host.idle();
      const { Udp, Udp6, Ip, Ip6 } = host.stack.mib;
      assert.equal(Udp.InErrors + Udp6.InErrors + Ip.ReasmFails + Ip6.ReasmFails, 0);
      assert.equal((family === IPV4 ? Udp : Udp6).InDatagrams, 2 * SIZES.length);
      assert.equal((family === IPV4 ? Udp6 : Udp).InDatagrams, 0);
    });
  });
}
