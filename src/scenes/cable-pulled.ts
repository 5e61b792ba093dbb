import {
  MSG_DONTWAIT,
  SO_KEEPALIVE,
  SOL_SOCKET,
  SOL_TCP,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
} from '../socket/constants.ts';
import type { Stack } from '../stack/stack.ts';
import { calls, duration, faults, fired, Notes, states } from './observe.ts';
import { bytesOf, connect, introduce, listen, must, sleep } from './programs.ts';
import type { Scene } from './scene.ts';

/** Keepalive: after 10 s of silence, every 2 s, at most 3 times. */
const KEEPALIVE = [
  [TCP_KEEPIDLE, 10],
  [TCP_KEEPINTVL, 2],
  [TCP_KEEPCNT, 3],
] as const;
/** The heartbeat: a beat a second, and dead after 8 s without one. */
const BEAT_MS = 1000;
const DEAD_AFTER_US = 8_000_000;

/** Silence has two reasons: a network that is slow, and a peer that is gone. Who tells them apart? */
export const cablePulled: Scene = {
  name: 'cable-pulled',
  summary: 'congestion or crash? keepalive and a heartbeat tell a slow network from a peer that is gone',
  look:
    'Two connections to one server, behind a switch, so that the client does not see when the cable of the server is pulled. One is idle and ' +
    'has only keepalive: probes after 10 s of silence. On the other the program sends a heartbeat every second and wants it back. ' +
    'First the network becomes slow, 1.5 s each way: answers come late, but they come. ' +
    'Then the cable is pulled: nothing comes. Without one of the two an idle connection would never find out.',
  hosts: ['client 10.0.0.1', 'server 10.0.0.2'],

  build(world) {
    const lan = world.switch('lan');
    const client = world.host('client');
    const server = world.host('server');
    const near = world.connect(client, lan, { delayUs: 5_000 });
    const far = world.connect(server, lan, { delayUs: 5_000 });
    introduce(client, server);

    const echo = async ({ sys }: Stack, listener: number) => {
      const fd = must(await sys.wait.accept(listener));
      const buffer = new Uint8Array(100);
      for (let n = 1; n > 0; ) {
        n = await sys.wait.recv(fd, buffer);
        if (n > 0) await sys.wait.send(fd, buffer.subarray(0, n));
      }
    };
    const idle = async ({ sys }: Stack) => {
      const fd = must(await connect(sys));
      sys.setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
      for (const [option, value] of KEEPALIVE) sys.setsockopt(fd, SOL_TCP, option, value);
      await sys.wait.recv(fd, new Uint8Array(100)); // waits for ever, were it not for keepalive
      sys.close(fd);
    };
    const beating = async ({ sys, host }: Stack) => {
      const fd = must(await connect(sys));
      for (let heardUs = host.nowUs; host.nowUs - heardUs < DEAD_AFTER_US; ) {
        await sys.wait.send(fd, bytesOf('beat'));
        await sleep(sys, BEAT_MS);
        if (sys.recv(fd, new Uint8Array(100), MSG_DONTWAIT) > 0) heardUs = host.nowUs;
      }
      sys.close(fd); // the peer is dead: ours to decide, TCP would go on trying for a quarter of an hour
    };
    const network = async () => {
      await sleep(client.sys, 2_000);
      near.configure({ there: { delayUs: 1_500_000 }, back: { delayUs: 1_500_000 } });
      await sleep(client.sys, 20_000);
      near.configure({ there: { delayUs: 5_000 }, back: { delayUs: 5_000 } });
      await sleep(client.sys, 5_000);
      far.pull();
    };
    return () => {
      const listener = listen(server.sys);
      void echo(server, listener);
      void echo(server, listener);
      return Promise.all([idle(client), beating(client), network()]);
    };
  },

  tell(events) {
    const notes = new Notes();
    const pulled = faults(events, 'cable-pulled')[0];
    notes.put(pulled, 'The server is gone. The client sees nothing of it: the switch still is there.');
    const pulledUs = pulled?.atUs ?? 0;
    const probes = fired(events, 'client', 'keepalive');
    notes.put(probes[0], 'Keepalive: "are you there?"');
    notes.put(
      probes.find(({ atUs }) => atUs > pulledUs),
      'Keepalive again, and this time nobody answers.',
    );
    const closed = states(events, 'client', 'CLOSED').find(({ cause }) => cause === 'timeout');
    notes.put(closed, 'Three probes without an answer: ETIMEDOUT.');
    const gaveUp = calls(events, 'client', 'close').find(call => call.atUs < (closed?.atUs ?? 0) || true);
    notes.put(gaveUp, 'The heartbeat has not come back for 8 s: the program decides that the peer is dead.');
    const beats = calls(events, 'client', 'recv').filter(({ result }) => result > 0);
    const gaps = beats.map(({ atUs }, index) => atUs - (beats[index - 1]?.atUs ?? atUs));
    return {
      notes,
      ports: true,
      seen:
        `While the network was slow the longest silence was ${duration(Math.max(...gaps))}, and nobody gave up. After the cable was pulled the ` +
        `heartbeat gave up after ${duration((gaveUp?.atUs ?? 0) - pulledUs)}, keepalive after ${duration((closed?.atUs ?? 0) - pulledUs)}.`,
    };
  },
};
