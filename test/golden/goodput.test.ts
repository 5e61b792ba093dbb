/**
 * Goodput of one stream on a 100 Mbit/s link, by loss (in both directions), delay and congestion control, on virtual
 * time and with fixed seeds: every figure is a fact, so a change of TCP's behaviour shows in the diff of goodput.txt.
 *
 * What the table must look like, whoever changes it: goodput falls from row to row, and from left to right; without
 * loss it is the rate of the link less the headers (95.6 Mbit/s) and the slow start; CUBIC is not below Reno where rate
 * times delay is large, which is what it is for, and does what Reno does where it is small (RFC 9438 section 4.3).
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Pattern } from '../../src/sim/pattern.ts';
import { World } from '../../src/sim/world.ts';
import { repositoryRoot } from '../support/repository.ts';
import { Receiver, Sender } from './streams.ts';

const FILE = join(repositoryRoot(), 'test/golden/goodput.txt');
const RATE = 100e6;
const LOSSES = [0, 0.001, 0.01, 0.02, 0.05, 0.1];
const DELAYS_MS = [1, 10, 50];
const CONTROLS = ['reno', 'cubic'];
/** Each cell is the mean of so many worlds. */
const SEEDS = [1, 2, 3];
const BYTES = 12_000_000;
/** No stream takes longer, in microseconds: an hour. */
const PATIENCE_US = 3600e6;

const pattern = new Pattern();

/** Bits a second from the first SYN to the last byte. */
function goodput(control: string, loss: number, delayMs: number, seed: number): number {
  const world = new World({ seed, sysctl: { tcp_congestion_control: control } });
  const a = world.host('a');
  const b = world.host('b');
  world.connect(a, b, { rate: RATE, delayUs: delayMs * 1000, loss });
  const receiver = new Receiver(b, pattern);
  const sender = new Sender(a, pattern, '10.0.0.2');
  const beganUs = world.nowUs;
  sender.open(40000, BYTES);
  while (receiver.streams[0]?.bytes !== BYTES && world.nowUs - beganUs < PATIENCE_US) world.clock.step();
  const us = world.nowUs - beganUs;
  world.close();
  return ((receiver.streams[0]?.bytes ?? 0) * 8e6) / us;
}

function mean(control: string, loss: number, delayMs: number): number {
  const sum = SEEDS.reduce((total, seed) => total + goodput(control, loss, delayMs, seed), 0);
  return sum / SEEDS.length;
}

function table(): string {
  const columns = DELAYS_MS.flatMap(delay => CONTROLS.map(control => ({ delay, control })));
  const line = (cells: string[]): string =>
    `${cells
      .map(cell => cell.padStart(12))
      .join('')
      .trimEnd()}\n`;
  let text = 'Goodput in Mbit/s on a link of 100 Mbit/s, by loss and one-way delay.\n\n';
  text += line(['loss', ...columns.map(({ delay, control }) => `${control} ${delay} ms`)]);
  for (const loss of LOSSES) {
    const cells = columns.map(({ delay, control }) => (mean(control, loss, delay) / 1e6).toPrecision(3));
    text += line([`${loss * 100} %`, ...cells]);
  }
  return text;
}

test('goodput over loss and delay, for Reno and CUBIC', () => {
  const text = table();
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(FILE, text);
  assert.equal(
    text,
    readFileSync(FILE, 'utf8'),
    `TCP behaves otherwise than test/golden/goodput.txt says:\n${text}\nIf that is meant: UPDATE_GOLDEN=1 npm test`,
  );
});
