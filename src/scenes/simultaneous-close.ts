import type { Stack } from '../stack/stack.ts';
import { duration, Notes, outside, states } from './observe.ts';
import { bytesOf, connect, introduce, listen, must, sleep } from './programs.ts';
import type { Scene } from './scene.ts';

/** Both ends close at the same moment. */
export const simultaneousClose: Scene = {
  name: 'simultaneous-close',
  summary: 'both ends call close() at once: both pass CLOSING, both wait 2 MSL',
  look:
    'Both programs close at the same moment, so that the FINs cross on the wire. Each host waits for the ACK ' +
    "of its FIN and gets the other's FIN first: FIN_WAIT_1 to CLOSING instead of FIN_WAIT_2. When the ACKs " +
    'come, both go to TIME_WAIT: nobody was first, so both must wait 2 MSL (RFC 9293 section 3.6, figure 13).',
  hosts: ['anna', 'ben'],

  build(world, network) {
    const anna = world.host('anna');
    const ben = world.host('ben');
    world.connect(anna, ben, { delayUs: 10_000 });
    introduce(anna, ben);

    const finish = async ({ sys }: Stack, fd: number, words: string) => {
      await sys.wait.send(fd, bytesOf(words));
      await sys.wait.recv(fd, new Uint8Array(100));
      const noon = world.nowUs - (world.nowUs % 1_000_000) + 1_000_000; // the next full second
      await sleep(sys, (noon - world.nowUs) / 1000);
      sys.close(fd);
    };
    const serve = async () => {
      const listener = listen(ben.sys, network.any);
      await finish(ben, must(await ben.sys.wait.accept(listener)), 'bye anna');
    };
    const call = async () => finish(anna, must(await connect(anna.sys, network.server)), 'bye ben');
    return () => Promise.all([serve(), call()]);
  },

  tell(events) {
    const notes = new Notes();
    const hosts = ['anna', 'ben'];
    for (const host of hosts) {
      notes.put(states(events, host, 'FIN_WAIT_1')[0], 'Closes, at the same moment as the other.');
      notes.put(states(events, host, 'CLOSING')[0], "The other's FIN comes before the ACK of ours.");
      notes.put(states(events, host, 'TIME_WAIT')[0], 'Now the ACK has come as well.');
    }
    const path = (host: string): string => {
      const all = states(events, host).filter(
        ({ local, remote }) => !remote.endsWith(':0') && local !== remote,
      );
      return all
        .slice(all.findIndex(({ to }) => to === 'FIN_WAIT_1'))
        .map(({ to }) => to)
        .join(', ');
    };
    const [begin] = states(events, 'anna', 'TIME_WAIT');
    const [end] = states(events, 'anna', 'CLOSED');
    return {
      notes,
      folds: outside(events, states(events, 'anna', 'FIN_WAIT_1')[0]),
      seen:
        `Anna went ${path('anna')}; Ben went ${path('ben')}. Each was in TIME_WAIT, anna for ` +
        `${duration((end?.atUs ?? 0) - (begin?.atUs ?? 0))}.`,
    };
  },
};
