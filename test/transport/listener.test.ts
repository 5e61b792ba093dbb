import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LayerBench, LOCAL, PEER, PEER_PORT } from './harness.ts';

const IRS = 0xffffffff | 0;

/** The SYN-ACK for a SYN from `port`; undefined when there was none. */
function open(
  bench: LayerBench,
  port: number,
  options: Parameters<LayerBench['receive']>[0] = { flags: 'S' },
) {
  bench.receive({ seq: IRS, mss: 1460, ...options, port });
  return bench.takeSent().at(-1);
}

describe('a SYN', () => {
  it('is answered with what both sides can do, and no more', () => {
    const bench = new LayerBench();
    bench.listen();
    const plain = open(bench, 1001);
    assert.equal(plain?.ack, 0);
    assert.equal(plain?.options.mss, 1460);
    assert.equal(plain?.options.windowScale, -1);
    assert.equal(plain?.options.sackPermitted, false);
    assert.equal(plain?.options.timestamps, false);
    const full = open(bench, 1002, { flags: 'S', scale: 7, sackPermitted: true, tsVal: 5 });
    assert.ok((full?.options.windowScale ?? -1) >= 0);
    assert.equal(full?.options.sackPermitted, true);
    assert.equal(full?.options.tsEcr, 5);
  });

  it('that comes again gets the same answer', () => {
    const bench = new LayerBench();
    const listener = bench.listen();
    const first = open(bench, 1001);
    bench.advance(3e5);
    const second = open(bench, 1001);
    assert.equal(second?.seq, first?.seq);
    assert.equal(listener.synQueueLength, 1);
  });

  it('that comes again and again is answered at most once in tcp_invalid_ratelimit', () => {
    const bench = new LayerBench();
    bench.listen();
    open(bench, 1001);
    for (let i = 0; i < 10; i++) bench.receive({ flags: 'S', seq: IRS, port: 1001 });
    assert.deepEqual(bench.take(), ['S.']);
    assert.equal(bench.host.mib.TcpExt.TCPACKSkippedSynRecv, 9);
    bench.advance(0.5e6).receive({ flags: 'S', seq: IRS, port: 1001 });
    assert.deepEqual(bench.take(), ['S.']);
  });

  it('is not completed by a segment older than it (PAWS)', () => {
    const bench = new LayerBench();
    const listener = bench.listen();
    const synAck = open(bench, 1001, { flags: 'S', tsVal: 100 });
    const ack = { flags: '.', seq: IRS + 1, ack: (synAck?.seq ?? 0) + 1, port: 1001 };
    bench.receive({ ...ack, tsVal: 99, tsEcr: synAck?.options.tsVal ?? 0 });
    assert.equal(listener.acceptQueueLength, 0);
    assert.deepEqual(bench.take(), ['.']);
    bench.receive({ ...ack, tsVal: 100, tsEcr: synAck?.options.tsVal ?? 0 });
    assert.equal(listener.acceptQueueLength, 1);
  });

  it('with FIN is dropped in silence; a RST, too; an ACK is answered by a reset', () => {
    const bench = new LayerBench();
    bench.listen();
    bench.receive({ flags: 'SF' }).receive({ flags: 'R' }).receive({ flags: 'F' });
    assert.deepEqual(bench.take(), []);
    bench.receive({ flags: '.', ack: 77 });
    assert.equal(bench.takeSent()[0]?.seq, 77);
  });

  it('to a port without a listener is answered by a reset that acknowledges it', () => {
    const bench = new LayerBench();
    bench.receive({ flags: 'S', seq: IRS });
    const [reset] = bench.takeSent();
    assert.equal(reset?.ack, 0);
    assert.equal(reset?.seq, 0);
    assert.equal(bench.host.mib.Tcp.OutRsts, 1);
  });
});

