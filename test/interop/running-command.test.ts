import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { CommandBench, curl, HOST, TIMEOUT_MS } from './command-bench.ts';
import { commandPath, runProgram } from './command-process.ts';
import { cannotRun, missing } from './network.ts';

const skip = cannotRun('curl');

describe('a running ethertype on a TAP device', { skip, timeout: TIMEOUT_MS }, () => {
  const bench = new CommandBench();

  it('is shown by ss and netstat, to its user only', async () => {
    await bench.start('serve', bench.file('index.html', 'hello')).ready();
    const socket = await bench.kernelConnect(80);
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(socket, 'data');
    const ss = await bench.run('ss', '-ti');
    assert.match(ss.out, /^State +Recv-Q +Send-Q +Local Address:Port +Peer Address:Port +Process\n/);
    assert.match(
      ss.out,
      /\nESTAB +0 +0 +10\.65\.0\.2:80 +10\.65\.0\.1:\d+\n\t ts sack cubic wscale:\d+,\d+ rto:/,
    );
    assert.match((await bench.run('ss', '-l')).out, /\ntcp +LISTEN +0 +511 +\*:80 +\*:\*/);
    const json = JSON.parse((await bench.run('ss', '-t', '--json')).out);
    assert.deepEqual([json.device, json.sockets.length], ['tap0', 1]);
    const addresses = await bench.run('ss', '--addr');
    for (const line of [
      '2: tap0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 state UP',
      '    inet 10.65.0.2/24 brd 10.65.0.255 scope global tap0',
      '    inet6 fd65::2/64 scope global',
    ])
      assert.ok(addresses.out.split('\n').includes(line), addresses.out);
    assert.match((await bench.run('ss', '--route', '-6')).out, /^fd65::\/64 dev tap0 proto kernel$/m);
    const [, mac] = /link\/ether (\S+)/.exec(runProgram('ip', 'link', 'show', 'dev', 'tap0').out) ?? [];
    const neighbors = await bench.run('ss', '--neigh', '-4');
    assert.match(neighbors.out, new RegExp(`^10\\.65\\.0\\.1 dev tap0 lladdr ${mac} [A-Z]+\n$`));
    const json6 = JSON.parse((await bench.run('ss', '--addr', '-6', '--json')).out);
    assert.equal(json6.interfaces[1].addresses[0].address, 'fd65::2');
    const counters = await bench.run('netstat', '-s');
    assert.match(counters.out, /\nTcp:\n(.*\n)* {4}1 connections opened by others\n/);
    await bench.start('sink', '7', '--tap', 'tap1', '--address', '10.65.1.2/24').ready();
    const both = await bench.run('ss', '-l');
    assert.match(
      both.out,
      /^# serve, process \d+, tap0 with 10\.65\.0\.2\/24 fd65::2\/64\n[^#]*# sink, process \d+, tap1 with /,
    );
    assert.doesNotMatch((await bench.run('ss', '-l', '--tap', 'tap1')).out, /#|:80/);
    socket.destroy();
    const nobody = missing('setpriv') === false;
    if (!nobody) return;
    const [socketName = ''] = bench.controlFiles().filter(name => name.endsWith('tap0.sock'));
    const path = join(bench.folder, 'ethertype', socketName);
    const script = `require('net').connect(${JSON.stringify(path)}).on('error', e => console.log(e.code))`;
    const denied = runProgram('setpriv', '--reuid=65534', '--clear-groups', process.execPath, '-e', script);
    assert.equal(denied.out, 'EACCES\n');
  });

  it('shows calls, states, packets and queues live, and writes what tcpdump reads', async () => {
    const write = join(bench.folder, 'a.pcap');
    const command = bench.start(
      'serve',
      bench.file('index.html', 'hello'),
      '--trace',
      'all',
      '--write',
      write,
    );
    await command.ready();
    assert.equal(curl(`http://${HOST}/`).out, 'hello');
    await command.until('err', /LAST_ACK -> CLOSED|CLOSE_WAIT -> CLOSED/);
    const ended = await command.end('SIGINT');
    const time = String.raw`\d\d:\d\d:\d\d\.\d{6}`;
    for (const line of [
      String.raw`httpd: accept4\(3, \{sa_family=AF_INET6, sin6_port=htons\(\d+\), .*"::ffff:10\.65\.0\.1"`,
      String.raw`10\.65\.0\.2:80 > 10\.65\.0\.1:\d+: LISTEN -> SYN_RCVD \(receive SYN\)`,
      String.raw`IP 10\.65\.0\.1\.\d+ > 10\.65\.0\.2\.80: Flags \[S\], seq \d+, win \d+, options \[mss 1460,`,
      String.raw`accept queue of \[::\]:80: 1 of 512`,
      'ARP, Request who-has 10.65.0.2 tell 10.65.0.1, length 28',
    ])
      assert.match(ended.err, new RegExp(`^${time} ${line}`, 'm'));
    if (missing('tcpdump') !== false) return;
    const read = runProgram('tcpdump', '-nr', write);
    assert.equal(read.status, 0, read.err);
    assert.match(read.out, /HTTP: GET \/ HTTP\/1\.1/);
    assert.match(read.out, /Flags \[S\.\]/);
  });

  it('works without root in a namespace of its own', {
    skip: missing('setpriv') || missing('unshare'),
  }, () => {
    // As a user: no capability outside of the new namespaces. /dev/net/tun is open to everybody, as it usually is.
    const script = [
      `mknod -m 666 ${bench.folder}/tun c 10 200 && mount --bind ${bench.folder}/tun /dev/net/tun`,
      `chmod 755 ${bench.folder} && mkdir -m 700 ${bench.folder}/run && chown 65534 ${bench.folder}/run`,
      `export XDG_RUNTIME_DIR=${bench.folder}/run`,
      `exec setpriv --reuid=65534 --regid=65534 --clear-groups unshare --user --net --map-root-user sh -c '
        ${process.execPath} ${commandPath()} serve ${bench.file('index.html', 'hello')} > /dev/null &
        curl -sS --retry 20 --retry-delay 1 --retry-all-errors http://${HOST}/
        ${process.execPath} ${commandPath()} ss -l
        kill -INT $!
        wait $!'`,
    ].join('\n');
    const ended = runProgram('unshare', '--mount', 'sh', '-c', script);
    assert.match(ended.out, /^hello/);
    assert.match(ended.out, /LISTEN 0 +511 +\*:80/);
    assert.match(ended.err, /Reach it at http:\/\/10\.65\.0\.2\//);
    assert.equal(ended.status, 0, ended.err);
  });

  it('says in one line what to do without root', { skip: missing('setpriv') }, () => {
    const args = [
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      process.execPath,
      commandPath(),
      'sink',
      '7',
    ];
    const ended = runProgram('setpriv', ...args);
    assert.equal(ended.status, 1);
    assert.match(
      ended.err,
      /^ethertype: cannot open (\/dev\/net\/tun|tap0): permission denied; use sudo,? or .*\n$/,
    );
  });
});
