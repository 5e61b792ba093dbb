import type { Sysctl } from '../../../src/core/sysctl.ts';
import type { Faults } from '../../../src/link/lane.ts';
import { turn } from '../../../src/node/turn.ts';
import { World } from '../../../src/sim/world.ts';
import { AF_INET, SOCK_STREAM } from '../../../src/socket/constants.ts';
import type { Stack } from '../../../src/stack/stack.ts';
import { type Clock, runProgram } from './program.ts';
import { ScriptedLoss } from './scripted-loss.ts';
import { connectOurs } from './sender.ts';
import type { Course, Journey } from './transfer.ts';

const PORT = 7002;
const RECEIVER = '10.0.0.2';

/** The same journey between two stacks of ours on a virtual clock: the same each time, and without a kernel. */
export async function travelVirtually(sysctl: Partial<Sysctl>, journey: Journey): Promise<Course> {
  const { rttMs, rate, queueLimit, markAt, loss, seed = 1, positions = [], phases, stall } = journey;
  const world = new World({ seed, turn, sysctl: { tcp_ecn: markAt === undefined ? 2 : 1, ...sysctl } });
  const env = world.clock.env(1);
  const clock: Clock = {
    nowMs: () => world.nowUs / 1000,
    sleep: ms =>
      new Promise(done => {
        const wake = (): void => {
          done();
          // The clock stands still until whoever waits has gone on.
          env.settled();
        };
        env.task(wake).wakeAt(world.nowUs + Math.max(ms, 0) * 1000);
      }),
  };
  const script = new ScriptedLoss(positions, clock.nowMs);
  const delayUs = (rttMs * 1000) / 2;
  const there: Faults = { delayUs, rate, queueLimit, markAt, loss, drop: script.drop };
  const [a, b] = [world.host('a'), world.host('b')];
  const cable = world.connect(a, b, { there, back: { delayUs, loss } });
  try {
    return await world.run(
      (async () => {
        void receive(b);
        const sender = await connectOurs(a, RECEIVER, PORT);
        const beganMs = clock.nowMs();
        if (stall !== undefined) {
          const slow = { ...there, delayUs: delayUs + stall.ms * 1000 };
          void clock.sleep(stall.from * 1000).then(() => cable.configure({ there: slow }));
          void clock.sleep(stall.to * 1000).then(() => cable.configure({ there }));
        }
        const samples = await runProgram(sender, phases, clock);
        const goodput = (sender.info().bytesAcked * 8e3) / (clock.nowMs() - beganMs);
        sender.abort();
        return { samples, goodput, lostAt: script.lostAtMs.map(atMs => (atMs - beganMs) / 1000) };
      })(),
    );
  } finally {
    world.close();
  }
}

async function receive({ sys }: Stack): Promise<void> {
  const listener = sys.socket(AF_INET, SOCK_STREAM, 0);
  sys.bind(listener, { address: '0.0.0.0', port: PORT });
  sys.listen(listener, 1);
  const fd = await sys.wait.accept(listener);
  const buffer = new Uint8Array(65536);
  while ((await sys.wait.recv(fd, buffer)) > 0);
}
