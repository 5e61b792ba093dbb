/**
 * The kernel's side of the benchmarks with a TAP device, a program of its own in a network namespace:
 *   send ADDRESS PORT BYTES      connects and sends a stream of the pattern
 *   receive ADDRESS PORT BYTES   connects, compares a stream with the pattern; prints the seconds it took
 *   echo ADDRESS PORT            sends every datagram back
 *   trips ADDRESS PORT COUNT     datagrams to an echo server, one after the other; prints the seconds
 * The echo server prints 'ready' first.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { Pattern, PIECE_MAX } from './pattern.ts';

const PIECE = 64 * 1024;
const MESSAGE = 64;
/** A datagram that is not answered by then is sent again: no benchmark hangs for a lost one. */
const LOST_MS = 1000;

const [role, address = '', port = 0, amount = 0] = process.argv
  .slice(2)
  .map((text, index) => (index < 2 ? text : Number(text))) as [string, string, number, number];

switch (role) {
  case 'send':
    await send();
    break;
  case 'receive':
    await receive();
    break;
  case 'echo':
    await echo();
    break;
  case 'trips':
    await trips();
    break;
  default:
    throw new Error(`unknown role '${role}'`);
}

async function send(): Promise<void> {
  const pattern = new Pattern();
  const socket = connect(port, address);
  await once(socket, 'connect');
  for (let sent = 0; sent < amount; ) {
    const piece = pattern.at(sent, Math.min(PIECE, amount - sent));
    sent += piece.length;
    if (!socket.write(piece)) await once(socket, 'drain');
  }
  socket.end();
}

async function receive(): Promise<void> {
  const pattern = new Pattern();
  let received = 0;
  const take = (length: number, bytes: Uint8Array): boolean => {
    pattern.check(bytes, length, received);
    received += length;
    return true;
  };
  const socket = connect({
    host: address,
    port,
    onread: { buffer: Buffer.alloc(PIECE_MAX), callback: take },
  });
  await once(socket, 'connect');
  const began = performance.now();
  await once(socket, 'end');
  if (received !== amount) throw new Error(`the stream ended after ${received} bytes`);
  print(String((performance.now() - began) / 1000));
}

async function echo(): Promise<void> {
  const socket = createSocket('udp4').bind(port, address);
  socket.on('message', (data, from) => socket.send(data, from.port, from.address));
  await once(socket, 'listening');
  print('ready');
}

async function trips(): Promise<void> {
  const socket = createSocket('udp4');
  socket.connect(port, address);
  await once(socket, 'connect');
  const message = Buffer.alloc(MESSAGE, 7);
  let left = amount;
  let timer = setTimeout(() => {}, 0);
  const next = (): void => {
    socket.send(message);
    timer.refresh();
  };
  timer = setTimeout(next, LOST_MS);
  const began = performance.now();
  next();
  await new Promise<void>(resolve => {
    socket.on('message', data => {
      if (data.length !== MESSAGE) return;
      if (--left > 0) next();
      else resolve();
    });
  });
  print(String((performance.now() - began) / 1000));
  clearTimeout(timer);
  socket.close();
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
