/**
 * The same echo as a C programmer would write it: socket, bind, listen, accept4, epoll_wait, recv, send, close.
 *
 * Shows: every call returns a value or -errno and never waits, unless it is one of `sys.wait`, which return promises.
 * The server runs one loop for any number of connections.
 *
 * Run: npm run build:test && node build/examples/echo-epoll.js
 */
import { createCable, nodeEnv, Stack } from 'ethertype';
import * as S from 'ethertype/socket';

/** Serves until its last client has gone. */
async function server(sys: S.Sys): Promise<void> {
  const listener = sys.socket(S.AF_INET, S.SOCK_STREAM | S.SOCK_NONBLOCK, 0);
  sys.setsockopt(listener, S.SOL_SOCKET, S.SO_REUSEADDR, 1);
  sys.bind(listener, { address: '0.0.0.0', port: 7 });
  sys.listen(listener, 128);
  const epoll = sys.epoll_create1();
  sys.epoll_ctl(epoll, S.EPOLL_CTL_ADD, listener, { events: S.EPOLLIN, data: listener });

  const events: S.EpollEvent[] = [];
  const buffer = new Uint8Array(4096);
  let open = 0;
  do {
    await sys.wait.epoll_wait(epoll, events, 64, -1);
    for (const { data: fd } of events) {
      if (fd === listener) {
        const accepted = sys.accept4(listener, null, S.SOCK_NONBLOCK);
        sys.epoll_ctl(epoll, S.EPOLL_CTL_ADD, accepted, { events: S.EPOLLIN, data: accepted });
        open++;
      } else {
        const length = sys.recv(fd, buffer);
        if (length > 0) sys.send(fd, buffer.subarray(0, length));
        else sys.close(fd); // 0 is the end, less is -errno; epoll forgets a descriptor that is closed
        if (length <= 0) open--;
      }
    }
  } while (open > 0);
  sys.close(epoll);
  sys.close(listener);
}

/** Says `text` and returns what comes back. */
async function client(sys: S.Sys, text: string): Promise<string> {
  const fd = sys.socket(S.AF_INET, S.SOCK_STREAM, 0);
  const result = await sys.wait.connect(fd, { address: '10.0.0.2', port: 7 });
  if (result < 0) throw new Error(S.strerror(result));
  await sys.wait.send(fd, new TextEncoder().encode(text));
  const buffer = new Uint8Array(text.length);
  const length = await sys.wait.recv(fd, buffer, S.MSG_WAITALL);
  sys.close(fd);
  return new TextDecoder().decode(buffer.subarray(0, length));
}

const env = nodeEnv();
const [left, right] = createCable(env);
await using serverHost = new Stack({ env, name: 'server' });
serverHost.attach(right, { address: '10.0.0.2/24' });
await using clientHost = new Stack({ env, name: 'client' });
clientHost.attach(left, { address: '10.0.0.1/24' });

const serving = server(serverHost.sys);
const clients = ['one', 'two', 'three'].map(text => client(clientHost.sys, text));
console.log(await Promise.all(clients));
await serving;
