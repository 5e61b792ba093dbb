import assert from 'node:assert/strict';
import {
  calls,
  dataSegments,
  faults,
  fired,
  lateOnes,
  retransmits,
  segments,
} from '../../src/scenes/observe.ts';
import type { CallEvent, TcpCwndEvent } from '../../src/trace/events.ts';
import { claim } from './played.ts';

/** Bytes that these calls moved. */
function moved(list: readonly CallEvent[]): number {
  return list.reduce((sum, { result }) => sum + result, 0);
}

claim(
  'loss-and-retransmit: by SACK within a round trip or two, by a probe soon after, at last by the timer',
  async play => {
    const { events, network } = await play();
    assert.equal(faults(events, 'drop').length, 4);
    const [fast, ...moreFast] = retransmits(events, 'client', 'fast');
    const [probe, lateProbe, ...moreProbes] = retransmits(events, 'client', 'probe');
    const [timeOut, ...moreTimeOut] = retransmits(events, 'client', 'rto');
    assert.ok(fast !== undefined && probe !== undefined && lateProbe !== undefined && timeOut !== undefined);
    assert.deepEqual([...moreFast, ...moreProbes, ...moreTimeOut], []);
    const sent = dataSegments(events, 'client', 'out');
    assert.equal(sent.length, 22 + 4);
    const waited = ({ seq, atUs }: { seq: number; atUs: number }): number =>
      atUs - (sent.find(({ tcp }) => tcp.seq === seq)?.atUs ?? Number.NaN);
    assert.ok(waited(fast) <= 40_000);
    assert.ok(waited(probe) >= 40_000 && waited(probe) < 60_000);
    assert.ok(waited(timeOut) >= 400_000);
    // At least three segments behind the lost one had arrived when it was sent again.
    const behind = dataSegments(events, 'server', 'in').filter(
      ({ atUs, tcp }) => atUs < fast.atUs && tcp.seq > fast.seq,
    );
    assert.ok(behind.length >= 3);
    assert.deepEqual(
      calls(events, 'server', 'recv').map(({ result }) => result),
      [9 * network.segment + 1000, 9 * network.segment + 1000, 100, 100],
    );
  },
);

claim(
  'out-of-order: by two or for 3 ms nothing is repeated, for 15 ms it is; the window comes back',
  async play => {
    for (const seed of [1, 2]) {
      const { events, network } = await play(seed);
      const held = faults(events, 'reorder');
      assert.equal(held.length, 3);
      assert.equal(lateOnes(dataSegments(events, 'server', 'in')).length, 4, 'three, and the repetition');
      const again = retransmits(events, 'client');
      assert.equal(again.length, 1);
      assert.ok((again[0]?.atUs ?? 0) > (held[2]?.atUs ?? Number.NaN));
      const windows = events.flatMap(event =>
        event.type === 'tcp:cwnd' && event.host === 'client' ? [event] : [],
      );
      const recovery = windows.findIndex(({ caState }) => caState === 'Recovery');
      const before = windows[recovery - 1]?.cwnd ?? 0;
      assert.ok(windows.slice(recovery).some(({ cwnd }) => cwnd < before));
      assert.ok((windows.at(-1)?.cwnd ?? 0) >= before);
      assert.equal(faults(events, 'drop').length + faults(events, 'loss').length, 0);
      let at = 0;
      for (const call of calls(events, 'server', 'recv')) {
        const shown = (call.args['buf'] as { text: string } | null)?.text ?? '';
        for (let i = 0; i < shown.length; i++) {
          // Each burst is written in three pieces, each of which begins with the alphabet.
          const place = (at + i) % (10 * network.segment);
          const piece =
            place < network.segment
              ? place
              : place < 2 * network.segment
                ? place - network.segment
                : place - 2 * network.segment;
          assert.equal(shown[i], String.fromCharCode(97 + (piece % 26)));
        }
        at += call.result;
      }
      assert.equal(at, 3 * 10 * network.segment);
    }
  },
);

