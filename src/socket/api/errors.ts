import { EADDRINUSE, EADDRNOTAVAIL, errnoName, strerror } from '../../base/errno.ts';

/** What the high-level API throws and rejects with: an Error with the fields of Node's system errors. */
export class SocketError extends Error {
  override name = 'SocketError';
  /** 'ECONNREFUSED' */
  readonly code: string;
  /** The negative error number, -111, as in Node. */
  readonly errno: number;
  /** The call that failed: 'connect', 'listen', 'read', 'write' ... */
  readonly syscall: string;
  readonly address?: string;
  readonly port?: number;

  constructor(syscall: string, result: number, address?: string, port?: number) {
    const code = errnoName(result);
    super(messageOf(syscall, code, result, address, port));
    this.code = code;
    this.errno = -Math.abs(result);
    this.syscall = syscall;
    if (address !== undefined) this.address = address;
    if (port !== undefined) this.port = port;
  }
}

/** 'connect ECONNREFUSED 10.0.0.2:80', 'listen EADDRINUSE: address already in use 0.0.0.0:80', 'read ECONNRESET'. */
function messageOf(syscall: string, code: string, result: number, address?: string, port?: number): string {
  const errno = Math.abs(result);
  const text = errno === EADDRINUSE || errno === EADDRNOTAVAIL ? `: ${strerror(errno).toLowerCase()}` : '';
  const where = address === undefined ? '' : ` ${hostPort(address, port)}`;
  return `${syscall} ${code}${text}${where}`;
}

/** '10.0.0.2:80', '[::1]:80'. */
export function hostPort(address: string, port: number | undefined): string {
  if (port === undefined) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
