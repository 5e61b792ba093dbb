import assert from 'node:assert/strict';
import { test } from 'node:test';
import { turn } from '../../src/node/turn.ts';
import { World } from '../../src/sim/world.ts';
import { AF_INET, AF_INET6, SOCK_STREAM } from '../../src/socket/constants.ts';
import type { TraceEvent } from '../../src/trace/events.ts';
import { TraceLog } from '../../src/trace/sink.ts';
import { dumpPackets, formatLadder } from '../../src/view/ladder.ts';

/** What a connection that is refused looks like, with the neighbours, in either family. */
async function ladder(domain: number, address: string): Promise<string> {
  const log = new TraceLog();
  const world = new World({
    seed: 1,
    turn,
    trace: log,
    sysctl: { dad_transmits: 0, router_solicitations: 0 },
  });
  const [a, b] = [world.host('a'), world.host('b')];
  world.connect(a, b, { delayUs: 100, addresses6: ['fd00::1/64', 'fd00::2/64'] });
  await world.runFor(3_000_000);
  const startUs = world.nowUs;
  const fd = a.sys.socket(domain, SOCK_STREAM, 0);
  await world.run(a.sys.wait.connect(fd, { address, port: 7 }));
  world.close();
  const { events } = log;
  const shown = events.filter(event => event.atUs >= startUs && event.type !== 'tcp:timer');
  const isLeft = (event: TraceEvent): boolean => event.host === 'a';
  return formatLadder(shown, { startUs, dumped: dumpPackets(events), isLeft, ports: true }, ['a', 'b']).join(
    '\n',
  );
}

for (const [name, domain, address, asks, port] of [
  ['IPv4', AF_INET, '10.0.0.2', 'ARP', /10\.0\.0\.2:7/],
  ['IPv6', AF_INET6, 'fd00::2', 'NDP', /\[fd00::2\]:7/],
] as const) {
  test(`addresses of ${name} leave the arrows, and stand short in calls`, async () => {
    const text = await ladder(domain, address);
    assert.match(text, new RegExp(`waiting for ${asks}: 1 of at most`));
    assert.match(text, /-- :\d+ Flags \[S\], seq \d+, length 0 -+->/);
    assert.match(text, /<-+ :\d+ Flags \[R\.\], seq 0, ack \d+, win 0, length 0 -+/);
    assert.match(text, new RegExp(`connect\\(3, ${port.source}\\)`));
    assert.doesNotMatch(text, /IP6? |sa_family/);
    for (const line of text.split('\n')) assert.ok(line.length <= 100, line);
  });
}
