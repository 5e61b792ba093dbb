import { DEFAULT_SYSCTL, type Sysctl } from '../../src/core/sysctl.ts';
import * as constants from '../../src/socket/constants.ts';
import type { Value } from './syntax.ts';

/** Something a script asks for that does not exist. */
export class ScriptValueError extends Error {
  override name = 'ScriptValueError';
}

const SYMBOLS: Record<string, number> = {
  ...constants,
  PF_INET: constants.AF_INET,
  SOL_IP: constants.IPPROTO_IP,
  NULL: 0,
  TCPI_OPT_TIMESTAMPS: 1,
  TCPI_OPT_SACK: 2,
  TCPI_OPT_WSCALE: 4,
  TCP_CA_Open: 0,
  TCP_CA_Disorder: 1,
  TCP_CA_CWR: 2,
  TCP_CA_Recovery: 3,
  TCP_CA_Loss: 4,
};

/** A constant of the socket calls; undefined when there is none of this name. */
export function constantOf(name: string): number | undefined {
  return SYMBOLS[name];
}

/** The number a value stands for; -1 for `...`, which the calls that accept it read as "you choose". */
export function numberOf(value: Value | undefined): number {
  switch (value?.kind) {
    case 'number':
      return value.value;
    case 'symbol': {
      const number = SYMBOLS[value.name];
      if (number === undefined) throw new ScriptValueError(`unknown constant ${value.name}`);
      return number;
    }
    case 'or':
      return value.parts.reduce((sum, part) => sum | numberOf(part), 0);
    case 'array':
      return numberOf(value.items[0]);
    case 'elided':
      return -1;
    default:
      throw new ScriptValueError(`a number is needed, not ${value?.kind ?? 'nothing'}`);
  }
}

/** The members of a struct by name, as numbers. */
export function membersOf(value: Value | undefined): Record<string, number> {
  if (value?.kind !== 'struct')
    throw new ScriptValueError(`a struct is needed, not ${value?.kind ?? 'nothing'}`);
  return Object.fromEntries([...value.fields].map(([name, member]) => [name, numberOf(member)]));
}

/** The text of a symbol or string. */
export function textOf(value: Value | undefined): string {
  if (value?.kind === 'symbol') return value.name;
  if (value?.kind === 'string') return value.value;
  throw new ScriptValueError(`a name is needed, not ${value?.kind ?? 'nothing'}`);
}

/**
 * Reads a command: `sysctl -q net.ipv4.tcp_sack=0 net.ipv4.tcp_rmem="4096 5000 6000"`. Anything else is an error:
 * a script whose conditions are not met proves nothing.
 */
export function parseCommand(command: string): Partial<Sysctl> {
  const match = /^sysctl\s+(?:-[qw]+\s+)*(.*)$/s.exec(command);
  if (match === null) throw new ScriptValueError(`unknown command '${command}'`);
  const settings: Record<string, unknown> = {};
  for (const [, name, quoted, plain] of (match[1] as string).matchAll(
    /([\w.]+)\s*=\s*(?:"([^"]*)"|(\S+))/g,
  )) {
    const key = (name as string).replace(/^net\.(?:ipv4|core)\.(?:neigh\.default\.)?/, '') as keyof Sysctl;
    const sample = DEFAULT_SYSCTL[key];
    if (sample === undefined) throw new ScriptValueError(`unknown sysctl '${name}'`);
    settings[key] = parseSetting(quoted ?? (plain as string), sample);
  }
  if (Object.keys(settings).length === 0) throw new ScriptValueError(`'${command}' sets nothing`);
  return settings;
}

function parseSetting(text: string, sample: unknown): unknown {
  if (typeof sample === 'string') return text;
  const numbers = text.trim().split(/\s+/).map(Number);
  if (numbers.some(Number.isNaN)) throw new ScriptValueError(`'${text}' is not a number`);
  if (Array.isArray(sample)) return numbers;
  return typeof sample === 'boolean' ? numbers[0] !== 0 : numbers[0];
}
