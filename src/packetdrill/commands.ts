/**
 * The shell commands that scripts may use, and what each does to the stack under test. A command that is not in the
 * table is an error, never ignored; so is one that fails, unless `||` follows.
 * @module
 */
import { DEFAULT_SYSCTL } from '../core/sysctl.ts';
import type { RouteMetrics } from '../net/route-table.ts';
import type { Settings } from './settings.ts';
import { CommandError, type Pipeline, parseShell } from './shell.ts';
import type { VirtualFiles } from './virtual-files.ts';

/** What commands act on. */
export interface Machine {
  readonly settings: Settings;
  readonly files: VirtualFiles;
  readonly nowUs: number;
  /** Counters by the names nstat has for them. */
  counters(): Map<string, number>;
  /** The text of a file of /proc that is made when it is read; null when there is none. */
  procFile(path: string): string | null;
  /** Changes the route to the remote side. */
  changeRoute(metrics: RouteMetrics): void;
  /** Changes the MTU of the link's interface, in bytes. */
  changeMtu(bytes: number): void;
  /** Forgets what is known of servers. */
  flushMetrics(): void;
  /** Has no room for anything that is sent, of which the sender hears, or has it again. */
  dropAll(on: boolean): void;
  /** Lets virtual time pass. */
  sleepUntil(atUs: number): Promise<void>;
}

/** What a command leaves behind. */
interface Outcome {
  readonly status: number;
  readonly out: string;
  /** Why it failed, where the status does not say it all. */
  readonly why?: string;
}

type Command = (args: readonly string[], input: string, shell: Shell) => Outcome | Promise<Outcome>;

const OK: Outcome = { status: 0, out: '' };
/** Shell scripts that call each other. */
const DEPTH_MAX = 8;

/** Runs the commands of one script. */
export class Shell {
  readonly machine: Machine;
  /** Settings as they were before set_sysctls.py, for the file that restores them. */
  readonly saved = new Map<string, string>();
  /** Counters as nstat saw them last. */
  seen = new Map<string, number>();
  private readonly readFile: (path: string) => string | null;
  private depth = 0;

  /** `readFile` gives the text of a file that the script names, relative to the script's own folder. */
  constructor(machine: Machine, readFile: (path: string) => string | null) {
    this.machine = machine;
    this.readFile = readFile;
  }

  /** Runs a command line. Throws CommandError when something in it is unknown or fails. */
  async run(text: string): Promise<void> {
    let status = 0;
    let pipeline: Pipeline | null = null;
    for (const next of parseShell(text)) {
      const before: Pipeline['next'] = pipeline?.next ?? ';';
      const skip = (before === '&&' && status !== 0) || (before === '||' && status === 0);
      pipeline = next;
      if (skip) continue;
      const outcome = await this.runPipeline(next);
      status = outcome.status;
      if (status === 0 || next.next !== ';') continue;
      const line = next.commands.map(({ words }) => words.join(' ')).join(' | ');
      throw new CommandError(`'${line}': ${outcome.why ?? `non-zero status ${status}`}`);
    }
  }

  private async runPipeline({ commands }: Pipeline): Promise<Outcome> {
    let outcome: Outcome = OK;
    for (const { words, output } of commands) {
      outcome = await this.runCommand(words, outcome.out);
      if (output !== null) {
        this.write(output, outcome.out);
        outcome = { ...outcome, out: '' };
      }
    }
    return outcome;
  }

  private async runCommand(words: readonly string[], input: string): Promise<Outcome> {
    const [name, ...args] = words as [string, ...string[]];
    const base = name.slice(name.lastIndexOf('/') + 1);
    if (/^\/tmp\/sysctl_restore_\d+\.sh$/.test(name)) return this.restore();
    const command = Object.hasOwn(COMMANDS, base) ? COMMANDS[base] : undefined;
    if (command !== undefined) return command(args, input, this);
    if (name.includes('/') && base.endsWith('.sh')) return this.runFile(name);
    throw new CommandError(`unknown command '${words.join(' ')}'`);
  }

  private async runFile(path: string): Promise<Outcome> {
    const text = this.readFile(path);
    if (text === null) throw new CommandError(`${path}: not found`);
    if (++this.depth > DEPTH_MAX) throw new CommandError(`${path}: too many scripts within each other`);
    await this.run(text);
    this.depth--;
    return OK;
  }

