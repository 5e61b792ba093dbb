import { SOCK_STREAM, SOL_TCP, TCP_SYNCNT } from '../socket/constants.ts';
import { SYN } from '../wire/tcp.ts';
import { calls, drops, duration, Notes, outside, queue, segments } from './observe.ts';
import { connect, introduce, listen, must, PORT, sleep } from './programs.ts';
import type { Scene } from './scene.ts';
import { flood, internet } from './spoof.ts';

/** SYNs of each of the two floods, and half-open connections the server remembers. */
const SYNS = 500;
const SYN_QUEUE = 128;

/** A flood of SYNs from addresses where nobody is: without SYN cookies, and with them. */
export const synFlood: Scene = {
  name: 'syn-flood',
  summary: 'invented SYNs fill the SYN queue; with cookies real clients still connect',
  look:
    'Somebody in the Internet sends SYNs with invented source addresses. Each takes a place in the SYN queue ' +
    'until its SYN-ACK has been repeated in vain for a minute. First the server has SYN cookies switched off: ' +
    'the queue is full, and the SYN of a real client is dropped. Then it has them on: when the queue is full ' +
    'it remembers nothing, but writes what it must know into the sequence number of its SYN-ACK (RFC 4987). ' +
    'Only who really has the address gets that number, and can send it back.',
  hosts: ['client', 'server'],

  build(world, network) {
    const lan = world.switch('lan');
    const client = world.host('client');
    const server = world.host('server', { sysctl: { tcp_syncookies: 0, tcp_max_syn_backlog: SYN_QUEUE } });
    world.connect(client, lan, { delayUs: 5_000 });
    world.connect(server, lan, { delayUs: 100 });
    introduce(client, server);
    const router = internet(lan, server);
    return async () => {
      const { sys } = client;
      listen(server.sys, network.any, SYN_QUEUE);

      flood(world, router, server, SYNS);
      await sleep(sys, 100);
      const fd = must(sys.socket(network.family, SOCK_STREAM, 0));
      sys.setsockopt(fd, SOL_TCP, TCP_SYNCNT, 2); // give up after two repetitions
      await sys.wait.connect(fd, { address: network.server, port: PORT });
      sys.close(fd);

      server.host.sysctl.tcp_syncookies = 1;
      flood(world, router, server, SYNS);
      await sleep(sys, 100);
      sys.close(must(await connect(sys, network.server)));
    };
  },

  tell(events) {
    const notes = new Notes();
    const strangers = segments(events, 'server', 'in');
    notes.put(strangers[0]?.event, 'A stranger calls from an address where nobody is ...');
    const dropped = drops(events, 'server', 'TCP_REQQFULLDROP');
    notes.put(dropped[0], 'The SYN queue is full of strangers.');
    const mine = segments(events, 'client', 'out').filter(({ tcp }) => tcp.flags === SYN);
    notes.put(
      mine[0]?.event,
      'A real client comes, but there is no place left: its SYN is dropped as the others.',
    );
    const [failed, connected] = calls(events, 'client', 'connect');
    notes.put(
      segments(events, 'server', 'out')[0]?.event,
      '... and this SYN-ACK will be repeated five times in vain.',
    );
    notes.put(failed, 'The client gives up. From now on the server has tcp_syncookies = 1.');
    notes.put(mine.at(-1)?.event, 'The queue is as full as before, and a real client comes.');
    notes.put(connected, 'Connected: its ACK brought the cookie back, and that was proof enough.');
    const sizes = queue(events, 'server', 'syn').map(({ length }) => length);
    const [from, to] = [failed?.atUs ?? 0, connected?.atUs ?? 0];
    const answered = segments(events, 'server', 'out').filter(
      ({ tcp, atUs }) => (tcp.flags & SYN) !== 0 && atUs >= from && atUs <= to,
    );
    const over = outside(events, undefined, connected);
    const third = segments(events, 'server', 'out')[2]?.event;
    const begin = outside(events, undefined, third);
    return {
      notes,
      folds: event => over(event) || (event.host !== 'client' && begin(event)),
      seen:
        `Without cookies ${dropped.length} of ${SYNS + 3} SYNs were dropped, those of the real client among ` +
        `them, ` +
        `which gave up after ${duration(failed?.waitedUs ?? 0)}. With cookies ${answered.length} SYN-ACKs went ` +
        `out, and ` +
        `the real client was connected in ${duration(connected?.waitedUs ?? 0)}; the server never remembered ` +
        `more ` +
        `than ${Math.max(...sizes)} half-open connections.`,
    };
  },
};
