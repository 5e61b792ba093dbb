import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AssertionError } from '../../src/base/assert.ts';
import { ECONNREFUSED, ECONNRESET, EHOSTUNREACH, EPIPE, ETIMEDOUT } from '../../src/base/errno.ts';
import { changeState } from '../../src/tcp/change-state.ts';
import { nextState, TCP_STATES, type TcpCause, type TcpState, TRANSITIONS } from '../../src/tcp/state.ts';
import {
  answerSyn,
  Bench,
  type BenchOptions,
  closeWait,
  closing,
  established,
  finWait1,
  finWait2,
  ISS_VALUES,
  lastAck,
  synReceived,
  synSent,
} from './harness.ts';

const CAUSES: readonly TcpCause[] = [
  'passive open',
  'active open',
  'send',
  'close',
  'abort',
  'receive SYN',
  'receive SYN,ACK',
  'receive ACK of SYN',
  'receive FIN',
  'receive ACK of FIN',
  'receive RST',
  'timeout',
  'error',
];
const FOREVER_US = 3600e6;
/** Keepalive finds out that a peer is gone where nothing is in flight. */
const WATCHFUL = { keepAlive: true, keepIdleUs: 1e6, keepIntervalUs: 1e6, keepCount: 2 };

/** How each arrow that a connection can take comes about. LISTEN and TIME_WAIT are the transport's. */
const SCENARIOS: Record<string, (options: BenchOptions) => Bench> = {
  'CLOSED active open SYN_SENT': synSent,
  'LISTEN send SYN_SENT': options => {
    const bench = new Bench(options);
    bench.connection.openFromListen();
    return bench;
  },
  'SYN_SENT receive SYN,ACK ESTABLISHED': established,
  'SYN_SENT receive SYN SYN_RCVD': synReceived,
  'SYN_SENT receive RST CLOSED': options => synSent(options).receive('R.', { seq: 0, ack: 1 }),
  'SYN_SENT close CLOSED': options => closed(synSent(options)),
  'SYN_SENT abort CLOSED': options => aborted(synSent(options)),
  'SYN_SENT timeout CLOSED': options => synSent(options).advance(FOREVER_US),
  'SYN_SENT error CLOSED': options => hardError(synSent(options)),
  'SYN_RCVD receive ACK of SYN ESTABLISHED': options => synReceived(options).receive('.'),
  'SYN_RCVD receive SYN,ACK ESTABLISHED': options => {
    const bench = synReceived(options);
    answerSyn(bench);
    return bench;
  },
  'SYN_RCVD close FIN_WAIT_1': options => closed(synReceived(options)),
  'SYN_RCVD receive RST CLOSED': options => synReceived(options).receive('R'),
  'SYN_RCVD abort CLOSED': options => aborted(synReceived(options)),
  'SYN_RCVD timeout CLOSED': options => synReceived(options).advance(FOREVER_US),
  'SYN_RCVD error CLOSED': options => hardError(synReceived(options)),
  'ESTABLISHED close FIN_WAIT_1': finWait1,
  'ESTABLISHED receive FIN CLOSE_WAIT': closeWait,
  'FIN_WAIT_1 receive ACK of FIN FIN_WAIT_2': finWait2,
  'FIN_WAIT_1 receive FIN CLOSING': closing,
  'FIN_WAIT_2 receive FIN TIME_WAIT': options => finWait2(options).receive('F.'),
  'CLOSE_WAIT close LAST_ACK': lastAck,
  'CLOSING receive ACK of FIN TIME_WAIT': options => closing(options).receive('.'),
  'LAST_ACK receive ACK of FIN CLOSED': options => lastAck(options).receive('.'),
};
for (const [state, make] of Object.entries({
  ESTABLISHED: established,
  FIN_WAIT_1: finWait1,
  FIN_WAIT_2: finWait2,
  CLOSE_WAIT: closeWait,
  CLOSING: closing,
  LAST_ACK: lastAck,
})) {
  SCENARIOS[`${state} receive RST CLOSED`] = options => make(options).receive('R');
  SCENARIOS[`${state} abort CLOSED`] = options => aborted(make(options));
  SCENARIOS[`${state} timeout CLOSED`] = options =>
    make({ ...options, settings: WATCHFUL }).advance(FOREVER_US);
}

/** Taken by listeners, half-open requests and TIME_WAIT entries: listener.test.ts and time-wait.test.ts show it. */
const OF_THE_TRANSPORT: readonly string[] = [
  'CLOSED passive open LISTEN',
  'LISTEN receive SYN SYN_RCVD',
  'LISTEN close CLOSED',
  'TIME_WAIT timeout CLOSED',
  'TIME_WAIT receive RST CLOSED',
  'TIME_WAIT receive SYN CLOSED',
  'TIME_WAIT abort CLOSED',
];

function closed(bench: Bench): Bench {
  bench.connection.close();
  return bench;
}

function aborted(bench: Bench): Bench {
  bench.connection.abort();
  return bench;
}

function hardError(bench: Bench): Bench {
  bench.connection.icmpError(ECONNREFUSED);
  return bench;
}