  private restore(): Outcome {
    for (const [name, value] of this.saved) this.machine.settings.set(name, value);
    this.saved.clear();
    return OK;
  }

  private write(path: string, text: string): void {
    if (path === '/dev/null') return;
    if (path.startsWith('/proc/sys/') || path.startsWith('/sys/'))
      this.machine.settings.set(path, text.trim());
    else throw new CommandError(`writing to ${path} is not supported`);
  }
}

const COMMANDS: Readonly<Record<string, Command>> = {
  true: () => OK,
  false: () => ({ status: 1, out: '' }),
  ':': () => OK,
  echo: args => ({ status: 0, out: `${args.filter(arg => arg !== '-n').join(' ')}\n` }),
  cat: (args, input, shell) => ({
    status: 0,
    out: args.length === 0 ? input : readProc(args, shell).join('\n'),
  }),
  sleep: sleep,
  sysctl: sysctl,
  'set_sysctls.py': setSysctls,
  nstat: nstat,
  grep: grep,
  ip: ip,
  tc: tc,
  ethtool: ethtool,
  dd: dd,
  rm: (args, _input, { machine }) => {
    for (const path of args) if (!path.startsWith('-')) machine.files.remove(path);
    return OK;
  },
};

async function sleep([time]: readonly string[], _input: string, { machine }: Shell): Promise<Outcome> {
  const us = Math.round(Number(time) * 1e6);
  if (!(us >= 0)) throw new CommandError(`sleep: bad time '${time}'`);
  await machine.sleepUntil(machine.nowUs + us);
  return OK;
}

/** `sysctl -q net.ipv4.tcp_sack=0 ...`; -e: without complaint about names that do not exist. */
function sysctl(args: readonly string[], _input: string, { machine }: Shell): Outcome {
  const lenient = args.some(arg => /^-\w*e/.test(arg));
  let out = '';
  let unknown: string | null = null;
  const assignments = args.filter(arg => !arg.startsWith('-'));
  if (assignments.length === 0) throw new CommandError('sysctl without a name');
  for (const assignment of assignments) {
    const [, name, value] = /^([^=]+?)\s*(?:=(.*))?$/s.exec(assignment) as unknown as [
      string,
      string,
      string?,
    ];
    if (!machine.settings.has(name)) {
      if (!lenient) unknown = name;
      continue;
    }
    if (value === undefined) out += `${machine.settings.get(name) ?? ''}\n`;
    else machine.settings.set(name, value);
  }
  return unknown === null ? { status: 0, out } : { status: 255, out, why: `unknown sysctl '${unknown}'` };
}

/** `set_sysctls.py /proc/sys/net/ipv4/tcp_sack=0 ...`: sets, and makes a script that undoes it. */
function setSysctls(args: readonly string[], _input: string, { machine, saved }: Shell): Outcome {
  for (const assignment of args) {
    const at = assignment.indexOf('=');
    if (at < 0) throw new CommandError(`set_sysctls.py: '${assignment}' is not NAME=VALUE`);
    const name = assignment.slice(0, at);
    const old = machine.settings.get(name);
    machine.settings.set(name, assignment.slice(at + 1));
    if (old !== null && !saved.has(name)) saved.set(name, old);
  }
  return OK;
}

/** The counters that changed since the last time. */
function nstat(_args: readonly string[], _input: string, shell: Shell): Outcome {
  const now = shell.machine.counters();
  const lines = ['#kernel'];
  for (const [name, value] of now) {
    const change = value - (shell.seen.get(name) ?? 0);
    if (change !== 0) lines.push(`${name.padEnd(32)}${String(change).padEnd(19)}0.0`);
  }
  shell.seen = now;
  return { status: 0, out: `${lines.join('\n')}\n` };
}

function grep(args: readonly string[], input: string, shell: Shell): Outcome {
  const options = args.filter(arg => arg.startsWith('-'));
  const [pattern, ...files] = args.filter(arg => !arg.startsWith('-'));
  if (pattern === undefined || options.some(option => option !== '-q' && option !== '-e'))
    throw new CommandError(`grep ${args.join(' ')}: not understood`);
  const lines = files.length === 0 ? input.split('\n') : readProc(files, shell);
  const found = lines.filter(line => new RegExp(pattern).test(line));
  return { status: found.length > 0 ? 0 : 1, out: options.includes('-q') ? '' : found.join('\n') };
}

