import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { turn } from '../../src/node/turn.ts';
import { judge } from '../../src/packetdrill/index.ts';
import { filesUnder, readText } from '../support/repository.ts';
import { headOf } from './head.ts';

/** A packet of ours: time, flags, sequence numbers with length, acknowledgement, the rest. */
const OUTBOUND =
  /^(?<time>\+[\d.]+)(?<gap> +> )(?<flags>[SFRP.]+) (?<from>\d+):(?<to>\d+)\((?<length>\d+)\)(?<rest>.*)$/;
type Parts = Record<'time' | 'gap' | 'flags' | 'from' | 'to' | 'length' | 'rest', string>;

/** The line with one thing in it wrong, or null when there is no such thing in it. */
type Mutation = (line: string) => string | null;

/** Changes a packet of ours. */
function outbound(change: (parts: Parts) => Partial<Parts> | null): Mutation {
  return line => {
    const groups = OUTBOUND.exec(line)?.groups as Parts | undefined;
    const changed = groups === undefined ? null : change(groups);
    if (groups === undefined || changed === null) return null;
    const { time, gap, flags, from, to, length, rest } = { ...groups, ...changed };
    return `${time}${gap}${flags} ${from}:${to}(${length})${rest}`;
  };
}

/** Replaces the first match. */
function replaced(pattern: RegExp, by: (...matches: string[]) => string): Mutation {
  return line => (pattern.test(line) ? line.replace(pattern, by) : null);
}

/** Changes to a packet's line leave the lines of calls alone. */
function ofPacket(pattern: RegExp, by: (...matches: string[]) => string): Mutation {
  return line => (OUTBOUND.test(line) ? replaced(pattern, by)(line) : null);
}

const plus = (text: string, more: number): string => String(Number(text) + more);

/** What may be wrong with a script, and how the failure must begin. */
const MUTATIONS: Readonly<Record<string, readonly [Mutation, RegExp]>> = {
  'another sequence number': [
    // That of a SYN stands for whatever it is.
    outbound(({ flags, from, to }) =>
      flags.includes('S') ? null : { from: plus(from, 1), to: plus(to, 1) },
    ),
    /seq \d+, expected/,
  ],
  'another length': [
    outbound(({ to, length }) => (length === '0' ? null : { to: plus(to, -1), length: plus(length, -1) })),
    /expected \d+ bytes vs actual|with \d+ bytes to come|then >/,
  ],
  'another acknowledgement': [
    ofPacket(/ ack (\d+)/, (_all, ack) => ` ack ${plus(ack as string, 1)}`),
    /ack \d+, expected/,
  ],
  'a flag too many': [
    outbound(({ flags }) => ({ flags: `U${flags}` })),
    /flags .*, expected|flags .* of a part/,
  ],
  'FIN for none': [
    outbound(({ flags }) => (/[SFR]/.test(flags) ? null : { flags: `F${flags}` })),
    /flags .*, expected/,
  ],
  'no PSH': [
    outbound(({ flags }) => (flags.includes('P') ? { flags: flags.replace('P', '') } : null)),
    /flags .*, expected/,
  ],
  'another MSS': [ofPacket(/<mss (\d+)/, (_all, mss) => `<mss ${plus(mss as string, 1)}`), /options </],
  'another window scale': [
    ofPacket(/wscale (\d+)/, (_all, scale) => `wscale ${plus(scale as string, 1)}`),
    /options </,
  ],
  'an option too many': [
    outbound(({ rest }) => (rest.includes('<') ? null : { rest: `${rest} <nop,nop,sackOK>` })),
    /options </,
  ],
  'an option too few': [ofPacket(/,sackOK/, () => ',nop,nop'), /options </],
  'another SACK block': [
    ofPacket(/sack (\d+):/, (_all, start) => `sack ${plus(start as string, 1)}:`),
    /options </,
  ],
  'another window': [
    ofPacket(/ win (\d+)/, (_all, win) => ` win ${plus(win as string, 1)}`),
    /win \d+, expected/,
  ],
  'a window where none stood': [
    outbound(({ rest }) =>
      / win /.test(rest) ? null : { rest: rest.replace(/^( ack \d+)?/, ack => `${ack} win 1`) },
    ),
    /win \d+, expected|win \d+ of a part/,
  ],
  'too late': [
    outbound(({ time }) => ({ time: `+${(Number(time) * 1.2 + 0.02).toFixed(4)}` })),
    /timing error|Timed out/,
  ],
  'too early': [
    outbound(({ time }) => (Number(time) < 0.1 ? null : { time: `+${(Number(time) * 0.8).toFixed(4)}` })),
    /timing error/,
  ],
  'another errno': [replaced(/= -1 (\w+)/, () => '= -1 EXDEV'), /Expected errno EXDEV/],
  'an error for none': [
    replaced(/^(.* (?:write|read|close|listen)\(.*\) = )\d+$/, (_all, call) => `${call}-1`),
    /Expected result -1/,
  ],
  'another result': [
    replaced(
      /^(.* (?:read|write|send|poll|shutdown)\(.*\) = )(\d+)$/,
      (_all, call, count) => call + plus(count as string, 1),
    ),
    /Expected result/,
  ],
  'another value of an option': [
    replaced(
      /(getsockopt\(.*\[)(\w+)(\], \[4\]\) = 0)/,
      (_all, before, value, after) => `${before}${value === '0' ? 1 : 0}${after}`,
    ),
    /Bad getsockopt optval/,
  ],
  'another readiness': [replaced(/revents=(\w+)/, () => 'revents=POLLPRI'), /revents|poll/i],
  'another state': [replaced(/tcpi_state == \w+/, () => 'tcpi_state == 99'), /does not hold/],
};

/** One line of the text after the other, mutated. */
function* mutants(text: string, mutation: Mutation): Generator<string> {
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    const changed = line.startsWith('//') ? null : mutation(line);
    if (changed !== null) yield lines.map((old, i) => (i === index ? changed : old)).join('\n');
  }
}

/** Each mutation is tried on so many scripts, one line of each. */
const SCRIPTS_EACH = 12;

describe('own packetdrill scripts with something wrong in them', () => {
  const scripts = filesUnder('test/packetdrill/scripts', '.pkt')
    .filter(path => !path.endsWith('v6.pkt'))
    .map(path => ({ path, text: readText(path) }))
    .filter(({ text }) => !headOf(text).house);

  for (const [what, [mutation, failure]] of Object.entries(MUTATIONS)) {
    it(`fail: ${what}`, async () => {
      const fitting = scripts.flatMap(({ path, text }) => {
        const all = [...mutants(text, mutation)];
        // Not always the first line that fits.
        const mutant = all[path.length % Math.max(all.length, 1)];
        return mutant === undefined ? [] : [{ path, mutant }];
      });
      assert.ok(fitting.length > 0, 'no script has such a line');
      const step = Math.max(1, Math.floor(fitting.length / SCRIPTS_EACH));
      for (const { path, mutant } of fitting.filter((_, index) => index % step === 0)) {
        const readFile = (name: string): string => readText(join(dirname(path), name));
        const { result, reason } = await judge(path, mutant, { turn, readFile });
        assert.equal(result, 'fail', `${path} still passes:\n${mutant}`);
        assert.match(reason, failure, `${path}:\n${mutant}`);
      }
    });
  }
});
