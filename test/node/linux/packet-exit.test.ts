import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { enterNetns } from './kernel.ts';
import { skipReason, Wire } from './netns.ts';

const skip = skipReason();

const OPEN = `
  const { openPacketSocket, openCapture, openXdp } = await import('${moduleUrl('linux/index.js')}');
  const { Stack, nodeEnv } = await import('${moduleUrl('index.js')}');
  const env = nodeEnv();
  const stack = new Stack({ env });
  const open = () => {
    const capture = openCapture({ device: 'veth1', onFrame: () => {} });
    stack.attach(openPacketSocket({ device: 'veth1', env }), { address: '10.65.9.2/24' });
    stack.attach(openXdp({ device: 'veth1', env }), { address: '10.65.9.3/24' });
    return capture;
  };
`;

describe('the end of a process with links on an interface', { skip, timeout: 60_000 }, () => {
  let wire: Wire;
  before(() => {
    enterNetns();
    wire = new Wire();
  });
  after(() => wire.close());

  /** Runs a program at our end of the wire. */
  async function run(program: string, uid = 0): Promise<{ code: number | null; output: string }> {
    const args = ['--input-type=module', '--eval', OPEN + program];
    const child = wire.ours.run(() => spawn(process.execPath, args, { uid, timeout: 20_000 }));
    let output = '';
    child.stdout.on('data', chunk => {
      output += chunk;
    });
    child.stderr.on('data', chunk => {
      output += chunk;
    });
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, output };
  }

  it('comes by itself when all are closed', async () => {
    const program = `
      const capture = open();
      setTimeout(() => { capture.close(); stack.close(); }, 20);
      process.on('exit', () => console.log('done'));
    `;
    assert.deepEqual(await run(program), { code: 0, output: 'done\n' });
  });

  it('comes with process.exit() and leaves nothing on the interface', async () => {
    const program = `
      open();
      setTimeout(() => process.exit(7), 20);
    `;
    for (let n = 0; n < 2; n++) assert.deepEqual(await run(program), { code: 7, output: '' });
  });

  it('one line says that the right is missing', async () => {
    const program = `
      for (const what of [openPacketSocket, openXdp, openCapture]) {
        try { what({ device: 'veth1', env }); } catch (error) { console.log(error.code, error.message); }
      }
    `;
    const { code, output } = await run(program, 65534);
    assert.equal(code, 0, output);
    const lines = output.trim().split('\n');
    assert.equal(lines.length, 3);
    for (const line of lines) assert.match(line, /^EPERM EPERM: .*: run as root,? or with CAP_NET_RAW, /);
  });
});

function moduleUrl(path: string): string {
  return new URL(`../../../src/node/${path}`, import.meta.url).href;
}
