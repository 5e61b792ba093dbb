import { DEFAULT_SYSCTL, type Sysctl } from '../core/sysctl.ts';
import { CONGESTION_CONTROLS } from '../tcp/congestion/registry.ts';
import { parseFastOpenKeys } from '../transport/fast-open-cookies.ts';
import { CommandError } from './shell.ts';

/** Settings of Linux that say nothing here, whatever their value. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  // Linux has nothing behind it since 4.15.
  'tcp_fack',
  // Only Accurate ECN looks at it, which tcp_ecn=3 would turn on.
  'tcp_ecn_option',
  // No metrics are kept.
  'tcp_no_metrics_save',
]);

/** Settings that are only for reading, with their values. */
const READ_ONLY: ReadonlyMap<string, string> = new Map([
  ['tcp_available_congestion_control', CONGESTION_CONTROLS.join(' ')],
]);

/** tcp_ecn above it turns on Accurate ECN. */
const ECN_MAX = 2;

/** The settings of a stack as a script reaches them: by their names, as text. */
export class Settings {
  private readonly sysctl: Sysctl;
  private readonly changed: () => void;

  /** `changed` is called after a setting got another value. */
  constructor(sysctl: Sysctl, changed: () => void) {
    this.sysctl = sysctl;
    this.changed = changed;
  }

  /** Whether there is a setting of this name. */
  has(name: string): boolean {
    const key = keyOf(name);
    return key in DEFAULT_SYSCTL || WITHOUT_EFFECT.has(key) || READ_ONLY.has(key);
  }

  /** Sets `net.ipv4.tcp_sack`, `/proc/sys/net/ipv4/tcp_sack` ... Throws CommandError when that cannot be. */
  set(name: string, text: string): void {
    const key = keyOf(name);
    const sample = DEFAULT_SYSCTL[key as keyof Sysctl];
    if (sample !== undefined) {
      Object.assign(this.sysctl, { [key]: parseSetting(name, text, sample) });
      this.changed();
      return;
    }
    if (READ_ONLY.has(key)) throw new CommandError(`sysctl ${name} is only for reading`);
    if (!WITHOUT_EFFECT.has(key)) throw new CommandError(`unknown sysctl '${name}'`);
  }

  /** The value of a setting as text; null when there is none, or none that can be changed. */
  get(name: string): string | null {
    const key = keyOf(name);
    if (!(key in DEFAULT_SYSCTL)) return READ_ONLY.get(key) ?? null;
    const value = this.sysctl[key as keyof Sysctl];
    if (Array.isArray(value)) return value.join(' ');
    return typeof value === 'boolean' ? String(Number(value)) : String(value);
  }
}

/**
 * `net.ipv4.neigh.default.gc_thresh3` and its path under /proc/sys: the last part. A parameter of a kernel module:
 * its name behind that of the module.
 */
function keyOf(name: string): string {
  const parameter = /^\/sys\/module\/(\w+)\/parameters\/(\w+)$/.exec(name);
  if (parameter !== null) return `${parameter[1]}_${parameter[2]}`;
  const path = name.replace(/^\/proc\/sys\//, '').replaceAll('/', '.');
  return /^net\.(?:ipv4|ipv6|core)\./.test(path) ? path.slice(path.lastIndexOf('.') + 1) : path;
}

function parseSetting(name: string, text: string, sample: unknown): unknown {
  if (typeof sample === 'string') {
    if (keyOf(name) === 'tcp_fastopen_key' && text !== '' && parseFastOpenKeys(text) === null)
      throw new CommandError(`sysctl ${name}: '${text}' is no key: four words of hexadecimal digits`);
    if (keyOf(name) === 'tcp_congestion_control' && !CONGESTION_CONTROLS.includes(text))
      throw new CommandError(`sysctl ${name}: there are ${CONGESTION_CONTROLS.join(', ')}, not '${text}'`);
    return text;
  }
  const numbers = text.trim().split(/\s+/).map(Number);
  if (text.trim() === '' || numbers.some(Number.isNaN))
    throw new CommandError(`sysctl ${name}: '${text}' is not a number`);
  if (keyOf(name) === 'tcp_ecn' && (numbers[0] as number) > ECN_MAX)
    throw new CommandError(`sysctl ${name}: there is no Accurate ECN, so ${ECN_MAX} is the most`);
  if (Array.isArray(sample)) {
    if (numbers.length !== sample.length)
      throw new CommandError(`sysctl ${name} needs ${sample.length} numbers`);
    return numbers;
  }
  return typeof sample === 'boolean' ? numbers[0] !== 0 : numbers[0];
}
