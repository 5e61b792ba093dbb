// Assembles src/wire/*.wat into src/wire/checksum-wasm.ts. `--check` only compares and exits with status 1 on a difference.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import loadWabt from 'wabt';

const MODULES = [
  ['CHECKSUM_SIMD', 'checksum-simd.wat', 'The SIMD kernel'],
  ['CHECKSUM_SCALAR', 'checksum-scalar.wat', 'The kernel without SIMD'],
];

const wireFolder = new URL('../src/wire/', import.meta.url);
const target = new URL('checksum-wasm.ts', wireFolder);
const wabt = await loadWabt();

let text = '// Made by scripts/build-wasm.js from the .wat files in this folder. Do not edit.\n';
for (const [constant, file, what] of MODULES) {
  const module = wabt.parseWat(file, readFileSync(new URL(file, wireFolder), 'utf8'), { simd: true });
  module.resolveNames();
  module.validate();
  const { buffer } = module.toBinary({});
  text += `\n/** ${what}: ${buffer.length} bytes of WebAssembly in hexadecimal, assembled from ${file}. */\n`;
  text += `export const ${constant} =\n  '${Buffer.from(buffer).toString('hex')}';\n`;
}

if (!process.argv.includes('--check')) {
  writeFileSync(target, text);
} else if (readFileSync(target, 'utf8') !== text) {
  console.error(
    `${fileURLToPath(target)} is not what its .wat files assemble to: run node scripts/build-wasm.js`,
  );
  process.exitCode = 1;
}
