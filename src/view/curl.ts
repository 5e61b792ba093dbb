/**
 * An exchange as curl(1) prints it with -v.
 * @module
 */

/** One request over a connection, and what came of it. */
export interface CurlExchange {
  /** As the user wrote it: a name, or the address. */
  readonly hostname: string;
  readonly address: string;
  readonly port: number;
  /** Number of the connection in this run; default 0. */
  readonly connection?: number;
  /** Whether the connection was opened for this request; default true. */
  readonly opened?: boolean;
  /** The head of the request as sent, with its empty line. */
  readonly request: string;
  /** The heads of the answers as received, 1xx ones first. */
  readonly responses: readonly string[];
  /** What is left of the connection. */
  readonly after: 'intact' | 'closing';
}

/** `* ` what curl did, `> ` what it sent, `< ` what it received; lines without line ends. */
export function formatCurl(exchange: CurlExchange): string[] {
  const { hostname, address, port, connection = 0 } = exchange;
  const lines: string[] = [];
  if (exchange.opened ?? true) {
    lines.push(trying(address, port));
    lines.push(`* Connected to ${hostname} (${address}) port ${port} (#${connection})`);
  } else {
    lines.push(`* Re-using existing connection #${connection} with host ${hostname}`);
  }
  lines.push(...withMark('> ', exchange.request));
  for (const response of exchange.responses) {
    if (/^HTTP\/1\.0 /.test(response)) lines.push('* HTTP 1.0, assume close after body');
    lines.push(...withMark('< ', response));
  }
  if (exchange.after === 'closing') lines.push(`* Closing connection ${connection}`);
  else lines.push(`* Connection #${connection} to host ${hostname} left intact`);
  return lines;
}

/** What curl prints when no connection came about; `reason` is strerror's text, `waitedMs` how long it took. */
export function formatCurlFailure(
  hostname: string,
  address: string,
  port: number,
  reason: string,
  waitedMs: number,
): string[] {
  const failed = `Failed to connect to ${hostname} port ${port} after ${Math.round(waitedMs)} ms: Couldn't connect to server`;
  return [
    trying(address, port),
    `* connect to ${address} port ${port} failed: ${reason}`,
    `* ${failed}`,
    '* Closing connection 0',
    `curl: (7) ${failed}`,
  ];
}

function trying(address: string, port: number): string {
  return `*   Trying ${address.includes(':') ? `[${address}]` : address}:${port}...`;
}

function withMark(mark: string, head: string): string[] {
  return head
    .replace(/\r\n$/, '')
    .split('\r\n')
    .map(line => mark + line);
}
