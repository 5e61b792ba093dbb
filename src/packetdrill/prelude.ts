import type { Configuration } from './configuration.ts';
import { parseScript } from './parse.ts';
import type { Script, ScriptEvent } from './syntax.ts';

/**
 * The events of a script. With the house's `--established=OPTIONS` it begins with a passive open: 3 listens, 4 is the
 * connection, the round trip took 0.1 s. `--window=N` is the window that the peer offers in it.
 */
export function withPrelude({ events }: Script, config: Configuration): readonly ScriptEvent[] {
  const { established, window } = config;
  if (established === null) return events;
  const prelude = parseScript(
    'established',
    `0   socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
     +0  setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
     +0  bind(3, ..., ...) = 0
     +0  listen(3, 1) = 0
     +.1 < S 0:0(0) win ${window} <${established === '' ? 'mss 1000' : established}>
     +0  > S. 0:0(0) ack 1 <...>
     +.1 < . 1:1(0) ack 1 win ${window}
     +0  accept(3, ..., ...) = 4`,
    { house: true },
  );
  const first = events.findIndex(event => event.body.kind !== 'command');
  const at = first < 0 ? events.length : first;
  return [...events.slice(0, at), ...prelude.events, ...events.slice(at)];
}
