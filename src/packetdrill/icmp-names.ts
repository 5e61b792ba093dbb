import type { Family } from './syntax.ts';

/** Types of RFC 792 and RFC 4443 by the names scripts use. */
const TYPES: Record<Family, Record<string, number>> = {
  ipv4: {
    echo_reply: 0,
    unreachable: 3,
    source_quench: 4,
    redirect: 5,
    echo_request: 8,
    time_exceeded: 11,
    parameter_problem: 12,
    timestamp_request: 13,
    timestamp_reply: 14,
    information_request: 15,
    information_reply: 16,
    address_mask_request: 17,
    address_mask_reply: 18,
  },
  ipv6: {
    unreachable: 1,
    packet_too_big: 2,
    time_exceeded: 3,
    parameter_problem: 4,
    echo_request: 128,
    echo_reply: 129,
  },
};

/** Codes by 'family type'. */
const CODES: Record<string, Record<string, number>> = {
  'ipv4 3': {
    net_unreachable: 0,
    host_unreachable: 1,
    protocol_unreachable: 2,
    port_unreachable: 3,
    frag_needed: 4,
    source_route_failed: 5,
    net_unknown: 6,
    host_unknown: 7,
    source_host_isolated: 8,
    net_prohibited: 9,
    host_prohibited: 10,
    net_unreachable_for_tos: 11,
    host_unreachable_for_tos: 12,
    packet_filtered: 13,
    admin_prohibited: 13,
    precedence_violation: 14,
    precedence_cutoff: 15,
  },
  'ipv4 11': { ttl_exceeded: 0 },
  'ipv6 1': {
    no_route: 0,
    admin_prohibited: 1,
    not_neighbour: 2,
    address_unreachable: 3,
    port_unreachable: 4,
  },
  'ipv6 3': { exceeded_hop_limit: 0, exceeded_frag_time: 1 },
  'ipv6 4': { header_field: 0, unknown_next_header: 1, unknown_option: 2 },
};

/** The number of an ICMP type, by its name or as `type_3`; undefined when there is none. */
export function icmpType(family: Family, name: string): number | undefined {
  return TYPES[family][name] ?? numbered('type', name);
}

/** The number of a code of this type, by its name or as `code_4`; undefined when there is none. */
export function icmpCode(family: Family, type: number, name: string): number | undefined {
  return CODES[`${family} ${type}`]?.[name] ?? numbered('code', name);
}

function numbered(what: string, name: string): number | undefined {
  const digits = new RegExp(`^${what}_(\\d{1,3})$`).exec(name)?.[1];
  return digits === undefined || Number(digits) > 255 ? undefined : Number(digits);
}
