/**
 * Breaks a line that is longer than `columns` at blanks, or anywhere when a word is longer than that; what follows is
 * indented by `indent`. 0 columns: never.
 */
export function wrap(line: string, columns: number, indent = '        '): string[] {
  if (columns === 0 || line.length <= columns) return [line];
  const lines: string[] = [];
  let rest = line;
  let lead = '';
  while (lead.length + rest.length > columns) {
    const room = columns - lead.length;
    const blank = rest.lastIndexOf(' ', room);
    const cut = blank > rest.length - rest.trimStart().length ? blank : room;
    lines.push(lead + rest.slice(0, cut).trimEnd());
    rest = rest.slice(cut).trimStart();
    lead = indent;
  }
  lines.push(lead + rest);
  return lines;
}
