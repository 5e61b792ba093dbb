import type { Case } from '../tester.ts';
import { addresses, duplicates } from './autoconfiguration.ts';
import { echo, errors, pathMtu } from './icmp6.ts';
import { asking, reachability, redirects, resolving, routers } from './neighbor-discovery.ts';
import { extensions, fragments, header, optionCases } from './packets.ts';

/** Every case, by what it is about. */
export const CASES: Readonly<Record<string, readonly Case[]>> = {
  'being asked': asking.map(mute),
  'asking for neighbours': resolving.map(mute),
  'neighbours that may be gone': reachability.map(mute),
  routers: routers.map(mute),
  redirects: redirects.map(mute),
  'duplicate addresses': duplicates,
  'addresses from prefixes': addresses,
  'the header': header,
  options: optionCases,
  'extension headers': extensions,
  fragments,
  echo,
  errors,
  'path MTU': pathMtu,
};

/** Where neighbours are what the case is about, the tester says nothing but what the case says. */
function mute(each: Case): Case {
  return { ...each, mute: true };
}
