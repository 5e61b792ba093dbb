/**
 * What an authoritative server answers: bytes in, bytes out (RFC 1034 section 4.3, RFC 6891, RFC 2308).
 * @module
 */
import {
  BLANK_MESSAGE,
  decodeMessage,
  type Edns,
  encodeMessage,
  HEADER_LENGTH,
  MESSAGE_MAX,
  type Message,
  PLAIN_UDP_SIZE,
  type Question,
} from './message.ts';
import { isWithin, sameName, splitLabels } from './names.ts';
import { type ResourceRecord, targetOf } from './records.ts';
import { Zone, type Zones } from './zone.ts';

/** How a question came. */
export type Transport = 'udp' | 'tcp';

/** Aliases followed from one of our zones to another. */
const ALIASES_MAX = 16;
const QR = 0x80;
/** Questions for a whole zone: secondary servers ask them, and there are none here. */
const TRANSFERS: ReadonlySet<string> = new Set(['AXFR', 'IXFR']);

type Sections = Pick<Message, 'rcode' | 'aa' | 'answers' | 'authorities' | 'additionals'>;

const REFUSED: Sections = { rcode: 'REFUSED', aa: false, answers: [], authorities: [], additionals: [] };

/** Answers from zones. It has no state but them. */
export class Responder {
  private readonly zones: readonly Zone[];
  private readonly udpSize: number;

  /** `ttl` in seconds for names without one; `udpSize`: bytes of an answer by UDP at most. Throws TypeError. */
  constructor(zones: Zones, ttl: number, udpSize: number) {
    this.zones = Object.entries(zones)
      .map(([origin, data]) => new Zone(origin, data, ttl))
      // The deepest first: a zone may lie within another.
      .sort((a, b) => splitLabels(b.origin).length - splitLabels(a.origin).length);
    this.udpSize = udpSize;
  }

  /** The answer to what came; null when none is due: it is no question, or too short to have an id. */
  respond(bytes: Uint8Array, transport: Transport): Uint8Array | null {
    if (bytes.length < HEADER_LENGTH || ((bytes[2] as number) & QR) !== 0) return null;
    const query = decodeMessage(bytes);
    const id = ((bytes[0] as number) << 8) | (bytes[1] as number);
    if (query === null) return encodeMessage({ ...BLANK_MESSAGE, id, response: true, rcode: 'FORMERR' });
    const room = transport === 'tcp' ? MESSAGE_MAX : this.roomFor(query.edns);
    return fitted({ ...this.frame(query), ...this.sections(query) }, room);
  }

  private roomFor(edns: Edns | null): number {
    return edns === null ? PLAIN_UDP_SIZE : Math.max(PLAIN_UDP_SIZE, Math.min(edns.udpSize, this.udpSize));
  }

  /** All of an answer but what it says. */
  private frame({ id, opcode, rd, cd, questions, edns }: Message): Message {
    const own = { udpSize: this.udpSize, version: 0, dnssecOk: edns?.dnssecOk ?? false, options: [] };
    return {
      ...BLANK_MESSAGE,
      id,
      response: true,
      opcode,
      rd,
      cd,
      questions,
      edns: edns === null ? null : own,
    };
  }

  private sections(query: Message): Sections {
    const [question, ...more] = query.questions;
    if (query.opcode !== 'QUERY') return { ...REFUSED, rcode: 'NOTIMP' };
    if ((query.edns?.version ?? 0) > 0) return { ...REFUSED, rcode: 'BADVERS' };
    if (question === undefined || more.length > 0) return { ...REFUSED, rcode: 'FORMERR' };
    if (question.class !== 'IN' && question.class !== 'ANY') return REFUSED;
    return TRANSFERS.has(question.type) ? REFUSED : this.answer(question);
  }

  private zoneOf(name: string): Zone | undefined {
    return this.zones.find(({ origin }) => isWithin(name, origin));
  }

  /** RFC 1034 section 4.3.2, aliases followed as far as our zones go. */
  private answer({ name, type }: Question): Sections {
    const answers: ResourceRecord[] = [];
    let at = name;
    for (let aliases = 0; aliases <= ALIASES_MAX; aliases++) {
      const zone = this.zoneOf(at);
      if (zone === undefined) break;
      const found = zone.find(at, type);
      if (found.kind === 'alias') {
        const isCircle = answers.some(alias => sameName(alias.name, found.alias.name));
        if (isCircle) break;
        answers.push(found.alias);
        at = found.target;
        continue;
      }
      if (found.kind === 'referral') {
        const additionals = this.additionals(found.servers);
        return { rcode: 'NOERROR', aa: answers.length > 0, answers, authorities: found.servers, additionals };
      }
      if (found.kind === 'records') answers.push(...found.records);
      const rcode = found.kind === 'nxdomain' ? 'NXDOMAIN' : 'NOERROR';
      const authorities = found.kind === 'records' ? [] : [negativeSoa(zone)];
      return { rcode, aa: true, answers, authorities, additionals: this.additionals(answers) };
    }
    if (answers.length === 0) return REFUSED;
    return { rcode: 'NOERROR', aa: true, answers, authorities: [], additionals: [] };
  }

  /** The addresses of what records point to, as far as we know them (RFC 1035 section 3.3). */
  private additionals(records: readonly ResourceRecord[]): ResourceRecord[] {
    const targets = new Set(records.map(targetOf).filter(target => target !== null));
    return [...targets].flatMap(target => this.zoneOf(target)?.glue(target) ?? []);
  }
}

/** RFC 2308 section 3: its time says how long it may be remembered that there is nothing. */
function negativeSoa({ soa }: Zone): ResourceRecord {
  return { ...soa, ttl: Math.min(soa.ttl, soa.data.minimum) };
}

/** The message in at most `room` bytes: first without what is only additional, then cut off (RFC 2181 section 9). */
function fitted(message: Message, room: number): Uint8Array {
  const attempts = [message, { ...message, additionals: [] }];
  for (const attempt of attempts) {
    const bytes = encodedOrNull(attempt);
    if (bytes !== null && bytes.length <= room) return bytes;
  }
  return encodeMessage({ ...message, tc: true, answers: [], authorities: [], additionals: [] });
}

/** Null for more than a message can hold. */
function encodedOrNull(message: Message): Uint8Array | null {
  try {
    return encodeMessage(message);
  } catch {
    return null;
  }
}
