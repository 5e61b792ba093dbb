/**
 * Socket calls as strace(1) prints them.
 * @module
 */
import { errnoName, strerror } from '../base/errno.ts';
import type { CallEvent, CallValue } from '../trace/events.ts';

/** How the lines look. */
export interface StraceOptions {
  /** Bytes of a buffer that are shown; strace -s, 32. */
  readonly stringLimit?: number;
  /** The column of '=', 0 for none; strace -a, 40. */
  readonly column?: number;
}

/** One call as one line: `socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 5`. */
export function formatStrace(event: CallEvent, options: StraceOptions = {}): string {
  const limit = options.stringLimit ?? 32;
  const format = FORMATS[event.name] ?? formatPlain;
  const call = `${event.name}(${format(event, limit).join(', ')})`;
  return `${call.padEnd((options.column ?? 40) - 1)} = ${formatResult(event)}`;
}

type Format = (event: CallEvent, limit: number) => string[];

/** Calls whose arguments strace prints in a way of its own. */
const FORMATS: { readonly [name: string]: Format } = {
  getsockname: formatNameCall,
  getpeername: formatNameCall,
  poll: event => [pollList(event.args['fds'], false), ...restOf(event, 'fds')],
  epoll_ctl: (event, limit) =>
    event.args['event'] === null ? [...plainOf(event, limit).slice(0, 3), 'NULL'] : plainOf(event, limit),
  recvfrom: formatReceive,
  recv: formatReceive,
  read: formatReceive,
};

function formatPlain(event: CallEvent, limit: number): string[] {
  return plainOf(event, limit);
}

function plainOf(event: CallEvent, limit: number): string[] {
  return Object.entries(event.args).map(([name, value]) => formatValue(value, limit, name));
}

/** The arguments but one, all of them scalars. */
function restOf(event: CallEvent, without: string): string[] {
  return Object.entries(event.args)
    .filter(([name]) => name !== without)
    .map(([name, value]) => formatValue(value, 0, name));
}

/** `[128 => 16]`: the room that curl and most programs give, and what the address took of it. */
function formatNameCall(event: CallEvent): string[] {
  const length = event.args['addrlen'];
  const written = Array.isArray(length) && typeof length[0] === 'number' ? length[0] : 0;
  const { addr } = event.args;
  const room = event.result < 0 || addr === null ? '[128]' : `[128 => ${written}]`;
  return [formatValue(event.args['sockfd'] ?? null, 0), formatPointer(event, addr ?? null), room];
}

/** A buffer that nothing was written to is an address to strace; we have no addresses, so we say what it is. */
function formatReceive(event: CallEvent, limit: number): string[] {
  return Object.entries(event.args).map(([name, value]) =>
    name === 'buf' ? formatPointer(event, value, limit) : formatValue(value, limit, name),
  );
}

function formatPointer(event: CallEvent, value: CallValue, limit = 0): string {
  return value === null && event.result < 0 ? '0x7ffd00000000' : formatValue(value, limit);
}

function formatValue(value: CallValue, limit: number, name = ''): string {
  if (value === null) return 'NULL';
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return `[${value.map(item => formatValue(item, limit)).join(', ')}]`;
  if (isBytes(value)) return quote(value.text, value.length, limit);
  if ('sa_family' in value) return formatAddress(value);
  if (name === 'msg') return formatMessage(value, limit);
  if ('events' in value && 'data' in value)
    return `{events=${value['events']}, data=${formatEpollData(value['data'])}}`;
  const fields = Object.entries(value).map(([field, item]) => `${field}=${formatValue(item, limit)}`);
  return `{${fields.join(', ')}}`;
}

interface BytesValue {
  readonly text: string;
  readonly length: number;
}

function isBytes(value: object): value is BytesValue {
  return 'text' in value && 'length' in value;
}

function formatEpollData(data: CallValue | undefined): string {
  return typeof data === 'number' ? `{u32=${data >>> 0}, u64=${data}}` : formatValue(data ?? null, 32);
}

function formatAddress(address: { [name: string]: CallValue }): string {
  const family = String(address['sa_family']);
  if ('sin_port' in address) {
    return `{sa_family=${family}, sin_port=htons(${address['sin_port']}), sin_addr=inet_addr("${address['sin_addr']}")}`;
  }
  if (!('sin6_port' in address)) return `{sa_family=${family}}`;
  const port = `sin6_port=htons(${address['sin6_port']}), sin6_flowinfo=htonl(${address['sin6_flowinfo'] ?? 0})`;
  const ip = `inet_pton(AF_INET6, "${address['sin6_addr']}", &sin6_addr)`;
  return `{sa_family=${family}, ${port}, ${ip}, sin6_scope_id=${address['sin6_scope_id'] ?? 0}}`;
}

