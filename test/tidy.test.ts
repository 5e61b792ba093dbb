import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { filesUnder, readText, sourcesUnder } from './support/repository.ts';
import { Source } from './support/source.ts';
import {
  checkCycles,
  checkDocs,
  checkGlobals,
  checkLayers,
  checkModuleState,
  checkSizes,
  checkText,
  LONG_FILES,
} from './support/tidy.ts';

const FRONT_PAGES = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'];

const src = sourcesUnder('src');
const all = [...src, ...sourcesUnder('test', 'test-long', 'bench', 'examples')];

/** Fails with one problem a line. */
function clean(problems: readonly string[]): void {
  if (problems.length > 0) assert.fail(`\n${problems.join('\n')}\n`);
}

describe('tidy: the repository', () => {
  it('finds its own source', () => {
    assert.ok(src.some(source => source.path === 'src/core/packet.ts'));
  });
  it('imports upwards only', () => clean(checkLayers(src)));
  it('has no import cycle', () => clean(checkCycles(src)));
  it('uses no banned global in the core', () => clean(src.flatMap(checkGlobals)));
  it('keeps files and functions short', () => clean(all.flatMap(checkSizes)));
  it('keeps no state at module level', () => clean(src.flatMap(checkModuleState)));
  it('documents every export', () => clean(src.flatMap(checkDocs)));
  it('keeps lines short and words proper', () => {
    const documents = ['docs', 'examples', 'lab'].flatMap(folder => filesUnder(folder, '.md'));
    const texts = [...all.map(source => source.path), ...documents, ...FRONT_PAGES];
    clean(texts.flatMap(path => checkText(path, readText(path).split('\n'))));
  });
  it('allows long files by name only', () => {
    clean(Object.keys(LONG_FILES).filter(path => !src.some(source => source.path === path)));
  });
});

/** A file of the repository that does not exist, with this text. */
function file(path: string, ...lines: string[]): Source {
  return new Source(path, `${lines.join('\n')}\n`);
}