describe('a half-open connection', () => {
  it('sends its SYN-ACK again after 1, 2, 4 ... s, tcp_synack_retries times, and is forgotten', () => {
    const bench = new LayerBench({ tcp_synack_retries: 3 });
    const listener = bench.listen();
    open(bench, 1001);
    assert.deepEqual(bench.advance(0.9e6).take(), []);
    assert.deepEqual(bench.advance(0.2e6).take(), ['S.']);
    assert.deepEqual(bench.advance(2e6).take(), ['S.']);
    assert.deepEqual(bench.advance(4e6).take(), ['S.']);
    assert.equal(listener.synQueueLength, 1);
    bench.advance(8e6);
    assert.equal(listener.synQueueLength, 0);
    assert.equal(bench.layer.flows.size, 0);
    assert.equal(bench.host.timers.size, 0);
    assert.equal(bench.arrows.at(-1), 'SYN_RCVD timeout CLOSED');
  });

  it('is ended by a reset at its next number; another one in the window is challenged (RFC 5961)', () => {
    const bench = new LayerBench();
    const listener = bench.listen();
    open(bench, PEER_PORT);
    bench.receive({ flags: 'R', seq: IRS + 5 });
    assert.deepEqual(bench.take(), ['.']);
    bench.receive({ flags: 'R', seq: IRS + 1 });
    assert.equal(listener.synQueueLength, 0);
    assert.equal(bench.host.mib.TcpExt.EmbryonicRsts, 1);
  });

  it('answers a wrong acknowledgement with a reset, and waits on', () => {
    const bench = new LayerBench();
    const listener = bench.listen();
    open(bench, PEER_PORT);
    bench.receive({ flags: '.', seq: IRS + 1, ack: 12345 });
    assert.equal(bench.takeSent()[0]?.seq, 12345);
    assert.equal(listener.synQueueLength, 1);
  });

  it('takes data with the last ACK', () => {
    const bench = new LayerBench();
    const listener = bench.listen();
    const iss = open(bench, PEER_PORT)?.seq ?? 0;
    bench.receive({ flags: 'P.', seq: IRS + 1, ack: iss + 1, text: 'hello' });
    assert.equal(listener.accept()?.readable, 5);
  });
});

describe('the accept queue', () => {
  it('holds backlog + 1 connections; the last ACK of one more is dropped and can come again', () => {
    const bench = new LayerBench();
    const listener = bench.listen(1);
    bench.handshake(1001);
    const iss = open(bench, 1002)?.seq ?? 0;
    bench.handshake(1003);
    assert.equal(listener.acceptQueueLength, 2);
    bench.receive({ flags: '.', seq: IRS + 1, ack: iss + 1, port: 1002 });
    assert.equal(listener.acceptQueueLength, 2);
    assert.equal(bench.host.mib.TcpExt.ListenOverflows, 1);
    assert.ok(listener.accept());
    bench.advance(1e6);
    assert.ok(bench.take().includes('S.'), 'the peer is asked again');
    bench.receive({ flags: '.', seq: IRS + 1, ack: iss + 1, port: 1002 });
    assert.equal(listener.acceptQueueLength, 2);
  });

  it('refuses new SYNs while it is full', () => {
    const bench = new LayerBench();
    bench.listen(0);
    bench.handshake(1001);
    assert.equal(open(bench, 1002), undefined);
    assert.equal(bench.host.mib.TcpExt.ListenDrops, 1);
  });

  it('resets what it cannot hold with tcp_abort_on_overflow', () => {
    const bench = new LayerBench({ tcp_abort_on_overflow: true });
    const listener = bench.listen(1);
    bench.handshake(1001);
    const iss = open(bench, 1002)?.seq ?? 0;
    bench.handshake(1003);
    bench.takeSent();
    bench.receive({ flags: '.', seq: IRS + 1, ack: iss + 1, port: 1002 });
    assert.deepEqual(bench.take(), ['R']);
    assert.equal(listener.synQueueLength, 0);
  });

  it('gives connections out in the order in which they were completed', () => {
    const bench = new LayerBench();
    const listener = bench.listen();
    for (const port of [1003, 1001, 1002]) bench.handshake(port);
    const ports = [1, 2, 3].map(() => listener.accept()?.remotePort);
    assert.deepEqual(ports, [1003, 1001, 1002]);
    assert.equal(listener.accept(), null);
  });
});

describe('TCP_DEFER_ACCEPT', () => {
  it('waits for data', () => {
    const bench = new LayerBench();
    const listener = bench.listen(4, { deferAcceptUs: 10e6 });
    const iss = open(bench, PEER_PORT)?.seq ?? 0;
    bench.receive({ flags: '.', seq: IRS + 1, ack: iss + 1 });
    assert.equal(listener.acceptQueueLength, 0);
    assert.deepEqual(bench.advance(5e6).take(), [], 'the peer is not asked again meanwhile');
    bench.receive({ flags: 'P.', seq: IRS + 1, ack: iss + 1, text: 'GET' });
    assert.equal(listener.acceptQueueLength, 1);
  });

  it('ends the waiting after its time: the next bare ACK is enough', () => {
    const bench = new LayerBench();
    const listener = bench.listen(4, { deferAcceptUs: 2e6 });
    const iss = open(bench, PEER_PORT)?.seq ?? 0;
    bench.receive({ flags: '.', seq: IRS + 1, ack: iss + 1 });
    assert.ok(bench.advance(4e6).take().includes('S.'));
    bench.receive({ flags: '.', seq: IRS + 1, ack: iss + 1 });
    assert.equal(listener.acceptQueueLength, 1);
  });
});

