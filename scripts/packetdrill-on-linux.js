#!/usr/bin/env node
// Runs our own scripts (test/packetdrill/scripts, or those named) against the kernel of this machine, with a
// packetdrill that you built from google/packetdrill, and compares what comes of it with what the head of each says.
// Needs Linux, root and iproute2. Each script has a network namespace of its own, with the kernel's default settings.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const USAGE = `Usage: node scripts/packetdrill-on-linux.js --packetdrill PATH [options] [FILE|FOLDER ...]

  --packetdrill PATH  the packetdrill to run: build it from https://github.com/google/packetdrill
  --ipv6              over IPv6
  --jobs N            scripts at a time (default 8)
  --tries N           a script that fails is run again: the clock is a real one (default 3)
  --verbose           what packetdrill says of those that fail
`;

/** What the namespace does not have from the kernel: Linux's defaults, whatever this machine is tuned to. */
const SYSCTLS = [
  'net.ipv4.tcp_congestion_control=cubic',
  'net.ipv4.tcp_rmem=4096 131072 6291456',
  'net.ipv4.tcp_wmem=4096 16384 4194304',
];

/** The addresses, and the Fast Open cookie for them, that google/packetdrill's own way of running its scripts has. */
const FAMILY = {
  ipv4:
    '--ip_version=ipv4 --local_ip=192.168.0.1 --gateway_ip=192.168.0.1 --netmask_ip=255.255.0.0 --remote_ip=192.0.2.1 ' +
    '-D TFO_COOKIE=3021b9d889017eeb',
  ipv6:
    '--ip_version=ipv6 --mtu=1520 --local_ip=fd3d:0a0b:17d6::1 --gateway_ip=fd3d:0a0b:17d6:8888::1 ' +
    '--remote_ip=fd3d:fa7b:d17d::1 -D TFO_COOKIE=c1d1e9742a47a9bc',
};
const TIMEOUT_MS = 300_000;

function fail(why) {
  process.stderr.write(`packetdrill-on-linux: ${why}\n`);
  process.exit(2);
}

function scriptsUnder(path) {
  if (!existsSync(path)) fail(`${path}: no such file or folder`);
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap(name => {
      const child = join(path, name);
      if (statSync(child).isDirectory()) return scriptsUnder(child);
      return name.endsWith('.pkt') ? [child] : [];
    });
}

/** What the head of a script says: 'passes', 'differs', 'not run'; '' when it says nothing. */
function claimOf(path) {
  return /^\/\/ Linux [\d.]+: (passes|differs|not run)/m.exec(readFileSync(path, 'utf8'))?.[1] ?? '';
}

function ip(...args) {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' });
  if (status !== 0) fail(`ip ${args.join(' ')}: ${(stderr ?? '').trim() || 'failed'} (root?)`);
}

function makeNamespace(name) {
  ip('netns', 'add', name);
  ip('-netns', name, 'link', 'set', 'lo', 'up');
  for (const setting of SYSCTLS) {
    const { status, stderr } = spawnSync('ip', ['netns', 'exec', name, 'sysctl', '-qw', setting], {
      encoding: 'utf8',
    });
    if (status === 0) continue;
    spawnSync('ip', ['netns', 'del', name]);
    fail(
      `${setting}: ${stderr.trim()}\nCubic must be in net.ipv4.tcp_allowed_congestion_control of the machine.`,
    );
  }
}

/** Runs a script once; null when it passed, else what packetdrill said. */
function runOnce(path, name, binary, family) {
  makeNamespace(name);
  const args = [
    'netns',
    'exec',
    name,
    binary,
    '--send_omit_free',
    ...FAMILY[family].split(' '),
    basename(path),
  ];
  return new Promise(done => {
    let said = '';
    const child = spawn('ip', args, { cwd: dirname(path), stdio: ['ignore', 'pipe', 'pipe'] });
    // Its times are real ones: whoever else runs here shall not make it late.
    setPriority(child.pid, constants.priority.PRIORITY_HIGHEST);
    const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
    for (const stream of [child.stdout, child.stderr]) stream.on('data', data => (said += data));
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      spawnSync('ip', ['netns', 'del', name]);
      done(status === 0 ? null : said.trim() || `ended with ${status ?? signal}`);
    });
  });
}

async function runScript(path, worker, { binary, family, tries }) {
  for (let attempt = 1; ; attempt++) {
    const said = await runOnce(path, `et-${process.pid}-${worker}`, binary, family);
    if (said === null || attempt === tries) return { said, attempt };
  }
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    packetdrill: { type: 'string' },
    ipv6: { type: 'boolean', default: false },
    jobs: { type: 'string', default: '8' },
    tries: { type: 'string', default: '3' },
    verbose: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}
if (values.packetdrill === undefined) fail(`which packetdrill?\n${USAGE}`);
const binary = resolve(values.packetdrill);
if (!existsSync(binary)) fail(`${binary}: no such file`);

const family = values.ipv6 ? 'ipv6' : 'ipv4';
const notFor = values.ipv6 ? 'v4.pkt' : 'v6.pkt';
const folder = new URL('../test/packetdrill/scripts', import.meta.url).pathname;
const paths = (positionals.length > 0 ? positionals : [folder])
  .flatMap(scriptsUnder)
  .filter(path => !path.endsWith(notFor) && claimOf(path) !== 'not run');
const total = { passed: 0, failed: 0, surprises: 0 };
const queue = [...paths];

async function work(worker) {
  for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
    const { said, attempt } = await runScript(path, worker, { binary, family, tries: Number(values.tries) });
    const claim = claimOf(path);
    const surprise = (said === null) !== (claim === 'passes');
    total[said === null ? 'passed' : 'failed']++;
    if (surprise) total.surprises++;
    const result = said === null ? 'pass' : 'FAIL';
    const notes = [
      surprise ? `but its head says '${claim}'` : '',
      attempt > 1 && said === null ? `try ${attempt}` : '',
    ];
    process.stdout.write(`${[result, path, ...notes.filter(Boolean)].join('  ')}\n`);
    if (said !== null && (values.verbose || surprise))
      process.stdout.write(`${said.replace(/^/gm, '      ')}\n`);
  }
}

await Promise.all(Array.from({ length: Math.max(1, Number(values.jobs)) }, (_, worker) => work(worker)));
process.stdout.write(
  `\n${paths.length} scripts on ${family}: ${total.passed} pass, ${total.failed} fail; ` +
    `${total.surprises} not as their heads say\n`,
);
process.exitCode = total.surprises === 0 ? 0 : 1;
