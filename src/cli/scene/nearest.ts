/** How many names are suggested. */
const NAMES_MAX = 3;

/** The names most like a mistyped one, the best first: those with few letters wrong, and those that contain it. */
export function nearest(typed: string, names: readonly string[]): string[] {
  const wanted = typed.toLowerCase();
  const limit = Math.max(2, Math.floor(wanted.length / 3));
  return names
    .map(name => ({ name, wrong: name.includes(wanted) && wanted !== '' ? 0 : distance(wanted, name) }))
    .filter(({ wrong }) => wrong <= limit)
    .sort((a, b) => a.wrong - b.wrong)
    .slice(0, NAMES_MAX)
    .map(({ name }) => name);
}

/** How many letters must be put in, taken out or replaced to make one word of the other (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
