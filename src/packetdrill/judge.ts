import type { TcpStateEvent } from '../trace/events.ts';
import { defaultDefines } from './configuration.ts';
import { parseScript } from './parse.ts';
import { type RunOptions, runScript, ScriptFailure } from './run.ts';
import { type Family, type Script, ScriptSyntaxError, UnsupportedError } from './syntax.ts';

/** What became of a script. */
export interface Verdict {
  /** A skip is not a pass. */
  readonly result: 'pass' | 'fail' | 'skip';
  /** What the packets went over. */
  readonly family: Family;
  /** One line; empty for a pass. */
  readonly reason: string;
  /** The packet that was expected and the one that came, the connection's state, and what was before. */
  readonly details: readonly string[];
}

/** How a script is judged. */
export interface JudgeOptions extends RunOptions {
  /** What packets go over where the script does not say. Default 'ipv4'. */
  readonly family?: Family;
  /** Whether the house's additions to the language are understood (docs/SCRIPTS.md). Default false. */
  readonly house?: boolean;
  readonly onState?: (event: TcpStateEvent) => void;
}

/** Reads and runs a script; never rejects because of what is in it. */
export async function judge(path: string, text: string, options: JudgeOptions): Promise<Verdict> {
  const { house = false } = options;
  let family = options.family ?? 'ipv4';
  try {
    const script: Script = parseScript(path, text, { family, house, defines: defaultDefines });
    family = script.family;
    await runScript(script, options);
    return { result: 'pass', family, reason: '', details: [] };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (error instanceof UnsupportedError)
      return { result: 'skip', family, reason: `not supported: ${error.message}`, details: [] };
    const known = error instanceof ScriptFailure || error instanceof ScriptSyntaxError;
    const message = known ? error.message : `${path}:0: the stack broke: ${error.stack ?? error.message}`;
    const [reason, ...details] = message.slice(path.length + 1).split('\n') as [string, ...string[]];
    return { result: 'fail', family, reason: reason.replace(/^(\d+): /, 'line $1: '), details };
  }
}
