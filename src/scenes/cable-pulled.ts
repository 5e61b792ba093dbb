import { EAGAIN } from '../base/errno.ts';
import { SO_KEEPALIVE, SO_RCVTIMEO, SOL_SOCKET } from '../socket/constants.ts';
import type { Stack } from '../stack/stack.ts';
import { calls, duration, faults, fired, Notes, outside, states } from './observe.ts';
import { bytesOf, connect, introduce, listen, must, sleep } from './programs.ts';
import type { Scene } from './scene.ts';

/** Keepalive: after 10 s of silence, every 2 s, at most 3 times. */
const KEEPALIVE = { tcp_keepalive_time: 10, tcp_keepalive_intvl: 2, tcp_keepalive_probes: 3 };
/** The heartbeat: the next a second after the last came back; the peer is dead when one takes longer than this. */
const DEAD_AFTER_S = 8;

/** Silence has two reasons: a network that is slow, and a peer that is gone. Who tells them apart? */
export const cablePulled: Scene = {
  name: 'cable-pulled',
  summary: 'a slow network or a dead peer? keepalive and a heartbeat can tell',
  look:
    'Two connections to one server, behind a switch, so that the client does not see when the cable of the ' +
    'server is pulled. One is idle and has only keepalive: probes after 10 s of silence. On the other the ' +
    'program sends a heartbeat every second and wants it back. First the network becomes slow, 1.5 s each ' +
    'way: answers come late, but they come. Then the cable is pulled: nothing comes. Without one of the two ' +
    'an idle connection would never find out.',
  hosts: ['client', 'server'],

  build(world, network) {
    const lan = world.switch('lan');
    const client = world.host('client', { sysctl: KEEPALIVE });
    const server = world.host('server');
    const near = world.connect(client, lan, { delayUs: 5_000 });
    const far = world.connect(server, lan, { delayUs: 5_000 });
    introduce(client, server);

    const echo = async ({ sys }: Stack, listener: number) => {
      const fd = must(await sys.wait.accept(listener));
      const buffer = new Uint8Array(100);
      for (let n = 1; n > 0; n = await sys.wait.send(fd, buffer.subarray(0, n)))
        n = await sys.wait.recv(fd, buffer);
    };
    const idle = async ({ sys }: Stack) => {
      const fd = must(await connect(sys, network.server));
      sys.setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
      await sys.wait.recv(fd, new Uint8Array(100)); // waits for ever, were it not for keepalive
      sys.close(fd);
    };
    const beating = async ({ sys }: Stack) => {
      const fd = must(await connect(sys, network.server));
      sys.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, { tv_sec: DEAD_AFTER_S, tv_usec: 0 });
      for (;;) {
        await sys.wait.send(fd, bytesOf('beat'));
        if ((await sys.wait.recv(fd, new Uint8Array(100))) <= 0) break;
        await sleep(sys, 1000);
      }
      sys.close(fd); // dead, we decide; TCP would go on trying for a quarter of an hour
    };
    const incidents = async () => {
      await sleep(client.sys, 2_000);
      near.configure({ there: { delayUs: 1_500_000 }, back: { delayUs: 1_500_000 } });
      await sleep(client.sys, 14_000);
      near.configure({ there: { delayUs: 5_000 }, back: { delayUs: 5_000 } });
      await sleep(client.sys, 5_000);
      far.pull();
    };
    return () => {
      const listener = listen(server.sys, network.any);
      for (let i = 0; i < 2; i++) void echo(server, listener);
      return Promise.all([idle(client), beating(client), incidents()]);
    };
  },

  tell(events) {
    const notes = new Notes();
    const [pulled] = faults(events, 'cable-pulled');
    const pulledUs = pulled?.atUs ?? 0;
    notes.put(pulled, 'The server is gone. The client sees nothing of it: the switch still is there.');
    const probes = fired(events, 'client', 'keepalive');
    notes.put(probes[0], 'Keepalive: "are you there?"');
    notes.put(
      probes.filter(({ atUs }) => atUs > pulledUs)[0],
      'Keepalive again, and this time nobody answers.',
    );
    const closed = states(events, 'client', 'CLOSED').find(({ cause }) => cause === 'timeout');
    notes.put(closed, 'Three probes without an answer: ETIMEDOUT.');
    const recvs = calls(events, 'client', 'recv');
    const gaveUp = recvs.find(({ result }) => result === -EAGAIN);
    notes.put(gaveUp, `No beat came back for ${DEAD_AFTER_S} s: the program decides that the peer is dead.`);
    const slowest = recvs
      .filter(({ result }) => result > 0)
      .reduce((a, b) => (a.waitedUs > b.waitedUs ? a : b));
    notes.put(slowest, 'This beat was long on its way. But it came back: slow, not dead.');
    return {
      notes,
      ports: true,
      folds: outside(events, calls(events, 'client', 'connect')[0], recvs.at(-1)),
      seen:
        `While the network was slow a beat took up to ${duration(slowest.waitedUs)}, and nobody gave up. After ` +
        `the ` +
        `cable was pulled the heartbeat gave up after ${duration((gaveUp?.atUs ?? 0) - pulledUs)}, keepalive ` +
        `after ` +
        `${duration((closed?.atUs ?? 0) - pulledUs)}.`,
    };
  },
};
