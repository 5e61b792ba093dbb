/**
 * One request as curl makes it: connect, ask, write what comes.
 * @module
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { strerror } from '../../base/errno.ts';
import { VERSION } from '../../base/version.ts';
import type { NameResolver } from '../../core/name-resolver.ts';
import { HttpClient, type HttpResponse } from '../../http/client.ts';
import { fdStream } from '../../http/fd-stream.ts';
import { HttpError } from '../../http/status.ts';
import { hostPort, SocketError } from '../../socket/api/errors.ts';
import { ConnectError } from '../../socket/api/happy-eyeballs.ts';
import type { Sys } from '../../socket/calls.ts';
import { formatCurl, formatCurlFailure } from '../../view/curl.ts';
import { dial, whyNotConnected } from '../dial.ts';
import { Failure, failureOf } from '../failure.ts';
import { Progress } from '../host/progress.ts';
import type { CommandHost } from '../host/with-host.ts';
import { OutputClosed, say } from '../output.ts';
import { writeOut } from '../output-async.ts';
import type { GetSettings } from './command.ts';
import * as exit from './exit.ts';
import type { Target } from './target.ts';

/** What is needed of a command's host. */
export type FetchHost = Pick<CommandHost, 'stack' | 'hosts'>;

/** Fetches `target` and writes the answer. Throws a Failure with curl's exit status. */
export async function fetchUrl(host: FetchHost, target: Target, settings: GetSettings): Promise<void> {
  const fetching = new Fetch(host, target, settings);
  try {
    await fetching.run();
  } finally {
    fetching.close();
  }
}

class Fetch {
  private readonly sys: Sys;
  private readonly target: Target;
  private readonly settings: GetSettings;
  private readonly hosts: NameResolver;
  private readonly where: string;
  /** The connection; -1 before and after. */
  private fd = -1;
  /** The address that was connected to. */
  private address = '';
  /** The file of --output, once it is open. */
  private file = -1;
  private received = 0;
  /** Ends the connection attempt, or all of it, when its time is over. */
  private readonly late = new AbortController();
  private readonly timers: NodeJS.Timeout[] = [];
  private readonly beganMs = Date.now();

  constructor({ stack, hosts }: FetchHost, target: Target, settings: GetSettings) {
    this.sys = stack.sys.as('get');
    this.hosts = hosts;
    this.target = target;
    this.settings = settings;
    this.where = hostPort(target.hostname, target.port);
    if (settings.maxTime !== undefined) this.timeOutAfter(settings.maxTime);
  }

  async run(): Promise<void> {
    try {
      await this.connect();
      await this.exchange();
    } catch (error) {
      throw this.failureFor(error);
    }
  }

  close(): void {
    for (const timer of this.timers) clearTimeout(timer);
    if (this.file >= 0) closeSync(this.file);
    this.file = -1;
    this.hangUp();
  }

  private hangUp(): void {
    if (this.fd >= 0) this.sys.close(this.fd);
    this.fd = -1;
  }

