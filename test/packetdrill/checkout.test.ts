import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { turn } from '../../src/node/turn.ts';
import { defaultDefines, judge, parseScript } from '../../src/packetdrill/index.ts';

/** A checkout of google/packetdrill, whose scripts are GPL and are therefore never in this repository. */
const checkout = process.env['PACKETDRILL'];
const skip = checkout === undefined ? 'PACKETDRILL=DIR names no checkout of google/packetdrill' : false;

function scriptsUnder(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return scriptsUnder(path);
    return entry.name.endsWith('.pkt') ? [path] : [];
  });
}

describe("packetdrill: google's scripts", { skip }, () => {
  const root = join(checkout ?? '', 'gtests', 'net');

  it('can all be read', () => {
    const scripts = scriptsUnder(join(root, 'tcp'));
    assert.ok(scripts.length >= 162, `${scripts.length} scripts`);
    for (const path of scripts) {
      const family = path.endsWith('v6.pkt') ? 'ipv6' : 'ipv4';
      const options = { family, defines: defaultDefines } as const;
      assert.ok(parseScript(path, readFileSync(path, 'utf8'), options).events.length > 0, path);
    }
  });

  it('those that must fail do, with the error that they state', async () => {
    const scripts = scriptsUnder(join(root, 'packetdrill', 'tests'));
    let stated = 0;
    for (const path of scripts) {
      const text = readFileSync(path, 'utf8');
      const wanted = /^\s*\/\/ Failure: (.*)$/m.exec(text)?.[1];
      if (wanted === undefined) continue;
      stated++;
      const readFile = (name: string): string | null => {
        const file = resolve(dirname(path), name);
        return existsSync(file) ? readFileSync(file, 'utf8') : null;
      };
      const { result, reason } = await judge(path, text, { turn, readFile });
      assert.equal(result, 'fail', path);
      assert.match(reason, new RegExp(wanted), path);
    }
    assert.equal(stated, 3);
  });
});
