import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { bytesOf, CommandBench, KERNEL, TIMEOUT_MS } from './command-bench.ts';
import { runProgram } from './command-process.ts';
import { cannotRun, missing } from './network.ts';

const skip = cannotRun('curl');

describe('ethertype get on a TAP device', { skip, timeout: TIMEOUT_MS }, () => {
  const bench = new CommandBench();

  it('fetches what node:http serves, whole and in part, and shows how', async () => {
    const content = bytesOf(5_000_000);
    const base = await bench.kernelHttp((request, response) => {
      const range = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '');
      if (request.url === '/chunked') {
        response.write('one ');
        response.end(`two ${request.headers['x-mine']}`);
      } else if (range !== null) {
        response.writeHead(206).end(content.subarray(Number(range[1]), Number(range[2]) + 1));
      } else {
        response.writeHead(200, { 'Content-Length': content.length }).end(content);
      }
    });
    const whole = await bench.run('get', `${base}/a?b`);
    assert.equal(whole.status, 0);
    assert.ok(whole.bytes.equals(content));
    assert.match(
      whole.err,
      /^This stack is 10\.65\.0\.2 fd65::2 ; kernel side tap0 10\.65\.0\.1\/24 fd65::1\/64\n$/,
    );
    const path = join(bench.folder, 'out.bin');
    assert.equal((await bench.run('get', `${base}/`, '-o', path, '-q')).err, '');
    assert.ok(readFileSync(path).equals(content));
    assert.ok((await bench.run('get', `${base}/`, '-r', '5-9')).bytes.equals(content.subarray(5, 10)));
    const chunked = await bench.run('get', `${base}/chunked`, '-v', '-q', '-H', 'X-Mine: yes');
    assert.equal(chunked.out, 'one two yes');
    const port = base.split(':').at(-1);
    assert.match(
      chunked.err,
      new RegExp(
        `^\\*   Trying ${KERNEL}:${port}\\.\\.\\.\n\\* Connected to ${KERNEL} \\(${KERNEL}\\) port ${port} \\(#0\\)\n` +
          `> GET /chunked HTTP/1\\.1\n> Host: ${KERNEL}:${port}\n(> .*\n)*> X-Mine: yes\n> \n< HTTP/1\\.1 200 OK\n` +
          `(< .*\n)*< \n\\* Connection #0 to host ${KERNEL} left intact\n$`,
      ),
    );
    const head = await bench.run('get', '-I', `${base}/`);
    assert.match(head.out, /^HTTP\/1\.1 200 OK\r\n(.+\r\n)*Content-Length: 5000000\r\n(.+\r\n)*\r\n$/);
  });

  it("ends with curl's statuses", async () => {
    const base = await bench.kernelHttp((request, response) => {
      if (request.url === '/missing') response.writeHead(404).end('nothing here');
      if (request.url === '/cut') {
        response.writeHead(200, { 'Content-Length': 100 }).write('short');
        setTimeout(() => response.destroy(), 50);
      }
      if (request.url === '/nothing') request.socket.end();
    });
    const noHttp = await bench.kernelServer(socket => socket.end('220 mail.example ESMTP\r\n'));
    const cases: [args: string[], status: number, says: RegExp][] = [
      [[`http://${KERNEL}:1/`], 7, /cannot connect to 10\.65\.0\.1:1: Connection refused/],
      [['http://10.65.0.77/'], 7, /cannot connect to 10\.65\.0\.77:80: No route to host/],
      [['http://192.0.2.1/'], 7, /cannot connect to 192\.0\.2\.1:80: Network is unreachable/],
      [['http://10.65.0.77/', '--connect-timeout', '1'], 28, /no end of it in 1\.\d s/],
      [[`${base}/hang`, '-m', '1'], 28, /no end of it in 1\.\d s/],
      [[`${base}/missing`, '-f'], 22, /answered 404 Not Found/],
      [[`${base}/missing`, '-o', '/nonexistent/file'], 23, /cannot write \/nonexistent\/file: no such file/],
      [[`${base}/cut`], 18, /the answer was cut short after 5 bytes/],
      [[`${base}/nothing`], 52, /gave no answer/],
      [[`http://${KERNEL}:${noHttp}/`], 8, /the answer is not HTTP/],
    ];
    for (const [args, status, says] of cases) {
      const ended = await bench.run('get', '-q', ...args);
      assert.match(ended.err, says, args.join(' '));
      assert.match(ended.err, /^ethertype: .*\n$/, args.join(' '));
      assert.equal(ended.status, status, args.join(' '));
    }
    const missingPage = await bench.run('get', '-q', `${base}/missing`);
    assert.deepEqual([missingPage.status, missingPage.out], [0, 'nothing here']);
    bench.isGone();
  });

  it('fetches from nginx', { skip: missing('nginx') }, async () => {
    const content = bytesOf(10_000_000);
    const configuration = join(bench.folder, 'nginx.conf');
    writeFileSync(
      configuration,
      `daemon off; master_process off; pid ${bench.folder}/pid; error_log stderr; events {}\n` +
        `http { access_log off; server { listen 8000; root ${bench.file('big.bin', content)}; } }\n`,
    );
    const nginx = spawn('nginx', ['-c', configuration, '-e', 'stderr'], { stdio: 'ignore' });
    bench.onEnd(() => nginx.kill('SIGKILL'));
    while (runProgram('curl', '-s', '-o', '/dev/null', 'http://127.0.0.1:8000/big.bin').status !== 0);
    const ended = await bench.run('get', `http://${KERNEL}:8000/big.bin`);
    assert.equal(ended.status, 0);
    assert.ok(ended.bytes.equals(content));
  });
});
