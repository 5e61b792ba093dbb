import type { Sysctl } from '../../../src/core/sysctl.ts';
import { turn } from '../../../src/node/turn.ts';
import { World } from '../../../src/sim/world.ts';
import { AF_INET, SOCK_STREAM } from '../../../src/socket/constants.ts';
import type { Stack } from '../../../src/stack/stack.ts';
import { type Course, ecnOf, type Journey, sendAlong, waysOf } from './journey.ts';
import type { Clock } from './program.ts';
import { ScriptedLoss } from './scripted-loss.ts';
import { connectOurs } from './sender.ts';

const PORT = 7002;
const RECEIVER = '10.0.0.2';

/** The same journey between two stacks of ours on a virtual clock: the same each time, and without a kernel. */
export async function travelVirtually(sysctl: Partial<Sysctl>, journey: Journey): Promise<Course> {
  const { seed = 1, positions = [] } = journey;
  const world = new World({ seed, turn, sysctl: { tcp_ecn: ecnOf(journey), ...sysctl } });
  const clock = clockOf(world);
  const script = new ScriptedLoss(positions, clock.nowMs);
  const ways = waysOf(journey, script);
  const [a, b] = [world.host('a'), world.host('b')];
  const cable = world.connect(a, b, { there: ways.data, back: ways.acks });
  const send = async (): Promise<Course> => {
    void receive(b);
    const sender = await connectOurs(a, RECEIVER, PORT);
    return sendAlong(sender, journey, script, ways, there => cable.configure({ there }), clock);
  };
  try {
    return await world.run(send());
  } finally {
    world.close();
  }
}

function clockOf(world: World): Clock {
  const env = world.clock.env(1);
  return {
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
}

async function receive({ sys }: Stack): Promise<void> {
  const listener = sys.socket(AF_INET, SOCK_STREAM, 0);
  sys.bind(listener, { address: '0.0.0.0', port: PORT });
  sys.listen(listener, 1);
  const fd = await sys.wait.accept(listener);
  const buffer = new Uint8Array(65536);
  while ((await sys.wait.recv(fd, buffer)) > 0);
}