function formatMessage(msg: { [name: string]: CallValue }, limit: number): string {
  const name = msg['msg_name'] ?? null;
  const iov = Array.isArray(msg['msg_iov']) ? msg['msg_iov'] : [];
  const parts = iov.map(part => `{iov_base=${formatValue(part, limit)}, iov_len=${lengthOf(part)}}`);
  const length = name === null ? 0 : isInet6(name) ? 28 : 16;
  return (
    `{msg_name=${formatValue(name, limit)}, msg_namelen=${length}, msg_iov=[${parts.join(', ')}], ` +
    `msg_iovlen=${iov.length}, ${formatControl(msg['msg_control'])}, ` +
    `msg_flags=${formatValue(msg['msg_flags'] ?? '0', limit)}}`
  );
}

/** Bytes of struct cmsghdr, and what data is rounded up to behind it. */
const CMSG_HEADER = 16;
const CMSG_ALIGN = 8;

function formatControl(control: CallValue | undefined): string {
  if (!Array.isArray(control)) return 'msg_controllen=0';
  let length = 0;
  const parts = (control as { [name: string]: CallValue }[]).map(message => {
    const { cmsg_level, cmsg_type, cmsg_data = null } = message;
    const size = CMSG_HEADER + controlLength(cmsg_type, cmsg_data);
    length += Math.ceil(size / CMSG_ALIGN) * CMSG_ALIGN;
    const data =
      typeof cmsg_data === 'number'
        ? `[${cmsg_type === 'IP_TOS' ? hex(cmsg_data) : cmsg_data}]`
        : formatValue(cmsg_data, 0);
    return `{cmsg_len=${size}, cmsg_level=${cmsg_level}, cmsg_type=${cmsg_type}, cmsg_data=${data}}`;
  });
  return `msg_control=[${parts.join(', ')}], msg_controllen=${length}`;
}

/** The size of the C type: int (IP_TOS: a byte), in_pktinfo, timeval, sock_extended_err and a sockaddr_in. */
function controlLength(type: CallValue | undefined, data: CallValue): number {
  if (typeof data !== 'object' || data === null) return type === 'IP_TOS' ? 1 : 4;
  if ('ee_errno' in data) return 32;
  return 'ipi6_addr' in data ? 20 : 'ipi_addr' in data ? 12 : 16;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

function isInet6(address: CallValue): boolean {
  return typeof address === 'object' && address !== null && 'sin6_port' in address;
}

function lengthOf(value: CallValue): number {
  return typeof value === 'object' && value !== null && isBytes(value) ? value.length : 0;
}

/** poll's descriptors: all of them with what is waited for, or those that are ready with what they are ready for. */
function pollList(fds: CallValue | undefined, ready: boolean): string {
  const list = Array.isArray(fds) ? (fds as { [name: string]: CallValue }[]) : [];
  const shown = ready ? list.filter(item => item['revents'] !== '0') : list;
  const field = ready ? 'revents' : 'events';
  return `[${shown.map(item => `{fd=${item['fd']}, ${field}=${item[field]}}`).join(', ')}]`;
}

function formatResult(event: CallEvent): string {
  const { result } = event;
  if (result < 0) return `-1 ${errnoName(result)} (${strerror(result)})`;
  if (event.name === 'poll')
    return result === 0 ? '0 (Timeout)' : `${result} (${pollList(event.args['fds'], true)})`;
  if (event.name === 'fcntl' && event.args['cmd'] === 'F_GETFL') return formatFileFlags(result);
  return String(result);
}

const O_RDWR = 0o2;
const O_NONBLOCK = 0o4000;

function formatFileFlags(flags: number): string {
  const names = [(flags & O_RDWR) !== 0 ? 'O_RDWR' : 'O_RDONLY'];
  if ((flags & O_NONBLOCK) !== 0) names.push('O_NONBLOCK');
  return `0x${flags.toString(16)} (flags ${names.join('|')})`;
}

const ESCAPES: { readonly [char: string]: string } = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\f': '\\f',
};

/** Bytes as a C string of at most `limit` bytes, `...` behind when there were more. */
function quote(text: string, length: number, limit: number): string {
  const shown = text.slice(0, limit);
  let quoted = '';
  for (let i = 0; i < shown.length; i++) quoted += escapeChar(shown.charAt(i), shown.charAt(i + 1));
  return `"${quoted}"${length > shown.length ? '...' : ''}`;
}

/** Octal as short as it can be: three digits only when a digit follows. */
function escapeChar(char: string, next: string): string {
  const code = char.charCodeAt(0);
  const known = ESCAPES[char];
  if (known !== undefined) return known;
  if (code >= 0x20 && code < 0x7f) return char;
  const octal = code.toString(8);
  return `\\${/[0-9]/.test(next) ? octal.padStart(3, '0') : octal}`;
}
