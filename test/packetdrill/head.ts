/** What the comment at the head of one of our own scripts says. */
export interface Head {
  /** Whether the script is in the house's notation (`Extended: why`). */
  readonly house: boolean;
  /** What is wrong with it. */
  readonly problems: readonly string[];
}

/** Labels of the lines behind the claim: `Rule: RFC 9293 section 3.5`. */
const LABEL = /^(Rule|Linux \d+\.\d+|Extended): (.+)$/;
/** What a script may say of its run against Linux. */
const LINUX = /^(?:passes|(?:differs|not run): .{10,})$/;

/** Reads the lines of comment before the first other line. */
export function headOf(text: string): Head {
  const problems: string[] = [];
  const said = new Map<string, string>();
  let claim = '';
  let label: string | null = null;
  for (const line of text.split('\n')) {
    if (!line.startsWith('//')) break;
    const words = line.slice(2).trim();
    const labelled = LABEL.exec(words);
    if (labelled !== null) {
      label = (labelled[1] as string).replace(/ .*/, '');
      said.set(label, labelled[2] as string);
    } else if (label === null) claim += words;
    else said.set(label, `${said.get(label)} ${words}`);
  }
  if (!/^\S.{20,}\.$/.test(claim)) problems.push('the first line is no sentence that says what is proved');
  if (!/^(?:RFC \d+|Linux|[a-z]+\(\d\))/.test(said.get('Rule') ?? ''))
    problems.push("no line '// Rule: RFC ... section ...'");
  if (!LINUX.test(said.get('Linux') ?? ''))
    problems.push("no line '// Linux 6.18: passes', 'differs: how' or 'not run: why'");
  return { house: said.has('Extended'), problems };
}
