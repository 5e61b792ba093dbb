import { dirname } from 'node:path';
import type { FileResult } from './run-file.ts';

/** One line of JSON. */
export function formatJson({ file, verdict, ms }: FileResult): string {
  const { family, result, reason } = verdict;
  return `${JSON.stringify({ file, family, result, reason, ms })}\n`;
}

/** What became of a script, for people; with `verbose` what was before it has been shown already. */
export function formatResult({ file, verdict, ms }: FileResult, verbose: boolean): string {
  const { result, reason } = verdict;
  const head = result === 'pass' ? `pass ${file} (${ms} ms)` : `${result.toUpperCase()} ${file}: ${reason}`;
  const past = verdict.details.findIndex(line => line.startsWith('  before it:'));
  const details = verbose && past >= 0 ? verdict.details.slice(0, past) : verdict.details;
  return [head, ...details].map(line => `${line}\n`).join('');
}

/** How many passed, by folder and in all. */
export function formatTotals(results: readonly FileResult[]): string {
  const folders = new Map<string, FileResult[]>();
  for (const result of results) {
    const folder = dirname(result.file);
    const list = folders.get(folder) ?? [];
    if (list.length === 0) folders.set(folder, list);
    list.push(result);
  }
  const lines = folders.size < 2 ? [] : [...folders].map(([folder, list]) => `${folder}: ${count(list)}`);
  return ['', ...lines, `All: ${count(results)}`].map(line => `${line}\n`).join('');
}

function count(results: readonly FileResult[]): string {
  const of = (wanted: string): number => results.filter(({ verdict }) => verdict.result === wanted).length;
  const skipped = of('skip') === 0 ? '' : `, ${of('skip')} skipped`;
  return `${of('pass')} of ${results.length} passed, ${of('fail')} failed${skipped}`;
}
