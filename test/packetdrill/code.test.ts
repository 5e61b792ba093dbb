import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CodeValue, evaluate } from '../../src/packetdrill/code.ts';

function run(
  code: string,
  names: Record<string, CodeValue> = {},
): { variables: Map<string, CodeValue>; out: string[] } {
  const variables = new Map<string, CodeValue>();
  const out: string[] = [];
  evaluate(code, variables, { lookup: name => names[name], print: text => out.push(text) });
  return { variables, out };
}

describe('packetdrill: code', () => {
  it('passes what holds', () => {
    run(
      `assert tcpi_snd_cwnd == 10 and not tcpi_lost
       assert 9 <= tcpi_snd_cwnd <= 11, 'near ten'  # a comment; with a semicolon is cut at the sign
       assert (tcpi_options & OPT) != 0; assert 7 // 2 == 3; assert -7 % 3 == 2
       assert 1 + 2 * 3 == 7 and (1 + 2) * 3 == 9 and 1 << 4 | 1 == 17
       assert tcpi_state == 'ESTABLISHED' or \\
         False`,
      { tcpi_snd_cwnd: 10, tcpi_lost: 0, tcpi_options: 6, OPT: 4, tcpi_state: 'ESTABLISHED' },
    );
  });

  it('fails what does not, with the values', () => {
    assert.throws(
      () => run('assert cwnd == 10, "too small"', { cwnd: 9 }),
      /cwnd == 10.*: too small\n {2}cwnd = 9/,
    );
    assert.throws(() => run('assert 1 < 2 < 2'), /does not hold/);
    assert.throws(() => run('assert 0x10 == 17'), /does not hold/);
  });

  it('keeps variables and prints', () => {
    const { variables, out } = run('x = 3\nx += 4; x -= 1\nprint("x is", x)');
    assert.equal(variables.get('x'), 6);
    assert.deepEqual(out, ['x is 6']);
  });

  it('looks at the message only when it is needed, and fills it in', () => {
    run("assert cwnd == 9, 'cwnd=%d of %d' % (cwnd, nonsense)", { cwnd: 9 });
    assert.throws(
      () => run("assert cwnd == 10, 'cwnd=%d; rtt=%d' % (cwnd, rtt) # so", { cwnd: 9, rtt: 7 }),
      /: cwnd=9; rtt=7/,
    );
    assert.throws(() => run("assert cwnd == 10, 'cwnd: %d' % cwnd", { cwnd: 9 }), /: cwnd: 9/);
  });

  it('knows no other names and no other statements', () => {
    assert.throws(() => run('assert process == 1'), /unknown name process/);
    assert.throws(() => run('while True'), /not a statement/);
    assert.throws(() => run('x.y = 1'), /cannot be read/);
    assert.throws(() => run('assert 1 2'), /more than one statement/);
  });
});