describe('tidy: what it finds', () => {
  it('an upward import', () => {
    const found = checkLayers([file('src/net/arp.ts', '', "import type { Tcb } from '../tcp/tcb.ts';")]);
    assert.deepEqual(found, ["src/net/arp.ts:2: upward import: net/ may not import tcp/ ('../tcp/tcb.ts')"]);
  });

  it('an upward import over several lines, by re-export and by import()', () => {
    const found = checkLayers([
      file('src/wire/udp.ts', 'import {', '  a,', "} from '../core/packet.ts';"),
      file('src/wire/tcp.ts', "export * from '../net/route.ts';"),
      file('src/wire/arp.ts', "const late = () => import('../udp/udp.ts');"),
    ]);
    assert.deepEqual(
      found.map(line => line.split(': ')[0]),
      ['src/wire/udp.ts:3', 'src/wire/tcp.ts:1', 'src/wire/arp.ts:1'],
    );
  });

  it('an import of a side wing, and a wing that imports too much', () => {
    const found = checkLayers([
      file('src/tcp/tcb.ts', "import { format } from '../view/ss.ts';"),
      file('src/dissect/tcp.ts', "import { Packet } from '../core/packet.ts';"),
      file('src/view/ss.ts', "import type { TraceEvent } from '../trace/events.ts';"),
    ]);
    assert.equal(found.length, 2);
  });

  it('a folder without a place in the order', () => {
    assert.match(
      checkLayers([file('src/misc/a.ts', "import '../base/seq.ts';")])[0] ?? '',
      /no place in the order/,
    );
  });

  it("Node's modules and packages where they do not belong", () => {
    const found = checkLayers([
      file('src/core/env.ts', "import fs from 'node:fs';"),
      file('src/node/env.ts', "import fs from 'node:fs';"),
      file('src/http/parse.ts', "import { HTTPParser } from 'http-parser-js';"),
      file('src/cli/main.ts', "import { Command } from 'commander';", "import { lookup } from 'mrmime';"),
      file('src/base/seq.ts', "import left from 'left-pad';"),
    ]);
    assert.deepEqual(found, [
      "src/core/env.ts:1: 'node:fs' may be imported in node/ and cli/ only",
      "src/cli/main.ts:2: package 'mrmime' may be imported in http/ only",
      "src/base/seq.ts:1: package 'left-pad' may not be imported",
    ]);
  });

  it('an import cycle, but not one of types', () => {
    const found = checkCycles([
      file('src/tcp/a.ts', "import { b } from './b.ts';"),
      file('src/tcp/b.ts', "import { c } from './c.ts';"),
      file('src/tcp/c.ts', "import { a } from './a.ts';"),
      file('src/udp/a.ts', "import { b } from './b.ts';"),
      file('src/udp/b.ts', "import type { a } from './a.ts';"),
    ]);
    assert.deepEqual(found, [
      'src/tcp/a.ts:1: import cycle: src/tcp/a.ts > src/tcp/b.ts > src/tcp/c.ts > src/tcp/a.ts',
    ]);
  });

  it('banned globals, but not in comments, strings, members and property names', () => {
    const found = checkGlobals(
      file(
        'src/tcp/timers.ts',
        '// Date.now() would be wrong here',
        "const text = 'setTimeout(' + `console`;",
        'interface Call { process: string }; call(event.process);',
        'const at = Date.now();',
        'setImmediate(() => {});',
        'const x = Math.random();',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the snippet is a template literal
        'const y = `${Buffer.from("")}`;',
        'const z = { console };',
      ),
    );
    assert.deepEqual(found, [
      'src/tcp/timers.ts:4: banned in the core: Date',
      'src/tcp/timers.ts:5: banned in the core: setImmediate',
      'src/tcp/timers.ts:6: banned in the core: Math.random',
      'src/tcp/timers.ts:7: banned in the core: Buffer',
      'src/tcp/timers.ts:8: banned in the core: console',
    ]);
    assert.deepEqual(checkGlobals(file('src/node/env.ts', 'setTimeout(run, 1);')), []);
  });

  it('a regular expression does not hide what follows', () => {
    const found = checkGlobals(
      file('src/http/a.ts', 'const r = /[/"`]\'/.test(x); const t = Date.now();', 'const q = a / b;'),
    );
    assert.equal(found.length, 1);
  });

  it('a file and a function over the limits', () => {
    const long = file('src/tcp/big.ts', ...new Array(501).fill(''));
    assert.deepEqual(checkSizes(long), ['src/tcp/big.ts:501: file has 501 lines, at most 500']);
    const body = new Array(69).fill('  x();');
    for (const head of [
      'function f(a: number): Map<string, { a: number }> {',
      'const f = (a: { b: number }): void => {',
      '  async f<T>(a = {}) {',
      'export const f = async () => {',
      'function f(): { a: number } | null {',
      'function f(x: unknown): x is { a: number } {',
      '  get f(): number {',
      '  constructor() {',
    ]) {
      const name = head.includes('constructor')
        ? 'constructor'
        : head.includes('=>')
          ? '\\(anonymous\\)|f'
          : 'f';
      const found = checkSizes(file('src/tcp/big.ts', '', head, ...body, '}'));
      assert.equal(found.length, 1, head);
      assert.match(
        found[0] ?? '',
        new RegExp(`^src/tcp/big.ts:2: function (?:${name}) has 71 lines, at most 70$`),
        head,
      );
      assert.deepEqual(checkSizes(file('src/tcp/ok.ts', head, ...body.slice(1), '}')), [], head);
    }
    const control = file('src/tcp/ok.ts', 'class A {', 'if (a) {', ...body, '}', '}');
    assert.deepEqual(checkSizes(control), []);
  });

  it('state at module level', () => {
    const found = checkModuleState(
      file(
        'src/tcp/state.ts',
        'let count = 0;',
        'export const cache = new Map<string, number>();',
        "const NAMES = new Map([['a', 1]]);",
        'const TABLE = [1, 2];',
        'function f() {',
        '  let local = new Map();',
        '  TABLE[0] = 2;',
        '  return NAMES.get(local) === 1;',
        '}',
        'class A {',
        '  static shared = 0;',
        '  static readonly FIXED = 1;',
        '  static make(): A { return new A(); }',
        '}',
      ),
    );
    assert.deepEqual(found, [
      'src/tcp/state.ts:1: module-level let count',
      'src/tcp/state.ts:2: module-level cache begins empty, so it must be meant to change',
      'src/tcp/state.ts:7: module-level TABLE is changed',
      'src/tcp/state.ts:11: static field that is not readonly',
    ]);
  });

  it('an export without a doc comment', () => {
    const found = checkDocs(
      file(
        'src/tcp/a.ts',
        '/** Said. */',
        'export function a(x: number): void;',
        'export function a(x: string): void;',
        '// not a doc comment',
        'export class B {}',
        '/** A run. */',
        'export const ONE = 1;',
        'export const TWO = 2;',
        '',
        'export interface C {}',
      ),
    );
    assert.deepEqual(found, [
      'src/tcp/a.ts:5: export B has no doc comment',
      'src/tcp/a.ts:10: export C has no doc comment',
    ]);
  });

  it('words and widths', () => {
    const found = checkText('src/a.ts', ['// TODO later', `// ${'x'.repeat(118)}`, '// see /home/me/x']);
    assert.deepEqual(
      found.map(line => line.slice(0, 10)),
      ['src/a.ts:1', 'src/a.ts:2', 'src/a.ts:3'],
    );
  });
});
