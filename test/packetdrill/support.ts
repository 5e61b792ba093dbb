import assert from 'node:assert/strict';
import { turn } from '../../src/node/turn.ts';
import { type JudgeOptions, judge, type Verdict } from '../../src/packetdrill/index.ts';

type Options = Omit<JudgeOptions, 'turn'>;

/** The verdict about these lines. */
export function verdictOf(lines: readonly string[], options: Options = {}): Promise<Verdict> {
  return judge('test.pkt', lines.join('\n'), { turn, ...options });
}

/** These lines must pass. */
export async function passes(lines: readonly string[], options: Options = {}): Promise<void> {
  const { result, reason, details } = await verdictOf(lines, options);
  assert.equal(result, 'pass', [reason, ...details].join('\n'));
}

/** These lines must fail; what was said about it. */
export async function failure(lines: readonly string[], options: Options = {}): Promise<string> {
  const { result, reason, details } = await verdictOf(lines, options);
  assert.equal(result, 'fail', `${result}: ${reason}`);
  return [reason, ...details].join('\n');
}

/** A passive open; 4 is the connection at 0.1 s. */
export const ESTABLISHED = [
  '0   socket(..., SOCK_STREAM, IPPROTO_TCP) = 3',
  '+0  setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0',
  '+0  bind(3, ..., ...) = 0',
  '+0  listen(3, 1) = 0',
  '+0  < S 0:0(0) win 32792 <mss 1000>',
  '+0  > S. 0:0(0) ack 1 <mss 1460>',
  '+.1 < . 1:1(0) ack 1 win 32792',
  '+0  accept(3, ..., ...) = 4',
];