claim('zero-window: nothing but probes while the window is closed, at growing intervals', async play => {
  const { events } = await play();
  const acks = segments(events, 'server', 'out');
  const closed = acks.find(({ tcp }) => tcp.window === 0);
  assert.ok(closed !== undefined);
  const opened = acks.find(({ atUs, tcp }) => atUs > closed.atUs && tcp.window > 0);
  assert.ok(opened !== undefined);
  const within = ({ atUs }: { atUs: number }): boolean => atUs > closed.atUs && atUs < opened.atUs;
  assert.deepEqual(dataSegments(events, 'client', 'out').filter(within), []);
  const probes = segments(events, 'client', 'out').filter(within);
  const timeOuts = fired(events, 'client', 'persist').filter(within);
  assert.ok(probes.length >= 3);
  assert.equal(probes.length, timeOuts.length);
  const gaps = timeOuts.slice(1).map(({ atUs }, i) => atUs - (timeOuts[i]?.atUs ?? 0));
  for (let i = 1; i < gaps.length; i++) assert.ok((gaps[i] ?? 0) >= 1.9 * (gaps[i - 1] ?? 0), String(gaps));
  assert.equal(moved(calls(events, 'server', 'recv')), 40_000);
});

claim('delayed-ack-and-nagle: 40 ms a request with Nagle, a round trip without', async play => {
  const { events } = await play();
  const sends = calls(events, 'client', 'send');
  const took = calls(events, 'client', 'recv').map(({ atUs }, i) => atUs - (sends[2 * i]?.atUs ?? 0));
  assert.equal(took.length, 6);
  assert.ok((took[0] ?? 0) < 10_000, 'the first request meets quick ACKs');
  for (const us of took.slice(1, 3)) assert.ok(us >= 40_000 && us < 50_000, String(us));
  for (const us of took.slice(3)) assert.equal(us, 1000);
  assert.equal(fired(events, 'server', 'delayed-ack').length, 2);
});

claim(
  'slow-start: doubles each round trip, halves at a loss, then grows by a segment a round trip',
  async play => {
    const { events, story, network } = await play();
    const windows = events.filter(
      (event): event is TcpCwndEvent => event.type === 'tcp:cwnd' && event.host === 'client',
    );
    const [fast] = retransmits(events, 'client', 'fast');
    assert.ok(fast !== undefined);
    const begin = windows.filter(({ atUs }) => atUs < fast.atUs);
    assert.equal(begin[0]?.cwnd, 10 * network.segment);
    for (let i = 1; i < begin.length; i++) assert.ok((begin[i]?.cwnd ?? 0) >= (begin[i - 1]?.cwnd ?? 0));
    const peak = begin.at(-1)?.cwnd ?? 0;
    const startUs = begin[0]?.atUs ?? 0;
    const after = (us: number): number => begin.filter(({ atUs }) => atUs <= startUs + us).at(-1)?.cwnd ?? 0;
    // A round trip later it has doubled: 100 ms and the time the segments need at the bottleneck.
    assert.ok(
      after(200_000) >= 2 * 10 * network.segment && after(200_000) <= 2.5 * 10 * network.segment,
      String(after(200_000)),
    );
    const loss = windows.find(({ atUs, ssthresh }) => atUs >= fast.atUs && ssthresh < peak);
    assert.equal(loss?.ssthresh, peak / 2);
    const open = windows.filter(({ atUs, caState }) => atUs > fast.atUs + 500_000 && caState === 'Open');
    const second = open.slice(1, 20).map(({ cwnd }, i) => cwnd - (open[i]?.cwnd ?? 0));
    assert.ok(second.some(step => step === network.segment));
    for (const step of second) assert.ok(step <= network.segment, String(step));
    assert.ok(faults(events, 'queue-full').length > 0);
    assert.equal(moved(calls(events, 'server', 'recv')), 1_000_000);
    assert.equal(story.plot?.points.length, windows.length);
  },
);

claim(
  'sticky-packets: three sends, one recv; one send, several recvs; with framing one answer a message',
  async play => {
    const { events } = await play();
    const text = (call: CallEvent): string => (call.args['buf'] as { text: string } | null)?.text ?? '';
    const reads = calls(events, 'server', 'recv');
    assert.deepEqual(calls(events, 'client', 'send').slice(0, 3).map(text), ['one', 'two', 'three']);
    assert.equal(text(reads[0] as CallEvent), 'onetwothree');
    const end = reads.findIndex(({ result }) => result === 0);
    assert.ok(end > 2);
    assert.equal(moved(reads.slice(1, end)), 5000);
    const answers = calls(events, 'server', 'send').map(text);
    assert.deepEqual(answers, ['got "one"', 'got "two"', 'got "three"']);
  },
);
