/** What a script's text is made of, for the words in it: strings, commands, code and comments are left alone. */
const PIECES =
  /"(?:\\[\s\S]|[^"])*"|`(?:\\[\s\S]|[^`])*`|%\{[\s\S]*?\}%|\/\/[^\n]*|\/\*[\s\S]*?\*\/|--\w+|[A-Za-z0-9_]+/g;

/** Puts the values of `--define=SYMBOL=value` in the place of the symbols; lines stay where they are. */
export function replaceDefined(text: string, defines: ReadonlyMap<string, string>): string {
  if (defines.size === 0) return text;
  return text.replace(PIECES, piece => (/^\w/.test(piece) ? (defines.get(piece) ?? piece) : piece));
}
