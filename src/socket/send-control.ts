/**
 * Control messages of sendmsg(2): what holds for one datagram instead of what its socket was set to (ip(7), RFC 3542).
 * @module
 */
import { EINVAL, ENETUNREACH, ENODEV } from '../base/errno.ts';
import type { SendControl } from '../datagram/datagram-endpoint.ts';
import type { IpLayer } from '../net/ip-layer.ts';
import { AF_INET, AF_INET6, IpAddress } from '../wire/address.ts';
import {
  IP_PKTINFO,
  IP_TOS,
  IP_TTL,
  IPV6_DONTFRAG,
  IPV6_HOPLIMIT,
  IPV6_PKTINFO,
  IPV6_TCLASS,
  SOL_IP,
  SOL_IPV6,
} from './constants.ts';
import type { ControlMessage } from './control.ts';

/** A SendControl that is being put together. */
type Draft = { -readonly [K in keyof SendControl]: SendControl[K] };

/**
 * What control messages say of a datagram that goes over IPv6 or IPv4, from a socket of `family`. As in Linux those of
 * the other level are passed over, and -EINVAL is for an unknown one, a value that does not fit, or a source address
 * that is not ours (of IPv4 -ENETUNREACH); -ENODEV for an interface that is not there.
 */
export function parseSendControl(
  control: readonly ControlMessage[],
  family: number,
  overIpv6: boolean,
  ip: IpLayer,
): SendControl | number {
  const draft: Draft = { source: null, device: 0, settings: {} };
  for (const message of control) {
    const { cmsg_level: level } = message ?? {};
    // Neither SOL_SOCKET nor SOL_UDP has one that would be known here.
    if (level !== SOL_IP && level !== SOL_IPV6) return -EINVAL;
    const isMapped = !overIpv6 && family === AF_INET6 && level === SOL_IPV6;
    if (isMapped && message.cmsg_type !== IPV6_PKTINFO) continue;
    if (level !== (overIpv6 ? SOL_IPV6 : SOL_IP) && !isMapped) continue;
    const result = level === SOL_IP ? take4(draft, message, ip) : take6(draft, message, overIpv6, ip);
    if (result < 0) return result;
  }
  return draft;
}

function take4(draft: Draft, { cmsg_type, cmsg_data: data }: ControlMessage, ip: IpLayer): number {
  switch (cmsg_type) {
    case IP_PKTINFO: {
      if (typeof data !== 'object' || !('ipi_spec_dst' in data)) return -EINVAL;
      return takeSource(draft, data.ipi_spec_dst, data.ipi_ifindex, AF_INET, ip);
    }
    case IP_TTL:
      return isInt(data, 1, 255) ? change(draft, { ttl: data }) : -EINVAL;
    case IP_TOS:
      return isInt(data, 0, 255) ? change(draft, { tos: data }) : -EINVAL;
    default:
      return -EINVAL;
  }
}

function take6(draft: Draft, message: ControlMessage, overIpv6: boolean, ip: IpLayer): number {
  const { cmsg_data: data } = message;
  switch (message.cmsg_type) {
    case IPV6_PKTINFO: {
      if (typeof data !== 'object' || !('ipi6_addr' in data)) return -EINVAL;
      const { ipi6_addr: source, ipi6_ifindex: device } = data;
      if (!(source instanceof IpAddress)) return -EINVAL;
      if (overIpv6) return takeSource(draft, source, device, AF_INET6, ip);
      return source.isMapped ? takeSource(draft, source.toUnmapped(), device, AF_INET, ip) : -EINVAL;
    }
    case IPV6_HOPLIMIT:
      return isInt(data, -1, 255) ? change(draft, { ttl: data }) : -EINVAL;
    case IPV6_TCLASS:
      if (data === -1) return 0;
      return isInt(data, 0, 255) ? change(draft, { tos: data }) : -EINVAL;
    case IPV6_DONTFRAG:
      if (data === 0) return 0;
      return data === 1 ? change(draft, { mtuDiscover: 'do' }) : -EINVAL;
    default:
      return -EINVAL;
  }
}

/** The address to send from, and the interface to send by; :: and 0.0.0.0, and 0, leave it to the route. */
function takeSource(draft: Draft, source: IpAddress, device: number, family: number, ip: IpLayer): number {
  if (!(source instanceof IpAddress) || source.family !== family || !isInt(device, 0, 0x7fffffff))
    return -EINVAL;
  if (device !== 0 && ip.netif(device) === null) return -ENODEV;
  draft.device = device;
  if (source.isUnspecified) return 0;
  const scoped = source.withZone(device || source.zone);
  if (scoped.isMulticast || (scoped.needsZone && scoped.zone === 0)) return -EINVAL;
  if (!ip.isLocal(scoped)) return family === AF_INET ? -ENETUNREACH : -EINVAL;
  draft.source = scoped;
  return 0;
}

function change(draft: Draft, settings: SendControl['settings']): number {
  draft.settings = { ...draft.settings, ...settings };
  return 0;
}

function isInt(value: unknown, min: number, max: number): value is number {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}
