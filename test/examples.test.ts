/**
 * Every program in examples/, and the one in the README, runs as it stands and ends by itself.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { basename } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { filesUnder, readText, repositoryRoot } from './support/repository.ts';

const TIME_LIMIT_MS = 20_000;
const LINES_MAX = 80;

/** What each example must print, besides exiting with 0. */
const EXPECTED: Record<string, RegExp> = {
  'echo.ts': /^10\.0\.0\.1:\d+ is connected to 10\.0\.0\.2:7\nthe answer: "one\\ntwo\\nthree\\n"\n$/,
  'echo-epoll.ts': /^\[ 'one', 'two', 'three' \]\n$/,
  'framing.ts':
    /length in front: {2}\[ 'to be', 'or not to be', 'that is the question' \]\ndelimiter behind: \[ 'to/,
  'handshake.ts': /Flags \[S\.\].*\n.*SYN-ACK[\s\S]*TIME_WAIT -> CLOSED/,
  'http.ts':
    /^200 OK text\/html "<h1>It works<\/h1>\\n"\n201 Created "HELLO"\n206 Partial Content bytes 4-8\/18/,
  'ipv6.ts': /^addresses in fd00:1::\/64: 1\nname servers: fd00:2::1\n\[fd00:2::2\]:7 greets you\n$/,
  'lossy-network.ts': /[1-9]\d* packets lost in .*\n.*three runs: [\s\S]*# pass 1\n/,
  'network.ts':
    /^(?:(?:alice|bob) is 10\.0\.0\.\d+ and asks 10\.0\.0\.53 and fd00:0:0:1::53\n(?:alice|bob) fetched from \[fd00:0:0:2::80\]:80: 200 "hello from www"\n){2}$/,
  'stack-over-websocket.ts':
    /^hello -> HELLO\nstill there\? -> STILL THERE\?\none TCP connection over several WebSockets\n$/,
  'two-stacks.ts':
    /b answers[\s\S]*10\.0\.0\.2: this is b[\s\S]*after b\.close\(\): .*time[\s\S]*10\.0\.0\.3: this is c\n$/,
};

interface Run {
  code: number | null;
  stdout: string;
  stderr: string;
}

function run(args: string[]): Promise<Run> {
  // Without NODE_TEST_CONTEXT a test in a child prints what a user would see.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(process.execPath, args, { cwd: repositoryRoot(), env, timeout: TIME_LIMIT_MS });
  const result: Run = { code: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', text => {
    result.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', text => {
    result.stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', code => resolve({ ...result, code }));
  });
}

describe('examples', { concurrency: 2 }, () => {
  const files = filesUnder('examples', '.ts');

  it('are those that are tested here', () => {
    assert.deepEqual(files.map(file => basename(file)).sort(), Object.keys(EXPECTED).sort());
  });

  for (const file of files) {
    it(`${file} runs, prints what it promises and ends by itself`, async () => {
      const compiled = fileURLToPath(new URL(`../${file.replace(/\.ts$/, '.js')}`, import.meta.url));
      const { code, stdout, stderr } = await run([compiled]);
      assert.equal(stderr, '');
      assert.equal(code, 0);
      assert.match(stdout, EXPECTED[basename(file)] as RegExp);
    });

    it(`${file} is short and says what it shows`, () => {
      const text = readText(file);
      assert.ok(text.split('\n').length <= LINES_MAX);
      assert.match(text, /^\/\*\*\n \* .*[\s\S]*\n \* Shows: [\s\S]*\n \* Run: /);
    });
  }
});

describe('README', () => {
  it('has an example that runs', async () => {
    const [, code] = /```js\n([\s\S]*?)```/.exec(readText('README.md')) ?? [];
    assert.ok(code !== undefined && code.split('\n').length <= 18, 'about 15 lines');
    const result = await run(['--input-type=module', '--eval', code]);
    assert.deepEqual(result, { code: 0, stdout: 'hello\n', stderr: '' });
  });

  it('links to files that exist', () => {
    for (const [, target] of readText('README.md').matchAll(/\]\(([^)#]+)/g)) {
      if (!/^https?:/.test(target as string)) assert.doesNotThrow(() => readText(target as string), target);
    }
  });
});
