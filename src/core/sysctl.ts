/**
 * Every limit, time and policy a user may turn, under Linux's sysctl name and with Linux's default and unit, unless
 * the line says otherwise. Names without a Linux twin begin with `ethertype_`.
 */
export interface Sysctl {
  // --- net.core ---
  /** Upper bound of listen()'s backlog, in connections. */
  somaxconn: number;
  /** Packets an interface queues on input. */
  netdev_max_backlog: number;
  /** Packets an interface queues on output while its link is busy, 0 for none. Not a sysctl in Linux: txqueuelen. */
  ethertype_txqueuelen: number;
  /** 'fq' paces every TCP connection (pacing.ts); any other does not. */
  default_qdisc: string;
  /** Default and largest SO_RCVBUF and SO_SNDBUF of UDP sockets, in bytes. */
  rmem_default: number;
  rmem_max: number;
  wmem_default: number;
  wmem_max: number;
  /** Bytes that the notices of one socket may take: those of MSG_ZEROCOPY, awaited and not yet read. */
  optmem_max: number;

  // --- net.ipv4: IP, ARP, ICMP ---
  ip_default_ttl: number;
  ip_local_port_range: readonly [number, number];
  ip_forward: boolean;
  /** Bytes that incomplete datagrams may hold, together. */
  ipfrag_high_thresh: number;
  /** Seconds an incomplete datagram is kept. */
  ipfrag_time: number;
  /** Fragments of one datagram that may be missing in a row before it is dropped. */
  ipfrag_max_dist: number;
  /** Messages a second, and the burst, of all rate-limited ICMP together. */
  icmp_msgs_per_sec: number;
  icmp_msgs_burst: number;
  /** Milliseconds between two rate-limited ICMP messages to one target. */
  icmp_ratelimit: number;
  /** Groups that one socket may be in. */
  igmp_max_memberships: number;
  icmp_echo_ignore_all: boolean;
  icmp_echo_ignore_broadcasts: boolean;
  /** The same of IPv6, for groups (net.ipv6.icmp). */
  echo_ignore_multicast: boolean;
  /** Milliseconds a neighbour stays REACHABLE after a confirmation. */
  base_reachable_time_ms: number;
  /** Milliseconds between two solicitations. */
  retrans_time_ms: number;
  /** Seconds a neighbour stays in DELAY before it is probed. */
  delay_first_probe_time: number;
  /** Solicitations by broadcast, and by unicast, before a neighbour FAILED. */
  mcast_solicit: number;
  ucast_solicit: number;
  /** Packets that wait for one neighbour's address. Linux counts bytes (unres_qlen_bytes); this is its older form. */
  unres_qlen: number;
  /** Entries of the neighbour table above which the oldest unused are dropped. */
  gc_thresh3: number;
  /** Seconds after which an unused entry may be collected. */
  gc_stale_time: number;
  /** Whether an address is announced by gratuitous ARP when it is added. Linux's default is not to. */
  arp_notify: boolean;
  /** The smallest path MTU that is believed, in bytes, and for how many seconds a path MTU is remembered. */
  min_pmtu: number;
  mtu_expires: number;

  // --- net.ipv6 (conf.all) ---
  /** No interface gets IPv6, not even lo. */
  disable_ipv6: boolean;
  /** Whether this host is a router: it forwards, answers solicitations if told to, and believes no advertisement. */
  forwarding: boolean;
  /** Of packets, when neither the socket nor a router says otherwise. */
  hop_limit: number;
  /** Whether router advertisements are believed: default routers, prefixes, MTU, name servers. */
  accept_ra: boolean;
  /** Whether addresses are made of the prefixes in them. */
  autoconf: boolean;
  accept_redirects: boolean;
  /** Solicitations that ask whether an address is in use before it is used; 0 does not ask (RFC 4862). */
  dad_transmits: number;
  /**
   * Whether an address may be used, with care, while it is asked who has it (RFC 4429): packets to neighbours wait
   * until the answer is due. Off in Linux, where connect() fails until then.
   */
  optimistic_dad: boolean;
  /** Solicitations for routers; seconds between two, and at most before the first one. */
  router_solicitations: number;
  router_solicitation_interval: number;
  router_solicitation_delay: number;
  /** How identifiers of interfaces are made: 0 of the hardware address, 3 stable but secret (RFC 7217). Linux: 0. */
  addr_gen_mode: 0 | 3;
  /** 32 hexadecimal digits that such identifiers follow from; empty for a fresh secret. */
  stable_secret: string;
  /** Temporary addresses (RFC 8981): 0 none, 1 made but not preferred, 2 preferred. */
  use_tempaddr: 0 | 1 | 2;
  /** Seconds a temporary address is valid, and preferred. */
  temp_valid_lft: number;
  temp_prefered_lft: number;
  /** Addresses an interface makes itself, default routers and prefixes it remembers. */
  max_addresses: number;
  /** Options besides padding in one extension header; a packet with more is dropped. */
  max_dst_opts_number: number;
  max_hbh_opts_number: number;
  /** Bytes that incomplete packets may hold, together, and seconds one is kept. */
  ip6frag_high_thresh: number;
  ip6frag_time: number;
  /** Whether packets have a flow label (RFC 6437). */
  auto_flowlabels: boolean;
  /** Whether an IPv6 socket takes IPv6 alone: the default of IPV6_V6ONLY. */
  bindv6only: boolean;

