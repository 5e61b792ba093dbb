import { once } from 'node:events';
import { Agent, createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { acceptedStreams, fdStream, HttpClient, serveHttp } from '../src/http/index.ts';
import type { Benchmark } from './benchmark.ts';
import { Pair } from './pair.ts';

/** Connections that are kept, each with one request under way. */
const CONNECTIONS = 16;
const BODY = 'x'.repeat(612);

/** Requests on connections that are kept: client and server in this process. */
export const http: Benchmark = {
  name: 'http',
  unit: 'requests/s',
  referenceName: 'node:http over 127.0.0.1',
  rounds: 5,
  async ours(scale) {
    const total = Math.round(20_000 * scale);
    const pair = new Pair(1500);
    const { env } = pair.server.host;
    const headers = { 'Content-Type': 'text/plain' };
    const body = new TextEncoder().encode(BODY);
    const keepAliveRequests = Number.POSITIVE_INFINITY;
    const listener = acceptedStreams(pair.server.sys, pair.listen());
    void serveHttp(listener, () => ({ status: 200, headers, body }), { env, keepAliveRequests });
    const clients: HttpClient[] = [];
    for (let i = 0; i < CONNECTIONS; i++) {
      clients.push(new HttpClient(fdStream(pair.client.sys, await pair.connect())));
    }
    const seconds = await share(total, async index => {
      const response = await (clients[index] as HttpClient).request({
        path: '/',
        headers: { Host: 'bench' },
      });
      check(response.status, (await response.body.bytes()).length);
    });
    pair.close();
    return total / seconds;
  },
  async reference(scale) {
    const total = Math.round(20_000 * scale);
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': BODY.length }).end(BODY);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
    const { port } = server.address() as AddressInfo;
    const seconds = await share(total, () => getOnce(agent, port));
    agent.destroy();
    server.close();
    return total / seconds;
  },
};

function getOnce(agent: Agent, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, agent }, response => {
      let length = 0;
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
      });
      response.on('end', () => {
        check(response.statusCode ?? 0, length);
        resolve();
      });
    });
    request.on('error', reject);
  });
}

function check(status: number, length: number): void {
  if (status !== 200 || length !== BODY.length) throw new Error(`status ${status}, ${length} bytes`);
}

/** `total` requests, shared by the connections; gives the seconds. */
async function share(total: number, one: (index: number) => Promise<void>): Promise<number> {
  const began = performance.now();
  let left = total;
  const worker = async (index: number): Promise<void> => {
    while (left-- > 0) await one(index);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, (_, index) => worker(index)));
  return (performance.now() - began) / 1000;
}
