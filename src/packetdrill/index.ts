/**
 * Scripts in packetdrill's language, run on virtual time against the stack (docs/PACKETDRILL.md).
 * @module
 */
export { defaultDefines } from './configuration.ts';
export { type JudgeOptions, judge, type Verdict } from './judge.ts';
export { type ParseOptions, parseScript } from './parse.ts';
export { type RunOptions, runScript, ScriptFailure } from './run.ts';
export { type Family, type Script, ScriptSyntaxError, UnsupportedError } from './syntax.ts';