for (const iss of ISS_VALUES) {
  describe(`state diagram, iss ${iss >>> 0}`, () => {
    for (const [arrow, make] of Object.entries(SCENARIOS)) {
      it(arrow, () => {
        const bench = make({ iss });
        assert.equal(bench.arrows.at(-1), arrow);
        assert.equal(bench.state, arrow.split(' ').at(-1));
        assert.equal(bench.over !== 'no', bench.state === 'CLOSED' || bench.state === 'TIME_WAIT');
        if (bench.over !== 'no') assert.equal(bench.host.timers.size, 0, 'no timer is left');
      });
    }
  });
}

describe('a FIN behind the FIN', () => {
  for (const [state, make] of Object.entries({
    CLOSE_WAIT: closeWait,
    CLOSING: closing,
    LAST_ACK: lastAck,
  })) {
    it(`in ${state} is none, whatever data it claims to follow`, () => {
      const bench = make({});
      const { rcvNxt, irs, sndUna, iss } = bench.connection;
      bench.receive('F.', { seq: rcvNxt - irs - 1, ack: sndUna - iss, text: 'x' });
      assert.equal(bench.state, state);
      assert.equal(bench.connection.rcvNxt, rcvNxt);
    });
  }
});

describe('the transition table', () => {
  it('has no arrow that no code takes', () => {
    const table = TCP_STATES.flatMap(from =>
      Object.entries(TRANSITIONS[from]).map(([cause, to]) => `${from} ${cause} ${to}`),
    );
    const taken = [...Object.keys(SCENARIOS), ...OF_THE_TRANSPORT];
    assert.deepEqual([...table].sort(), [...taken].sort());
  });

  it('leads nowhere else, and a connection cannot go there', () => {
    for (const from of TCP_STATES) {
      for (const cause of CAUSES) {
        if (Object.hasOwn(TRANSITIONS[from], cause)) continue;
        assert.equal(nextState(from, cause), undefined);
        const { connection } = new Bench();
        connection.state = from as TcpState;
        assert.throws(() => changeState(connection, cause), AssertionError, `${from} ${cause}`);
      }
    }
  });
});

describe('what ends a connection', () => {
  it('tells the user the errno of Linux', () => {
    const errors: [string, Bench, number][] = [
      ['a refused connect', synSent().receive('R.', { seq: 0, ack: 1 }), ECONNREFUSED],
      ['a reset', established().receive('R'), ECONNRESET],
      ['a reset after the peer closed', closeWait().receive('R'), EPIPE],
      ['a silent peer', established({ settings: WATCHFUL }).advance(FOREVER_US), ETIMEDOUT],
      ['an unanswered SYN', synSent().advance(FOREVER_US), ETIMEDOUT],
    ];
    for (const [what, bench, errno] of errors) assert.equal(bench.connection.takeError(), errno, what);
  });

  it('remembers an ICMP error for the time-out once the connection stands', () => {
    const bench = established();
    bench.write('x');
    bench.connection.icmpError(EHOSTUNREACH);
    assert.equal(bench.state, 'ESTABLISHED');
    assert.equal(bench.advance(FOREVER_US).connection.takeError(), EHOSTUNREACH);
  });

  it('gives up connecting at any ICMP error', () => {
    const bench = synSent();
    bench.connection.icmpError(EHOSTUNREACH);
    assert.equal(bench.state, 'CLOSED');
    assert.equal(bench.connection.takeError(), EHOSTUNREACH);
  });

  it('does not abort a connection in TIME_WAIT a second time', () => {
    const bench = finWait2().receive('F.');
    bench.connection.abort();
    assert.equal(bench.over, 'time-wait');
    assert.equal(bench.state, 'TIME_WAIT');
  });

  it('gives all memory back', () => {
    for (const make of Object.values(SCENARIOS)) {
      const bench = make({});
      bench.connection.abort();
      assert.equal(bench.context.blocks.inUse, 0);
      assert.equal(bench.host.timers.size, 0);
    }
  });
});

describe('closing while SYN_RCVD', () => {
  it('sends the FIN at once when nothing was written, and still finishes the handshake', () => {
    const bench = synReceived();
    bench.connection.shutdownWrite();
    assert.deepEqual(bench.take(), ['F. 1:2 ack 1']);
    bench.receive('.', { ack: 1 });
    assert.equal(bench.state, 'FIN_WAIT_1');
    bench.receive('P.', { ack: 2, text: 'hello' });
    assert.equal(bench.state, 'FIN_WAIT_2');
    assert.equal(bench.read(), 'hello');
  });

  it('repeats the SYN with its ACK while neither is acknowledged', () => {
    const bench = synReceived();
    bench.connection.shutdownWrite();
    bench.take();
    bench.advance(1e6);
    assert.deepEqual(bench.take(), ['S. 0:1 ack 1']);
    bench.receive('S.', { seq: 0, ack: 1 });
    assert.equal(bench.connection.sndUna, (bench.iss + 1) | 0);
  });

  it('lets what was written go first', () => {
    const bench = synSent();
    bench.write('hello');
    answerSyn(bench, 'S');
    bench.connection.shutdownWrite();
    assert.equal(bench.state, 'SYN_RCVD');
    bench.take();
    bench.receive('.', { ack: 1 });
    assert.deepEqual(bench.take(), ['FP. 1:7 ack 1 hello']);
    assert.equal(bench.state, 'FIN_WAIT_1');
  });
});
