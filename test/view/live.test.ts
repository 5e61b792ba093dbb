import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from '../../src/node/index.ts';
import { TraceLog } from '../../src/trace/sink.ts';
import { liveLines } from '../../src/view/live.ts';

test('every event of a host is a line with the time of day', async () => {
  const log = new TraceLog();
  const world = new World({ seed: 1, trace: log });
  const a = world.host('a');
  const b = world.host('b');
  world.connect(a, b);
  const listener = b.listen({ port: 80 });
  const socket = a.connect({ hostname: '10.0.0.2', port: 80 });
  await world.run(Promise.all([socket.opened, listener.accept()]));
  world.close();
  const lines = liveLines({ utcOffsetMinutes: 60 });
  const text = log.events.filter(({ host }) => host === 'b').flatMap(event => lines(event));
  for (const line of text) assert.match(line, /^\d\d:\d\d:\d\d\.\d{6} \S/);
  for (const what of [
    /^01:00:\d\d\.\d{6} listen\(3, 511\) = 0$/m,
    /^01:00:\d\d\.\d{6} ARP, Request who-has 10\.0\.0\.2 tell 10\.0\.0\.1, length 28$/m,
    /^01:00:\d\d\.\d{6} IP 10\.0\.0\.1\.\d+ > 10\.0\.0\.2\.80: Flags \[S\], seq /m,
    /^01:00:\d\d\.\d{6} 10\.0\.0\.2:80 > 10\.0\.0\.1:\d+: LISTEN -> SYN_RCVD \(receive SYN\)$/m,
    /^01:00:\d\d\.\d{6} accept queue of 0\.0\.0\.0:80: 1 of 512$/m,
  ])
    assert.match(text.join('\n'), what);
});
