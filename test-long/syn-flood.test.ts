import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rng } from '../src/base/rng.ts';
import { SYN } from '../src/wire/tcp.ts';
import { anywhere, Lab, MS, routeOutside } from '../test/attacks/lab.ts';

const SYNS = 1_000_000;

test('a SYN flood of a million: real clients connect, memory is bounded, the rate is printed', t => {
  const lab = new Lab();
  routeOutside(lab);
  lab.quiet = true;
  const rng = new Rng(Date.now() >>> 0);
  const listener = lab.listen(128);
  let flows = 0;
  let packets = 0;
  let heap = 0;
  let floodMs = 0;
  for (let sent = 0; sent < SYNS; ) {
    const beganMs = performance.now();
    for (const end = sent + SYNS / 10; sent < end; sent++) {
      lab.forge({ ...anywhere(rng), seq: rng.u32(), flags: SYN, mss: 1460 });
      if (sent % 100 === 0) lab.pass(MS);
    }
    floodMs += performance.now() - beganMs;
    assert.ok(lab.canConnect(listener), `a real client connects after ${sent} SYNs`);
    flows = Math.max(flows, lab.server.tcp.flows.size);
    packets = Math.max(packets, lab.world.pool.inUse);
    if (heap === 0) heap = process.memoryUsage().heapUsed;
  }
  const { SyncookiesSent } = lab.server.mib.TcpExt;
  const rate = Math.round(SYNS / (floodMs / 1000));
  t.diagnostic(`${rate} SYNs a second forged, carried and answered; ${SyncookiesSent} by a cookie`);
  assert.ok(flows <= 140, `${flows} half-open connections at most`);
  assert.ok(packets <= 200, `${packets} packets at most`);
  assert.ok(process.memoryUsage().heapUsed - heap < 64 * 2 ** 20, 'the heap does not grow with the flood');
  lab.end();
});