  // --- net.ipv4: TCP ---
  tcp_syn_retries: number;
  /** Repetitions of a SYN that come a second apart each, before the time doubles; tcp_syn_retries follow them. */
  tcp_syn_linear_timeouts: number;
  tcp_synack_retries: number;
  tcp_retries1: number;
  tcp_retries2: number;
  tcp_orphan_retries: number;
  /** Half-open connections a listener remembers, in connections. */
  tcp_max_syn_backlog: number;
  /** 0 never, 1 when the SYN queue is full, 2 always. */
  tcp_syncookies: 0 | 1 | 2;
  tcp_abort_on_overflow: boolean;
  /** Connections in TIME_WAIT that are remembered. */
  tcp_max_tw_buckets: number;
  /** Seconds in FIN_WAIT_2 for a connection whose socket is closed; also the length of TIME_WAIT's wait. */
  tcp_fin_timeout: number;
  /** 0 never, 1 always, 2 loopback only: reuse of a TIME_WAIT port for a new connection (RFC 6191). */
  tcp_tw_reuse: 0 | 1 | 2;
  /** Protection against TIME_WAIT assassination (RFC 1337). */
  tcp_rfc1337: boolean;
  /** Connections without a socket that are remembered. */
  tcp_max_orphans: number;
  tcp_keepalive_time: number;
  tcp_keepalive_intvl: number;
  tcp_keepalive_probes: number;
  tcp_window_scaling: boolean;
  tcp_timestamps: 0 | 1 | 2;
  tcp_sack: boolean;
  tcp_dsack: boolean;
  /** Duplicate acknowledgements (or segments) that mean loss, initially; and the most that reordering makes of it. */
  tcp_reordering: number;
  tcp_max_reordering: number;
  /**
   * How losses are found by time (RACK, RFC 8985), bits: 1 means nothing any more (as Linux: there is no other way);
   * 2 the reordering window does not grow; 4 three segments behind a hole do not end the patience with it.
   */
  tcp_recovery: number;
  /** 3 and 4 send tail loss probes (RFC 8985 section 7), 0 sends none. */
  tcp_early_retrans: number;
  /** Whether a time-out may turn out to have been spurious (F-RTO, RFC 5682): 0 never. */
  tcp_frto: number;
  /**
   * Added to the deadlines of loss probes and of reordering, in microseconds: what timers and the peer's scheduling
   * are late by in any case. Not a sysctl in Linux: TCP_TIMEOUT_MIN, two ticks.
   */
  ethertype_timeout_min_us: number;
  /** Explicit congestion notification (RFC 3168): 0 none, 1 asked for, 2 agreed to when a peer asks. */
  tcp_ecn: 0 | 1 | 2;
  /** Whether a SYN that is sent again asks for ECN no more: something on the way may drop it for that. */
  tcp_ecn_fallback: boolean;
  /**
   * TCP Fast Open (RFC 7413), bits: 1 as a client; 2 as a server; 4 client without cookies; 0x200 server without
   * cookies; 0x400 every listener, TCP_FASTOPEN or not.
   */
  tcp_fastopen: number;
  /**
   * The key that cookies are made with, and behind a comma the one before it, which is still good: each four
   * hexadecimal words, 'a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4'. Empty for a fresh secret.
   */
  tcp_fastopen_key: string;
  /** Seconds without Fast Open as a client after it seemed to be blocked on the way; 0 does not look for that. */
  tcp_fastopen_blackhole_timeout_sec: number;
  /** Destinations whose Fast Open cookie is remembered. In Linux by memory: tcpmhash_entries. */
  ethertype_tcp_metrics: number;
  tcp_congestion_control: string;
  tcp_slow_start_after_idle: boolean;
  /**
   * Parameters of CUBIC: of the module tcp_cubic in Linux, hence their names. How slow start ends before a loss: 0 not
   * at all, 1 HyStart as in Linux, 2 HyStart++ (RFC 9406; not in Linux).
   */
  tcp_cubic_hystart: 0 | 1 | 2;
  /** What Linux's HyStart looks at, bits: 1 trains of acknowledgements, 2 delays; from this window on, in segments. */
  tcp_cubic_hystart_detect: number;
  tcp_cubic_hystart_low_window: number;
  /** Acknowledgements at most this many microseconds apart belong to one train. */
  tcp_cubic_hystart_ack_delta_us: number;
  /** A flow that lost twice in a row leaves room for others (RFC 9438 section 4.7). */
  tcp_cubic_fast_convergence: boolean;
  /** Never slower than Reno (RFC 9438 section 4.3). */
  tcp_cubic_tcp_friendliness: boolean;
  /** ssthresh to begin with when hystart is 0, in segments; 0 leaves it infinite. */
  tcp_cubic_initial_ssthresh: number;
  /** min, default, max in bytes. */
  tcp_rmem: readonly [number, number, number];
  tcp_wmem: readonly [number, number, number];
  tcp_moderate_rcvbuf: boolean;
  /** Bytes that may be written and not yet sent before a writer has to wait. */
  tcp_notsent_lowat: number;
  /** Whether a small write waits while an earlier one of its connection has not left this host. */
  tcp_autocorking: boolean;
  /** Whether small segments are put together when they are sent again. */
  tcp_retrans_collapse: boolean;
  /** Segments that are sent at once, if there are so many, however slow the path is. */
  tcp_min_tso_segs: number;
  /**
   * The share of the window, one nth, that is sent without waiting for a fuller super-segment; 0: three segments. Linux
   * waits for a third, which its cards reward; here bursts only cost goodput where segments are lost, so nothing waits.
   */
  tcp_tso_win_divisor: number;
  /** Super-segments become smaller by half with each 2^n microseconds of round trip. */
  tcp_tso_rtt_log: number;
  /** Percent of window / round trip at which data is meant to leave: in slow start, and after it. */
  tcp_pacing_ss_ratio: number;
  tcp_pacing_ca_ratio: number;
  /** The window's right edge may move back when the receive buffer fills up, which RFC 9293 discourages. */
  tcp_shrink_window: boolean;
  /**
   * ACKs for what arrives behind a gap are put together, so many at most (0: none are), after the first three: for at
   * most so many nanoseconds, and a twentieth of the round trip.
   */
  tcp_comp_sack_nr: number;
  tcp_comp_sack_delay_ns: number;
  /** Time-outs of a connection with fewer than four segments in flight come at an even pace for a while. */
  tcp_thin_linear_timeouts: boolean;
  /** The smallest retransmission time-out, in microseconds, and the largest, in milliseconds. */
  tcp_rto_min_us: number;
  tcp_rto_max_ms: number;
  /** Seconds for which the least round-trip time is remembered. */
  tcp_min_rtt_wlen: number;
  /** Challenge ACKs a second, all connections together (RFC 5961 section 7); and milliseconds between two on one. */
  tcp_challenge_ack_limit: number;
  tcp_invalid_ratelimit: number;
  /** The smallest MSS we accept from a peer, in bytes. */
  tcp_min_snd_mss: number;
  /**
   * Finding out the path's MTU without ICMP (RFC 4821): 0 never; 1 when full segments vanish without a word; 2 from the
   * begin. Linux's default is 0: a connection ends where a router drops and the ICMP does not arrive.
   */
  tcp_mtu_probing: 0 | 1 | 2;
  /** The MSS that a search begins with, and the least one, in bytes. */
  tcp_base_mss: number;
  tcp_mtu_probe_floor: number;
  /** A search ends when it knows the MTU within so many bytes, and begins anew after so many seconds. */
  tcp_probe_threshold: number;
  tcp_probe_interval: number;
  /** Segments of data in the initial window (RFC 6928). Not a sysctl in Linux: TCP_INIT_CWND. */
  ethertype_init_cwnd: number;
  /** Milliseconds of TIME_WAIT, 2 MSL. A compile-time constant in Linux: TCP_TIMEWAIT_LEN. */
  ethertype_time_wait_ms: number;
  /** The largest super-segment handed to IP, in bytes of payload; 0 turns GSO off. */
  ethertype_gso_max_size: number;
  /** Ranges held in the out-of-order queue before the farthest is pruned. */
  ethertype_ofo_ranges: number;

