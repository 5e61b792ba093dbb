import { MAPPED } from './parse.ts';
import { type Script, ScriptSyntaxError, UnsupportedError } from './syntax.ts';
import { DEFAULT_TOLERANCE, type Tolerance } from './timing.ts';

/** What the options at the head of a script, and defaults, come to. */
export interface Configuration {
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly prefixLength: number;
  readonly mtu: number;
  /** Sockets are IPv6's, with IPv4-mapped addresses. */
  readonly mapped: boolean;
  /** The port that bind() takes, and the one that connect() goes to. */
  readonly bindPort: number;
  readonly connectPort: number;
  readonly tolerance: Tolerance;
  /** How long a tick of our timestamps is, in microseconds; 0: their value is not looked at. */
  readonly tickUs: number;
  /** Whether a timestamp that we did not send may be echoed, by its distance to those we did. */
  readonly ecrScaled: boolean;
  /** Whether an expected segment must be one segment. */
  readonly strictSegments: boolean;
  /** What comes in and is longer arrives as segments of so many bytes, put together; 0: as it is. */
  readonly inboundMss: number;
  readonly initScripts: readonly string[];
  /** The house's: our and the peers' initial sequence numbers. */
  readonly iss: number | null;
  readonly peerIsn: number | null;
  /** The house's: begins with this connection (its SYN's options); and the window that the peer offers in it. */
  readonly established: string | null;
  readonly window: string;
}

const IPV4 = { localAddress: '192.168.0.1', remoteAddress: '192.0.2.1', prefixLength: 16, mtu: 1500 };
const IPV6 = {
  localAddress: 'fd3d:a0b:17d6::1',
  remoteAddress: 'fd3d:fa7b:d17d::1',
  prefixLength: 48,
  mtu: 1520,
};

/** Symbols that google/packetdrill's own way of running its scripts defines; their values depend on the addresses. */
const DEFINES = {
  ipv4: {
    TFO_COOKIE: '3021b9d889017eeb',
    TFO_COOKIE_ZERO: 'b7c12350a90dc8f5',
    CODE: 'host_unreachable',
    CMSG_LEVEL_IP: 'SOL_IP',
    CMSG_TYPE_RECVERR: 'IP_RECVERR',
  },
  ipv6: {
    TFO_COOKIE: 'c1d1e9742a47a9bc',
    TFO_COOKIE_ZERO: '82af1a8f9a205c34',
    CODE: 'address_unreachable',
    CMSG_LEVEL_IP: 'SOL_IPV6',
    CMSG_TYPE_RECVERR: 'IPV6_RECVERR',
  },
};

/** The symbols that scripts of this family may count on; `mapped`: with IPv4-mapped addresses. */
export function defaultDefines(family: Script['family'], mapped: boolean): Map<string, string> {
  const { CMSG_LEVEL_IP, CMSG_TYPE_RECVERR } = DEFINES[mapped ? 'ipv6' : family];
  return new Map(Object.entries({ ...DEFINES[family], CMSG_LEVEL_IP, CMSG_TYPE_RECVERR }));
}

/** Options that say nothing to this runner. */
const WITHOUT_EFFECT = new Set([
  'ip_version',
  'code_command',
  'code_format',
  'code_sockopt',
  'speed',
  'gateway_ip',
  'send_omit_free',
  'debug',
  'verbose',
]);

/** Options of packetdrill that ask for what is not here. */
const UNSUPPORTED = /^(?:wire_\w+|so_\w+|non_fatal|dry_run|is_anyip|psp_udp_port)$/;

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Reads the options of a script. Throws ScriptSyntaxError for one that does not exist, or UnsupportedError. */
export function configure(script: Script, defaults: Partial<Configuration> = {}): Configuration {
  const result: Writable<Configuration> = {
    ...(script.family === 'ipv4' ? IPV4 : IPV6),
    mapped: script.options.get('ip_version') === MAPPED,
    bindPort: 8080,
    connectPort: 8080,
    tolerance: DEFAULT_TOLERANCE,
    tickUs: 0,
    ecrScaled: script.house,
    strictSegments: false,
    inboundMss: 0,
    initScripts: [],
    iss: null,
    peerIsn: null,
    established: null,
    window: '32792',
    ...defaults,
  };
  for (const [name, text] of script.options) {
    const fail = (what: string): never => {
      throw new ScriptSyntaxError(`${script.path}:1: ${what} --${name}`);
    };
    const number = (): number =>
      /^(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?)$/.test(text) ? Number(text) : fail('number expected:');
    if (WITHOUT_EFFECT.has(name)) continue;
    if (UNSUPPORTED.test(name)) throw new UnsupportedError(`--${name}`);
    const setter =
      SETTERS[name] ?? (script.house ? HOUSE_SETTERS[name] : undefined) ?? fail('unknown option');
    setter(result, text, number);
  }
  return result;
}

type Setter = (to: Writable<Configuration>, text: string, number: () => number) => void;

const SETTERS: Readonly<Record<string, Setter>> = {
  local_ip: (to, text) => {
    to.localAddress = text;
  },
  remote_ip: (to, text) => {
    to.remoteAddress = text.replace(/\/\d+$/, '');
  },
  netmask_ip: (to, text) => {
    const bits = text
      .split('.')
      .map(part => Number(part).toString(2))
      .join('');
    to.prefixLength = bits.replaceAll('0', '').length;
  },
  bind_port: (to, _text, number) => {
    to.bindPort = number();
  },
  connect_port: (to, _text, number) => {
    to.connectPort = number();
  },
  mss: (to, _text, number) => {
    to.inboundMss = number();
  },
  mtu: (to, _text, number) => {
    to.mtu = number();
  },
  init_scripts: (to, text) => {
    to.initScripts = text.split(',');
  },
  tolerance_usecs: (to, _text, number) => {
    to.tolerance = { ...to.tolerance, us: number() };
  },
  tolerance_percent: (to, _text, number) => {
    to.tolerance = { ...to.tolerance, percent: number() };
  },
  tcp_ts_tick_usecs: (to, _text, number) => {
    to.tickUs = number();
  },
  tcp_ts_ecr_scaled: to => {
    to.ecrScaled = true;
  },
  strict_segments: to => {
    to.strictSegments = true;
  },
};

const HOUSE_SETTERS: Readonly<Record<string, Setter>> = {
  iss: (to, _text, number) => {
    to.iss = number();
  },
  peer_isn: (to, _text, number) => {
    to.peerIsn = number();
  },
  established: (to, text) => {
    to.established = text;
  },
  window: (to, text) => {
    to.window = text;
  },
};