function readProc(files: readonly string[], { machine }: Shell): string[] {
  return files.flatMap(path => {
    const text =
      machine.procFile(path) ?? (path.startsWith('/proc/sys/') ? machine.settings.get(path) : null);
    if (text === null) throw new CommandError(`no file ${path} here`);
    return text.split('\n');
  });
}

/** What a route may be said to have. */
const ROUTE_ATTRIBUTES: readonly string[] = ['via', 'dev', 'initcwnd', 'mtu', 'advmss'];

/** `ip tcp_metrics flush`. `ip link set dev tun0 mtu N`. `ip route change ... initcwnd N mtu lock N advmss N`. */
function ip(args: readonly string[], _input: string, { machine }: Shell): Outcome {
  const words = args.filter(arg => !/^-[46]$/.test(arg));
  if (words[0] === 'tcp_metrics' && words[1] === 'flush') {
    machine.flushMetrics();
    return OK;
  }
  const mtu = /^link set (?:dev )?\w+ mtu (\d+)$/.exec(words.join(' '))?.[1];
  if (mtu !== undefined) {
    machine.changeMtu(Number(mtu));
    return OK;
  }
  if (words[0] !== 'route' || words[1] !== 'change')
    throw new CommandError(`unknown command 'ip ${args.join(' ')}'`);
  const given = new Map<string, string>();
  const rest = words.slice(3).filter(word => word !== 'lock');
  for (let i = 0; i < rest.length; i += 2) given.set(rest[i] ?? '', rest[i + 1] ?? '');
  for (const name of given.keys()) {
    if (!ROUTE_ATTRIBUTES.includes(name))
      throw new CommandError(`routes have no ${name} here: 'ip ${args.join(' ')}'`);
  }
  const cwnd = given.get('initcwnd');
  if (cwnd !== undefined) machine.settings.set('ethertype_init_cwnd', cwnd);
  const metrics: Record<string, number> = {};
  for (const name of ['mtu', 'advmss']) if (given.has(name)) metrics[name] = Number(given.get(name));
  machine.changeRoute({ ...metrics, mtuLock: words.includes('lock') });
  return OK;
}

/** Queueing disciplines: `fq` paces connections that are made from now on, a `pfifo` without room drops everything. */
function tc(args: readonly string[], _input: string, { machine }: Shell): Outcome {
  const [object, action, dev, , root, ...qdisc] = args;
  if (object !== 'qdisc' || dev !== 'dev' || root !== 'root')
    throw new CommandError(`unknown command 'tc ${args.join(' ')}'`);
  const kind = qdisc.join(' ');
  const removes = action === 'delete' || action === 'del';
  if (!removes && action !== 'add' && action !== 'replace' && action !== 'change')
    throw new CommandError(`unknown command 'tc ${args.join(' ')}'`);
  if (!removes && !/^(?:fq|noqueue|pfifo(?: limit \d+)?)$/.test(kind))
    throw new CommandError(`no queueing discipline '${kind}' here`);
  machine.settings.set(
    'net.core.default_qdisc',
    removes ? DEFAULT_SYSCTL.default_qdisc : (qdisc[0] as string),
  );
  machine.dropAll(!removes && kind === 'pfifo limit 0');
  return OK;
}

/** `ethtool -K tun0 tso off gso off`: the link has no offloads. */
function ethtool(args: readonly string[]): Outcome {
  const [flag, , ...features] = args;
  if (flag !== '-K' && flag !== '--offload')
    throw new CommandError(`unknown command 'ethtool ${args.join(' ')}'`);
  for (let i = 0; i < features.length; i += 2) {
    if (features[i + 1] !== 'off') throw new CommandError(`the link cannot: ethtool ${args.join(' ')}`);
  }
  return OK;
}

/** `dd if=/dev/zero of=FILE bs=N count=N`: a file, for open(2). */
function dd(args: readonly string[], _input: string, { machine }: Shell): Outcome {
  const given = new Map(args.map(arg => arg.split('=', 2) as [string, string]));
  const length = Number(given.get('bs') ?? 512) * Number(given.get('count') ?? 0);
  const path = given.get('of');
  if (given.get('if') !== '/dev/zero' || path === undefined || !Number.isSafeInteger(length))
    throw new CommandError(`dd ${args.join(' ')}: not understood`);
  machine.files.create(path, length);
  return OK;
}