describe('a full SYN queue', () => {
  it('answers with cookies, which need no memory, and believes their ACK', () => {
    const bench = new LayerBench();
    const listener = bench.listen(2);
    // One more than the backlog fits, as on Linux 6.18.
    for (const port of [1, 2, 3]) open(bench, port);
    const cookie = open(bench, 1003);
    assert.equal(listener.synQueueLength, 3);
    assert.equal(bench.host.mib.TcpExt.SyncookiesSent, 1);
    bench.advance(0.5e6);
    bench.receive({ flags: '.', seq: IRS + 1, ack: (cookie?.seq ?? 0) + 1, port: 1003 });
    const endpoint = listener.accept();
    assert.equal(endpoint?.remotePort, 1003);
    assert.equal(endpoint?.connection.peerMss, 1460);
    assert.equal(endpoint?.connection.srttUs, 0, 'when the cookie was sent is not known');
    assert.equal(bench.host.mib.TcpExt.SyncookiesRecv, 1);
  });

  it('keeps window scale and SACK in the timestamp of a cookie', () => {
    const bench = new LayerBench({ tcp_syncookies: 2 });
    const listener = bench.listen();
    const syn = { flags: 'S', scale: 9, sackPermitted: true, tsVal: 77 };
    const cookie = open(bench, 1003, syn);
    assert.equal(listener.synQueueLength, 0);
    const ts = { tsVal: 78, tsEcr: cookie?.options.tsVal ?? 0 };
    bench.receive({ flags: '.', seq: IRS + 1, ack: (cookie?.seq ?? 0) + 1, port: 1003, ...ts });
    const connection = listener.accept()?.connection;
    assert.equal(connection?.sndWscale, 9);
    assert.equal(connection?.sack, true);
    assert.equal(connection?.timestamps, true);
    assert.equal(connection?.rcvWscale, cookie?.options.windowScale);
  });

  it('refuses forged cookies, and those of another peer', () => {
    const bench = new LayerBench({ tcp_syncookies: 2 });
    const listener = bench.listen();
    const cookie = open(bench, 1003)?.seq ?? 0;
    bench.receive({ flags: '.', seq: IRS + 1, ack: cookie + 2, port: 1003 });
    bench.receive({ flags: '.', seq: IRS + 1, ack: cookie + 1, port: 1004 });
    bench.receive({ flags: '.', seq: IRS + 2, ack: cookie + 1, port: 1003 });
    assert.deepEqual(bench.take(), ['R', 'R', 'R']);
    assert.equal(listener.acceptQueueLength, 0);
    assert.equal(bench.host.mib.TcpExt.SyncookiesFailed, 3);
  });

  it('drops SYNs without cookies', () => {
    const bench = new LayerBench({ tcp_syncookies: 0 });
    bench.listen(1);
    open(bench, 1);
    open(bench, 2);
    assert.equal(open(bench, 1003), undefined);
    assert.equal(bench.host.mib.TcpExt.TCPReqQFullDrop, 1);
  });
});

describe('closing a listener', () => {
  it('resets what was never accepted, forgets what is half open, and frees the port', () => {
    const bench = new LayerBench();
    const listener = bench.listen();
    bench.handshake(1001);
    open(bench, 1002);
    listener.close();
    assert.deepEqual(bench.take(), ['R.']);
    assert.equal(bench.layer.flows.size, 0);
    assert.equal(bench.layer.ports.size, 0);
    assert.equal(bench.host.timers.size, 0);
  });

  it('leaves accepted connections alone', () => {
    const bench = new LayerBench();
    const listener = bench.listen();
    bench.handshake(1001);
    const endpoint = listener.accept();
    listener.close();
    assert.equal(endpoint?.stateName, 'ESTABLISHED');
    assert.equal(bench.layer.ports.size, 1, 'which still holds the port');
  });
});

describe('every arrow of the state diagram that is not a connection’s', () => {
  it('is taken by listeners and half-open requests', () => {
    const bench = new LayerBench();
    const listener = bench.listen();
    open(bench, 1001);
    listener.close();
    assert.deepEqual(bench.arrows, [
      'CLOSED passive open LISTEN',
      'LISTEN receive SYN SYN_RCVD',
      'SYN_RCVD abort CLOSED',
      'LISTEN close CLOSED',
    ]);
  });

  it('turns a listener into an active open on connect', () => {
    const bench = new LayerBench();
    const endpoint = bench.listen().connect(PEER, 80);
    assert.ok(typeof endpoint !== 'number');
    assert.deepEqual(bench.arrows, ['CLOSED passive open LISTEN', 'LISTEN send SYN_SENT']);
    assert.ok(endpoint.localAddress.equals(LOCAL));
  });
});
