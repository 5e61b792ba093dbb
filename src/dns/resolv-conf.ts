/**
 * How a resolver asks, as resolv.conf(5) has it.
 * @module
 */

/** The settings of resolv.conf. */
export interface ResolvConf {
  /** Addresses, in order; '10.0.0.1', 'fe80::1%eth0', with a port '10.0.0.1:5353' or '[fd00::1]:5353'. */
  readonly servers: readonly string[];
  /** Domains to complete a short name with. */
  readonly search: readonly string[];
  /** A name with so many dots is tried as it is before it is completed. */
  readonly ndots: number;
  /** Seconds that one name server is given to answer before the next one is asked. */
  readonly timeout: number;
  /** Rounds over all name servers. */
  readonly attempts: number;
  /** Whether each question begins with another name server. */
  readonly rotate: boolean;
  /** Whether questions go by TCP (RES_USEVC). */
  readonly useTcp: boolean;
}

/** What holds where nothing is said. */
export const DEFAULT_RESOLV_CONF: ResolvConf = {
  servers: [],
  search: [],
  ndots: 1,
  timeout: 5,
  attempts: 2,
  rotate: false,
  useTcp: false,
};

/** Where resolv.conf's numbers end: RES_MAXNDOTS, RES_MAXRETRANS, RES_MAXRETRY. */
const OPTION_MAX = { ndots: 15, timeout: 30, attempts: 5 } as const;

/**
 * The settings in the text of a resolv.conf: nameserver, domain, search, options ndots, timeout, attempts, rotate and
 * use-vc. What it does not say is left out, what is unknown ignored. The last domain or search line counts.
 */
export function parseResolvConf(text: string): Partial<ResolvConf> {
  const servers: string[] = [];
  let conf: Partial<ResolvConf> = {};
  for (const line of text.split('\n')) {
    const [keyword = '', ...words] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/);
    const [first] = words;
    if (keyword === 'nameserver' && first !== undefined) servers.push(first);
    if (keyword === 'domain' && first !== undefined) conf = { ...conf, search: [first] };
    if (keyword === 'search') conf = { ...conf, search: words };
    if (keyword === 'options') conf = { ...conf, ...optionsOf(words) };
  }
  return servers.length === 0 ? conf : { ...conf, servers };
}

function optionsOf(words: readonly string[]): Partial<ResolvConf> {
  let conf: Partial<ResolvConf> = {};
  for (const word of words) {
    const [, name, digits] = /^(ndots|timeout|attempts):(\d{1,9})$/.exec(word) ?? [];
    if (name !== undefined) {
      const option = name as keyof typeof OPTION_MAX;
      const value = Math.min(Number(digits), OPTION_MAX[option]);
      conf = { ...conf, [option]: option === 'ndots' ? value : Math.max(value, 1) };
    }
    if (word === 'rotate') conf = { ...conf, rotate: true };
    if (word === 'use-vc') conf = { ...conf, useTcp: true };
  }
  return conf;
}