  // --- the file-descriptor table ---
  /** Open descriptors (RLIMIT_NOFILE). */
  ethertype_nofile: number;
}

/** Linux's defaults. */
export const DEFAULT_SYSCTL: Sysctl = {
  somaxconn: 4096,
  netdev_max_backlog: 1000,
  ethertype_txqueuelen: 1000,
  default_qdisc: 'pfifo_fast',
  rmem_default: 212992,
  rmem_max: 4194304,
  wmem_default: 212992,
  wmem_max: 4194304,
  optmem_max: 131072,
  ip_default_ttl: 64,
  ip_local_port_range: [32768, 60999],
  ip_forward: false,
  ipfrag_high_thresh: 4 * 1024 * 1024,
  ipfrag_time: 30,
  ipfrag_max_dist: 64,
  icmp_msgs_per_sec: 1000,
  icmp_msgs_burst: 50,
  icmp_ratelimit: 1000,
  igmp_max_memberships: 20,
  icmp_echo_ignore_all: false,
  icmp_echo_ignore_broadcasts: true,
  echo_ignore_multicast: false,
  base_reachable_time_ms: 30000,
  retrans_time_ms: 1000,
  delay_first_probe_time: 5,
  mcast_solicit: 3,
  ucast_solicit: 3,
  unres_qlen: 101,
  gc_thresh3: 1024,
  gc_stale_time: 60,
  arp_notify: true,
  min_pmtu: 552,
  mtu_expires: 600,
  disable_ipv6: false,
  forwarding: false,
  hop_limit: 64,
  accept_ra: true,
  autoconf: true,
  accept_redirects: true,
  dad_transmits: 1,
  optimistic_dad: true,
  router_solicitations: 3,
  router_solicitation_interval: 4,
  router_solicitation_delay: 1,
  addr_gen_mode: 3,
  stable_secret: '',
  use_tempaddr: 0,
  temp_valid_lft: 604800,
  temp_prefered_lft: 86400,
  max_addresses: 16,
  max_dst_opts_number: 8,
  max_hbh_opts_number: 8,
  ip6frag_high_thresh: 4 * 1024 * 1024,
  ip6frag_time: 60,
  auto_flowlabels: true,
  bindv6only: false,
  tcp_syn_retries: 6,
  tcp_syn_linear_timeouts: 4,
  tcp_synack_retries: 5,
  tcp_retries1: 3,
  tcp_retries2: 15,
  tcp_orphan_retries: 8,
  tcp_max_syn_backlog: 4096,
  tcp_syncookies: 1,
  tcp_abort_on_overflow: false,
  tcp_max_tw_buckets: 262144,
  tcp_fin_timeout: 60,
  tcp_tw_reuse: 2,
  tcp_rfc1337: false,
  tcp_max_orphans: 65536,
  tcp_keepalive_time: 7200,
  tcp_keepalive_intvl: 75,
  tcp_keepalive_probes: 9,
  tcp_window_scaling: true,
  tcp_timestamps: 1,
  tcp_sack: true,
  tcp_dsack: true,
  tcp_reordering: 3,
  tcp_max_reordering: 300,
  tcp_recovery: 1,
  tcp_early_retrans: 3,
  tcp_frto: 2,
  ethertype_timeout_min_us: 2000,
  tcp_ecn: 2,
  tcp_ecn_fallback: true,
  tcp_fastopen: 1,
  tcp_fastopen_key: '',
  tcp_fastopen_blackhole_timeout_sec: 0,
  ethertype_tcp_metrics: 8192,
  tcp_congestion_control: 'cubic',
  tcp_slow_start_after_idle: true,
  tcp_cubic_hystart: 1,
  tcp_cubic_hystart_detect: 3,
  tcp_cubic_hystart_low_window: 16,
  tcp_cubic_hystart_ack_delta_us: 2000,
  tcp_cubic_fast_convergence: true,
  tcp_cubic_tcp_friendliness: true,
  tcp_cubic_initial_ssthresh: 0,
  tcp_rmem: [4096, 131072, 6291456],
  tcp_wmem: [4096, 16384, 4194304],
  tcp_moderate_rcvbuf: true,
  tcp_notsent_lowat: 0xffffffff,
  tcp_autocorking: true,
  tcp_retrans_collapse: true,
  tcp_min_tso_segs: 2,
  tcp_tso_win_divisor: 1000,
  tcp_tso_rtt_log: 9,
  tcp_pacing_ss_ratio: 200,
  tcp_pacing_ca_ratio: 120,
  tcp_shrink_window: false,
  tcp_comp_sack_nr: 44,
  tcp_comp_sack_delay_ns: 1_000_000,
  tcp_thin_linear_timeouts: false,
  tcp_rto_min_us: 200_000,
  tcp_rto_max_ms: 120000,
  tcp_min_rtt_wlen: 300,
  tcp_challenge_ack_limit: 1000,
  tcp_invalid_ratelimit: 500,
  tcp_min_snd_mss: 48,
  tcp_mtu_probing: 1,
  tcp_base_mss: 1024,
  tcp_mtu_probe_floor: 48,
  tcp_probe_threshold: 8,
  tcp_probe_interval: 600,
  ethertype_init_cwnd: 10,
  ethertype_time_wait_ms: 60000,
  ethertype_gso_max_size: 65535,
  ethertype_ofo_ranges: 1024,
  ethertype_nofile: 1048576,
};
