import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { askControl } from '../../src/node/control/ask.ts';
import { controlFolder, openControlFolder } from '../../src/node/control/folder.ts';
import type { About } from '../../src/node/control/protocol.ts';
import { findRunning, notePath, socketPath } from '../../src/node/control/running.ts';
import { type ControlServer, serveControl } from '../../src/node/control/serve.ts';

const ABOUT: About = { pid: 7, name: 'test', device: 'tap0', address: '10.65.0.2/24', network: '' };
const EMPTY = { Ip: {}, Icmp: {}, Tcp: {}, Udp: {}, Ip6: {}, Icmp6: {}, Udp6: {}, TcpExt: {}, IpExt: {} };
/** No process has this number: it is the limit of 64-bit Linux, one more than the largest. */
const NO_PID = 4_194_304;

describe('a control socket', () => {
  let folder = '';
  let before: string | undefined;
  let server: ControlServer | null = null;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ethertype-control-'));
    before = process.env['XDG_RUNTIME_DIR'];
    process.env['XDG_RUNTIME_DIR'] = folder;
  });
  afterEach(() => {
    if (before === undefined) delete process.env['XDG_RUNTIME_DIR'];
    else process.env['XDG_RUNTIME_DIR'] = before;
    server?.close();
    server = null;
    rmSync(folder, { recursive: true });
  });

  const serve = async (pid = process.pid): Promise<string> => {
    const path = socketPath(openControlFolder(), pid, 'tap0');
    server = await serveControl(path, {
      about: () => ABOUT,
      sockets: () => ({ tcp: [], udp: [] }),
      counters: () => EMPTY,
      interfaces: () => [],
      routes: () => [],
      neighbors: () => [],
    });
    return path;
  };

  /** What comes back for these bytes. */
  const tell = async (path: string, text: string): Promise<string> => {
    const socket = connect(path);
    let heard = '';
    socket.on('data', piece => {
      heard += String(piece);
    });
    socket.write(text);
    await once(socket, 'close');
    return heard;
  };

  it('answers what is asked, to its user only, and goes away when it is closed', async () => {
    const path = await serve();
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(await askControl(path, 'about'), ABOUT);
    assert.deepEqual(await askControl(path, 'counters'), EMPTY);
    server?.close();
    assert.equal(existsSync(path), false);
    await assert.rejects(askControl(path, 'about'), { code: 'ENOENT' });
  });

  it('refuses what is no question', async () => {
    const path = await serve();
    assert.equal(await tell(path, 'hello\n'), '{"error":"not a question"}\n');
    assert.equal(await tell(path, '{"want":"everything"}\n'), '{"error":"unknown question"}\n');
    assert.equal(await tell(path, '{"want":"toString"}\n'), '{"error":"unknown question"}\n');
    assert.equal(await tell(path, 'x'.repeat(5000)), '{"error":"not a question"}\n');
    await assert.rejects(askControl(path, 'everything' as 'about'), /unknown question/);
    assert.deepEqual(await askControl(path, 'about'), ABOUT);
  });

  it('is found by whoever looks for running stacks', async () => {
    assert.deepEqual(await findRunning(), { running: [], left: [] });
    const path = await serve();
    const { running } = await findRunning();
    assert.deepEqual(running, [{ path, pid: process.pid, device: 'tap0', about: ABOUT }]);
  });

  it('of a process that was killed is removed, and its note is handed over', async () => {
    const dead = socketPath(openControlFolder(), NO_PID, 'tap0');
    const script = `require('net').createServer().listen(${JSON.stringify(dead)}, () => console.log('up'))`;
    const child = spawn(process.execPath, ['-e', script]);
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'close');
    writeFileSync(notePath(dead), 'note');
    assert.deepEqual(await findRunning(), { running: [], left: ['note'] });
    assert.equal(existsSync(dead), false);
    assert.equal(existsSync(notePath(dead)), false);
  });

  it('that refuses is left alone while its process may only be starting', async () => {
    const path = socketPath(openControlFolder(), process.pid, 'tap0');
    const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('up'))`;
    const child = spawn(process.execPath, ['-e', script]);
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'close');
    assert.deepEqual((await findRunning()).running, [
      { path, pid: process.pid, device: 'tap0', about: null },
    ]);
    utimesSync(path, 0, 0);
    assert.deepEqual((await findRunning()).running, []);
    assert.equal(existsSync(path), false);
  });

  it('lies in a folder that nobody else can enter', async () => {
    assert.equal(controlFolder(), join(folder, 'ethertype'));
    mkdirSync(controlFolder());
    chmodSync(controlFolder(), 0o770);
    assert.throws(() => openControlFolder(), /can be entered by other users/);
    await assert.rejects(findRunning(), /can be entered by other users/);
    rmSync(controlFolder(), { recursive: true });
    assert.equal(statSync(openControlFolder()).mode & 0o777, 0o700);
    process.env['XDG_RUNTIME_DIR'] = '/nonexistent';
    assert.match(controlFolder(), /\/ethertype-\d+$/);
  });
});
