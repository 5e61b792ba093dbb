import { nodeEnv } from '/tmp/w/v6cmd/build/src/node/env.js';
import { addAddress, setUp } from '/tmp/w/v6cmd/build/src/node/linux/netdev.js';
import { openTap } from '/tmp/w/v6cmd/build/src/node/linux/tap.js';
import { Stack } from '/tmp/w/v6cmd/build/src/stack/stack.js';
import { traceTo } from '/tmp/w/v6cmd/build/src/trace/sink.js';
import { liveLines } from '/tmp/w/v6cmd/build/src/view/live.js';
import { shell, start } from '/tmp/w/v6cmd/build/test/interop/support/programs.js';
import { enterNetns } from '/tmp/w/v6cmd/build/test/node/linux/kernel.js';

enterNetns();
const env = nodeEnv();
const tap = openTap({ name: 'et0', env });
setUp('et0');
const stack = new Stack({ env, sysctl: { router_solicitation_delay: 0 } });
const l = liveLines();
stack.trace = traceTo(e => {
  for (const x of l(e)) console.log(x);
}, 0xffff & ~0);
stack.attach(tap, { address6: 'fd65::2/64' });
addAddress('et0', 'fd65::1/64');
await new Promise(r => setTimeout(r, 2500));
await shell('ip addr add fd65::2/64 dev et0');
await new Promise(r => setTimeout(r, 1500));
console.log(await shell('ip -6 addr show dev et0; ip -6 route show table all; ip -6 neigh'));
console.log('--- ping');
const p = start('ping', ['-n', '-c', '2', '-w', '3', 'fd65::2']);
await p.ended;
console.log(p.stdout);
stack.close();
