/**
 * The counters of a stack as /proc/net/snmp, snmp6, netstat and netstat(8) -s show them.
 * @module
 */

type Group = Readonly<Record<string, number>>;

/** The counters by group; a `Mib` is one. */
export interface CounterGroups {
  readonly Ip: Group;
  readonly Icmp: Group;
  readonly Tcp: Group;
  readonly Udp: Group;
  readonly Ip6: Group;
  readonly Icmp6: Group;
  readonly Udp6: Group;
  readonly TcpExt: Group;
  readonly IpExt: Group;
}

type GroupName = keyof CounterGroups;

/** Of the names in /proc/net/snmp6. */
const SNMP6_WIDTH = 32;

/** The text of /proc/net/snmp. */
export function formatProcSnmp(counters: CounterGroups): string {
  return formatProc(counters, ['Ip', 'Icmp', 'Tcp', 'Udp']);
}

/** The text of /proc/net/snmp6: a line for each counter. */
export function formatProcSnmp6(counters: CounterGroups): string {
  const lines = (['Ip6', 'Icmp6', 'Udp6'] as const).flatMap(group =>
    Object.entries(counters[group]).map(
      ([name, value]) => `${(group + name).padEnd(SNMP6_WIDTH)}\t${value}\n`,
    ),
  );
  return lines.join('');
}

/** The text of /proc/net/netstat. */
export function formatProcNetstat(counters: CounterGroups): string {
  return formatProc(counters, ['TcpExt', 'IpExt']);
}

function formatProc(counters: CounterGroups, groups: readonly GroupName[]): string {
  let text = '';
  for (const group of groups) {
    const entries = Object.entries(counters[group]);
    text += `${group}: ${entries.map(([name]) => name).join(' ')}\n`;
    text += `${group}: ${entries.map(([, value]) => value).join(' ')}\n`;
  }
  return text;
}

const UDP = {
  InDatagrams: 'datagrams received',
  OutDatagrams: 'datagrams sent',
  NoPorts: 'datagrams for a port that nobody listens to',
  InErrors: 'datagrams that could not be taken',
};

/** In words, the counters that most people look for. */
const WORDS: { readonly [group: string]: { readonly [name: string]: string } } = {
  Ip: {
    InReceives: 'packets received',
    InDelivers: 'packets delivered to a protocol',
    InHdrErrors: 'packets with a bad header',
    InAddrErrors: 'packets for another address',
    ForwDatagrams: 'packets forwarded',
    OutRequests: 'packets handed down to be sent',
    OutNoRoutes: 'packets without a route',
    ReasmReqds: 'fragments received',
    ReasmOKs: 'packets put together from fragments',
    FragOKs: 'packets cut into fragments',
    FragCreates: 'fragments made',
  },
  Ip6: {
    InReceives: 'packets received',
    InDelivers: 'packets delivered to a protocol',
    InHdrErrors: 'packets with a bad header',
    InAddrErrors: 'packets for another address',
    OutForwDatagrams: 'packets forwarded',
    OutRequests: 'packets handed down to be sent',
    OutNoRoutes: 'packets without a route',
    ReasmReqds: 'fragments received',
    ReasmOKs: 'packets put together from fragments',
    FragOKs: 'packets cut into fragments',
    FragCreates: 'fragments made',
  },
  Icmp: {
    InMsgs: 'messages received',
    OutMsgs: 'messages sent',
    InEchos: 'echo requests received',
    OutEchoReps: 'echo replies sent',
  },
  Icmp6: {
    InMsgs: 'messages received',
    OutMsgs: 'messages sent',
    InEchos: 'echo requests received',
    OutEchoReplies: 'echo replies sent',
    InRouterAdvertisements: 'router advertisements received',
    InNeighborSolicits: 'neighbour solicitations received',
    OutNeighborSolicits: 'neighbour solicitations sent',
  },
  Tcp: {
    ActiveOpens: 'connections opened by us',
    PassiveOpens: 'connections opened by others',
    AttemptFails: 'attempts to open that failed',
    EstabResets: 'connections reset',
    CurrEstab: 'connections open now',
    InSegs: 'segments received',
    OutSegs: 'segments sent',
    RetransSegs: 'segments sent again',
    InErrs: 'bad segments received',
    OutRsts: 'resets sent',
  },
  Udp: UDP,
  Udp6: UDP,
};

const NETSTAT_GROUPS = ['Ip', 'Ip6', 'Icmp', 'Icmp6', 'Tcp', 'Udp', 'Udp6', 'TcpExt', 'IpExt'] as const;

/** All counters that are not zero, in the layout of `netstat -s`. */
export function formatNetstat(counters: CounterGroups): string[] {
  const lines: string[] = [];
  for (const group of NETSTAT_GROUPS) {
    lines.push(`${group}:`);
    for (const [name, value] of Object.entries(counters[group])) {
      const words = WORDS[group]?.[name];
      if (value !== 0) lines.push(words === undefined ? `    ${name}: ${value}` : `    ${value} ${words}`);
    }
  }
  return lines;
}