  private timeOutAfter(seconds: number): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.late.abort();
      this.hangUp();
    }, seconds * 1000);
    this.timers.push(timer);
    return timer;
  }

  private async connect(): Promise<void> {
    const { sys, hosts, target, settings, late } = this;
    const { hostname, port } = target;
    const timer = settings.connectTimeout === undefined ? null : this.timeOutAfter(settings.connectTimeout);
    const trying = (address: string): void => {
      if (settings.verbose === true) say(`*   Trying ${hostPort(address, port)}...`);
    };
    try {
      const peer = { hosts, hostname, port };
      const { fd, remote } = await dial(sys, peer, { signal: late.signal, trying });
      this.fd = fd;
      this.address = sys.context.tcp.ip.textOf(remote.address);
    } catch (error) {
      if (late.signal.aborted || !(error instanceof ConnectError)) throw error;
      this.sayNotConnected(error);
      const why = whyNotConnected(error);
      throw new Failure(`cannot connect to ${this.where}: ${why}`, exit.EXIT_NO_CONNECTION);
    } finally {
      if (timer !== null) clearTimeout(timer);
    }
  }

  /** What curl -v says of each address that was tried, and of the host. */
  private sayNotConnected({ errors }: ConnectError): void {
    if (this.settings.verbose !== true) return;
    const { hostname, port } = this.target;
    const waitedMs = Date.now() - this.beganMs;
    let rest: readonly string[] = [];
    for (const { address = hostname, errno } of errors) {
      const [, failed = '', ...others] = formatCurlFailure(
        hostname,
        address,
        port,
        strerror(errno),
        waitedMs,
      );
      say(failed);
      rest = others.slice(0, -1);
    }
    for (const line of rest) say(line);
  }

  private async exchange(): Promise<void> {
    const { settings, target } = this;
    const method = settings.head === true ? 'HEAD' : 'GET';
    const headers = this.fields();
    const client = new HttpClient(fdStream(this.sys, this.fd));
    const fields = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    const request = `${method} ${target.path} HTTP/1.1\r\n${fields}\r\n`;
    const lines = this.verbose(request, []);
    // 'Trying' was said; the last line is for later.
    for (const line of lines.slice(1, -1)) say(line);
    const response = await client.request({ method, path: target.path, headers: headers.map(pairOf) });
    const shown = this.verbose(request, [headOf(response)], response.keepAlive);
    for (const line of shown.slice(lines.length - 1, -1)) say(line);
    if (settings.fail === true && response.status >= 400)
      throw new Failure(`${this.where} answered ${response.status} ${response.reason}`, exit.EXIT_HTTP_ERROR);
    if (method === 'HEAD') await this.write(new TextEncoder().encode(headOf(response)));
    else await this.receive(response);
    for (const line of shown.slice(-1)) say(line);
  }

  /** What curl -v prints of the exchange; nothing without --verbose. */
  private verbose(request: string, responses: string[], keepAlive = true): string[] {
    if (this.settings.verbose !== true) return [];
    const { hostname, port } = this.target;
    const after = keepAlive ? 'intact' : 'closing';
    return formatCurl({ hostname, address: this.address, port, request, responses, after });
  }

  /** The user's fields take the place of ours. */
  private fields(): [string, string][] {
    const { header, range } = this.settings;
    const ours: [string, string][] = [
      ['Host', this.target.host],
      ['User-Agent', `ethertype/${VERSION}`],
      ['Accept', '*/*'],
    ];
    if (range !== undefined) ours.push(['Range', `bytes=${range}`]);
    const given = new Set(header.map(([name]) => name.toLowerCase()));
    return [...ours.filter(([name]) => !given.has(name.toLowerCase())), ...header.map(pairOf)];
  }

  private async receive(response: HttpResponse): Promise<void> {
    const length = response.headers.get('content-length');
    const toTerminal = this.settings.output === undefined && process.stdout.isTTY === true;
    const progress = new Progress(
      length === undefined ? null : Number(length),
      this.settings.silent !== true && !toTerminal,
    );
    try {
      for (;;) {
        const piece = await response.body.read();
        if (piece === null) break;
        await this.write(piece);
        this.received += piece.length;
        progress.at(this.received);
      }
    } finally {
      progress.end();
    }
    // An empty body makes an empty file, too.
    if (this.received === 0) await this.write(new Uint8Array(0));
  }

  private async write(bytes: Uint8Array): Promise<void> {
    const { output } = this.settings;
    if (output === undefined) {
      await writeOut(1, bytes);
      return;
    }
    try {
      if (this.file < 0) this.file = openSync(output, 'w');
      for (let at = 0; at < bytes.length; ) at += writeSync(this.file, bytes, at);
    } catch (error) {
      throw new Failure(failureOf(`cannot write ${output}`, error).message, exit.EXIT_WRITE);
    }
  }

  /** What is said, and with which status the command ends, for whatever went wrong. */
  private failureFor(error: unknown): unknown {
    const { where, received } = this;
    if (error instanceof Failure || error instanceof OutputClosed) return error;
    const soFar = received > 0 ? ` after ${received} bytes` : '';
    if (this.late.signal.aborted) {
      const seconds = ((Date.now() - this.beganMs) / 1000).toFixed(1);
      return new Failure(`${where}: no end of it in ${seconds} s${soFar}`, exit.EXIT_TIMEOUT);
    }
    if (error instanceof SocketError) {
      const status = error.syscall === 'send' ? exit.EXIT_SEND : exit.EXIT_RECEIVE;
      return new Failure(`${where}: ${error.syscall}: ${strerror(error.errno)}${soFar}`, status);
    }
    if (!(error instanceof HttpError)) return error;
    if (/before the answer/.test(error.message))
      return new Failure(`${where} gave no answer`, exit.EXIT_NO_ANSWER);
    if (/cut short/.test(error.message))
      return new Failure(`${where}: the answer was cut short${soFar}`, exit.EXIT_CUT_SHORT);
    return new Failure(`${where}: the answer is not HTTP: ${error.message}`, exit.EXIT_MALFORMED);
  }
}

function pairOf([name, value]: readonly [string, string]): [string, string] {
  return [name, value];
}

/** The head of an answer as it was received. */
function headOf(response: HttpResponse): string {
  const fields = [...response.headers].map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `HTTP/${response.version} ${response.status} ${response.reason}\r\n${fields}\r\n`;
}
