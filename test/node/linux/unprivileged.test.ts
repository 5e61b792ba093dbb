import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { nodeEnv } from '../../../src/node/env.ts';
import { deleteInterface } from '../../../src/node/linux/netdev.ts';
import { openTap } from '../../../src/node/linux/tap.ts';
import { enterNetns } from './kernel.ts';
import { skipReason } from './netns.ts';

/** Linux's user without rights. */
const NOBODY = 65534;
const OWN_NETWORK = ['--user', '--net', '--map-root-user'];
const sources = fileURLToPath(new URL('../../../src/', import.meta.url));

/** A program that opens a link, has the kernel ping it, and prints how that went. */
const PROGRAM = `
  import { spawn } from 'node:child_process';
  import { addAddress, openTap, setUp } from '${sources}node/linux/index.js';
  import { nodeEnv, Stack } from '${sources}node/index.js';
  try {
    const env = nodeEnv();
    const link = openTap({ name: 'un0', env });
    addAddress('un0', '10.65.0.1/24');
    setUp('un0');
    const stack = new Stack({ env });
    stack.attach(link, { address: '10.65.0.2/24' });
    spawn('ping', ['-c', '3', '-i', '0.2', '-W', '2', '10.65.0.2']).on('close', code => {
      console.log('ping', code);
      stack.close();
    });
  } catch (error) {
    console.log(error.message);
  }
`;

/** Runs a program as nobody, on a machine (a mount namespace) whose /dev/net/tun has this mode. */
function asNobody(mode: string, program: string, ...before: string[]) {
  const script = `
    mount -t tmpfs none /mnt && mknod -m ${mode} /mnt/tun c 10 200 && mount --bind /mnt/tun /dev/net/tun &&
    exec setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups "$@"`;
  const node = [process.execPath, '--input-type=module', '--eval', program];
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    ['--mount', 'sh', '-c', script, 'sh', ...before, ...node],
    { encoding: 'utf8', timeout: 20_000, cwd: '/' },
  );
  return { status, output: `${stdout}${stderr}` };
}

/** Why a user without rights cannot be tried here. */
function skipNobody(...before: string[]): string | false {
  const reason = skipReason('ping', 'unshare', 'setpriv', 'mknod', 'mount');
  if (reason !== false) return reason;
  const program = `import '${sources}node/index.js'`;
  const { status, output } = asNobody('666', program, ...before);
  return status === 0 ? false : `SKIPPED: ${output.split('\n')[0]}`;
}

describe('a user without rights', { timeout: 60_000 }, () => {
  const skip = skipNobody();

  it('is told what to do when the device is closed', { skip }, () => {
    const { output } = asNobody('600', PROGRAM);
    assert.match(output, /^EACCES: permission denied, open \/dev\/net\/tun: .*root.*chmod 666.*\n$/);
  });

  it('is told what to do when making an interface is not allowed', { skip }, () => {
    const { output } = asNobody('666', PROGRAM);
    assert.match(output, /^EPERM: operation not permitted, open tap interface un0: .*\n$/);
    for (const remedy of ['root', 'CAP_NET_ADMIN', 'unshare --user --net --map-root-user']) {
      assert.ok(output.includes(remedy), output);
    }
  });

  it('may open an interface that root made for them', { skip }, () => {
    enterNetns();
    const made = openTap({ name: 'un1', env: nodeEnv() });
    assert.equal(made.setOwner(NOBODY), 0);
    assert.equal(made.setPersistent(true), 0);
    made.close();
    try {
      const open = `
        import { openTap } from '${sources}node/linux/index.js';
        import { nodeEnv } from '${sources}node/index.js';
        const link = openTap({ name: 'un1', env: nodeEnv() });
        console.log(link.name, link.offloads.checksum);
        link.close();
      `;
      assert.equal(asNobody('666', open).output, 'un1 true\n');
      assert.match(asNobody('666', open.replaceAll('un1', 'un2')).output, /EPERM/);
    } finally {
      deleteInterface('un1');
    }
  });

  it('has links in a network of their own', { skip: skip || skipNobody('unshare', ...OWN_NETWORK) }, () => {
    const { output } = asNobody('666', PROGRAM, 'unshare', ...OWN_NETWORK);
    assert.equal(output.split('\n').at(-2), 'ping 0', output);
  });
});

describe('without the package koffi', () => {
  it('the drivers say which package they need, in one line; the rest works', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ethertype-'));
    try {
      cpSync(sources, join(folder, 'src'), { recursive: true, filter: path => !/\.(?:map|ts)$/.test(path) });
      const program = `
        import { listInterfaces } from '${folder}/src/node/linux/index.js';
        import { nodeEnv, Stack } from '${folder}/src/node/index.js';
        new Stack({ env: nodeEnv() }).close();
        try { listInterfaces(); } catch (error) { console.log(error.message); }
      `;
      const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
        encoding: 'utf8',
        cwd: folder,
      });
      const expected =
        process.platform === 'linux'
          ? 'the Linux drivers need the package koffi: npm install koffi\n'
          : 'the Linux drivers need Linux\n';
      assert.equal(stdout, expected);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
