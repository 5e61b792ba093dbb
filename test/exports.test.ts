import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { readText, repositoryRoot } from './support/repository.ts';
import { Source } from './support/source.ts';

type Target = string | { readonly [condition: string]: Target };

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, Target>>;
  readonly bin: Readonly<Record<string, string>>;
  readonly files: readonly string[];
}

const root = repositoryRoot();
const manifest = JSON.parse(readText('package.json')) as Manifest;

/** Every file an entry of the exports map may lead to, with the conditions on the way. */
function targets(target: Target, conditions: string): [string, string][] {
  if (typeof target === 'string') return [[conditions, target]];
  return Object.entries(target).flatMap(([condition, inner]) => targets(inner, `${conditions} ${condition}`));
}

/** Names that each entry must have. */
const PROMISED: Record<string, readonly string[]> = {
  '.': [
    'Stack',
    'World',
    'nodeEnv',
    'createCable',
    'faulty',
    'LearningSwitch',
    'TraceLog',
    'IpAddress',
    'ping',
    'traceroute',
  ],
  './dns': ['Resolver', 'serveDns', 'decodeMessage', 'encodeMessage'],
  './http': ['HttpClient', 'serveHttp', 'serveFiles', 'MemoryFiles'],
  './linux': ['openTap', 'setUp', 'addAddress', 'listInterfaces', 'SystemError'],
  './pcap': ['PcapWriter', 'readPcap'],
  './socket': ['AF_INET', 'SOCK_STREAM', 'EPOLLIN', 'ECONNREFUSED', 'out'],
  './view': ['tcpdumpView', 'formatStrace', 'formatSockets', 'formatNetstat', 'pcapSink'],
};

/** What dist/FOLDER/index.js exports. */
function entryPoint(folder: string): Promise<object> {
  return import(pathToFileURL(join(root, 'dist', folder, 'index.js')).href);
}

/** The packages that a module and all it imports need at run time, sorted. */
function packagesOf(entry: string): string[] {
  const packages = new Set<string>();
  const seen = new Set<string>();
  const visit = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    for (const { specifier, typeOnly } of new Source(path, readText(path)).imports()) {
      if (typeOnly || specifier.startsWith('node:')) continue;
      if (specifier.startsWith('.')) visit(posix.join(posix.dirname(path), specifier));
      else packages.add(specifier);
    }
  };
  visit(entry);
  return [...packages].sort();
}

const all = Object.entries(manifest.exports).flatMap(([entry, target]) => targets(target, entry));

describe('exports of the package', () => {
  it('lead to files that exist and are published', () => {
    for (const [entry, path] of [...all, ...Object.entries(manifest.bin)]) {
      assert.ok(existsSync(join(root, path)), `${entry}: ${path} does not exist`);
      const inPackage = manifest.files.some(file => path === `./${file}` || path.startsWith(`./${file}/`));
      assert.ok(inPackage || path === './package.json', `${entry}: ${path} is not in "files"`);
    }
  });

  it('name types first wherever they name code', () => {
    const check = (target: Target, conditions: string): void => {
      if (typeof target === 'string') return;
      const [first] = Object.keys(target);
      const code = Object.values(target).some(inner => typeof inner === 'string' && inner.endsWith('.js'));
      if (code) assert.equal(first, 'types', `${conditions}: "types" must come first`);
      for (const [condition, inner] of Object.entries(target)) check(inner, `${conditions} ${condition}`);
    };
    for (const [entry, target] of Object.entries(manifest.exports)) check(target, entry);
  });

  for (const [conditions, path] of all.filter(([, path]) => path.endsWith('.js'))) {
    it(`${conditions} can be imported`, async () => {
      const module = (await import(pathToFileURL(join(root, path)).href)) as Record<string, unknown>;
      assert.ok(Object.keys(module).length > 0, `${path} exports nothing`);
    });
  }

  for (const entry of Object.keys(manifest.exports).filter(entry => entry !== './package.json')) {
    it(`${entry} can be imported by its public name`, async () => {
      const module = (await import(posix.join(manifest.name, entry))) as Record<string, unknown>;
      assert.ok(Object.keys(module).length > 0);
      if (entry === '.') assert.equal(typeof module['Stack'], 'function');
    });
  }

  it('give what each entry is for', async () => {
    for (const [entry, names] of Object.entries(PROMISED)) {
      const module = (await import(posix.join(manifest.name, entry))) as Record<string, unknown>;
      for (const name of names) assert.ok(name in module, `${entry}: ${name}`);
    }
    const code = Object.keys(manifest.exports).filter(entry => !entry.endsWith('.json'));
    assert.deepEqual(code.sort(), Object.keys(PROMISED).sort());
  });

  it('are the same in Node and in browsers, but for the environment', async () => {
    const [node, web] = await Promise.all(
      ['node', 'web'].map(async folder => Object.keys(await entryPoint(folder)).sort()),
    );
    const only = (some: string[] = [], others: string[] = []) => some.filter(name => !others.includes(name));
    assert.deepEqual(only(node, web), ['FolderFiles', 'createDatagramLink', 'createDuplexLink', 'nodeEnv']);
    assert.deepEqual(only(web, node), ['webEnv']);
  });

  it('need no package but for ethertype/dns and ethertype/http', () => {
    const library = '@dnsquery/dns-packet';
    const packages: Record<string, readonly string[]> = {
      './dns': ['', '/classes.js', '/opcodes.js', '/rcodes.js', '/types.js'].map(file => library + file),
      './http': ['http-parser-js', 'mrmime'],
    };
    const folders: Record<string, string> = { '.': 'node', './linux': 'node/linux' };
    for (const entry of Object.keys(PROMISED)) {
      const needed = packagesOf(posix.join('src', folders[entry] ?? entry, 'index.ts'));
      assert.deepEqual(needed, packages[entry] ?? [], entry);
    }
  });

  for (const folder of ['node', 'web']) {
    it(`give a World that runs without further ado: ${folder}`, async () => {
      const { World } = (await entryPoint(folder)) as typeof import('../src/node/index.ts');
      const world = new World({ seed: 1 });
      const [a, b] = [world.host('a'), world.host('b')];
      world.connect(a, b);
      const accepting = b.listen({ port: 80 }).accept();
      const { remoteAddress } = await world.run(a.connect('10.0.0.2:80').opened);
      assert.equal(remoteAddress, '10.0.0.2:80');
      await world.run(accepting);
      world.close();
    });
  }

  it('say the same version everywhere', async () => {
    const lock = JSON.parse(readText('package-lock.json')) as { version: string };
    assert.equal(lock.version, manifest.version);
  });
});
