/**
 * A client and a server on one cable in virtual time, and name servers that say what a test wants.
 */
import type { Sysctl } from '../../src/core/sysctl.ts';
import { DnsError } from '../../src/dns/errors.ts';
import { decodeMessage, encodeMessage, type Message } from '../../src/dns/message.ts';
import type { ResourceRecord } from '../../src/dns/records.ts';
import { Resolver, type ResolverOptions } from '../../src/dns/resolver.ts';
import { turn } from '../../src/node/turn.ts';
import { type ConnectOptions, World } from '../../src/sim/world.ts';
import { Delay } from '../../src/socket/api/delay.ts';
import { encodeLengthPrefixed, readLengthPrefixed } from '../../src/socket/framing.ts';
import type { Stack } from '../../src/stack/stack.ts';
import { IpAddress } from '../../src/wire/address.ts';

export const SERVER = '10.0.0.2';

/** Two hosts of both families. */
export class Net {
  readonly world: World;
  readonly client: Stack;
  readonly server: Stack;

  /** `sysctl` of the server. */
  constructor(options: ConnectOptions = {}, seed = 1, sysctl: Partial<Sysctl> = {}) {
    this.world = new World({ seed, turn });
    this.client = this.world.host('client', { address6: 'fd00::1/64' });
    this.server = this.world.host('server', { address6: 'fd00::2/64', sysctl });
    this.world.connect(this.client, this.server, { delayUs: 1000, ...options });
  }

  resolver(options: ResolverOptions = {}): Resolver {
    return new Resolver(this.client, { servers: [SERVER], ...options });
  }

  /** Runs the world until the promise is settled. */
  run<T>(promise: Promise<T>): Promise<T> {
    return this.world.run(promise);
  }

  /** Tells the client of a name server, as DHCP would. */
  tellServers(address: string, domains: readonly string[] = []): void {
    this.client.ip.dns.replace('static', 0, [IpAddress.parse(address) as IpAddress], domains);
  }

  /** Resolves so many microseconds of virtual time later. */
  sleep(us: number): Promise<void> {
    return new Promise(resolve => new Delay(this.server.host, resolve).start(us));
  }

  /** Milliseconds of virtual time that something takes. */
  async time(work: Promise<unknown>): Promise<number> {
    const beganUs = this.world.nowUs;
    await this.run(work.catch(() => undefined));
    return Math.round((this.world.nowUs - beganUs) / 1000);
  }
}

/** What a name server of a test says: messages, bytes, or nothing. */
type Said = Message | Uint8Array | null;
export type Say = (query: Message, count: number) => Said | Said[] | Promise<Said | Said[]>;

/** What a name server was asked. */
export interface Asked {
  readonly asked: Message[];
  readonly askedTcp: Message[];
}

function bytesOf(said: Said | Said[]): Uint8Array[] {
  return (Array.isArray(said) ? said : [said]).flatMap(each =>
    each === null ? [] : [each instanceof Uint8Array ? each : encodeMessage(each)],
  );
}

/** A name server over UDP, and over TCP if told. */
export function nameServer(stack: Stack, say: Say, sayTcp: Say | null = null, port = 53): Asked {
  const log: Asked = { asked: [], askedTcp: [] };
  void serveUdp(stack, port, say, log.asked).catch(() => undefined);
  if (sayTcp !== null) void serveTcp(stack, port, sayTcp, log.askedTcp).catch(() => undefined);
  return log;
}

async function serveUdp(stack: Stack, port: number, say: Say, asked: Message[]): Promise<void> {
  const socket = stack.udp({ port });
  for await (const { data, ...from } of socket) {
    const query = decodeMessage(data);
    if (query === null) continue;
    const count = asked.push(query);
    void Promise.resolve(say(query, count)).then(async said => {
      for (const bytes of bytesOf(said)) await socket.send(bytes, from);
    });
  }
}

async function serveTcp(stack: Stack, port: number, say: Say, asked: Message[]): Promise<void> {
  for await (const connection of stack.listen({ port })) {
    const writer = connection.writable.getWriter();
    for await (const data of readLengthPrefixed(connection.readable, { lengthBytes: 2 })) {
      const query = decodeMessage(data) as Message;
      const said = await say(query, asked.push(query));
      for (const bytes of bytesOf(said)) await writer.write(encodeLengthPrefixed(bytes, { lengthBytes: 2 }));
    }
    await connection.close();
  }
}

/** The name that was asked for, in the letters of its question. */
export const nameIn = (query: Message): string => query.questions[0]?.name ?? '';
export const typeIn = (query: Message): string => query.questions[0]?.type ?? '';

/** Answers every question for addresses. */
export function addresses(query: Message): Message {
  const name = nameIn(query);
  return reply(query, [
    typeIn(query) === 'A' ? record(name, 'A', '10.9.9.9') : record(name, 'AAAA', 'fd09::9'),
  ]);
}

/** An answer to a question with these records. */
export function reply(
  query: Message,
  answers: readonly ResourceRecord[] = [],
  more: Partial<Message> = {},
): Message {
  return { ...query, response: true, ra: true, answers, ...more };
}

export function record(name: string, type: string, data: unknown, ttl = 300): ResourceRecord {
  return { name, type, class: 'IN', ttl, data } as ResourceRecord;
}

export function soa(name: string, minimum: number, ttl = minimum): ResourceRecord {
  const data = { mname: name, rname: name, serial: 1, refresh: 1, retry: 1, expire: 1, minimum };
  return record(name, 'SOA', data, ttl);
}

/** The code that a lookup fails with; 'none' when it does not. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof DnsError) return error.code;
    throw error;
  }
  return 'none';
}
