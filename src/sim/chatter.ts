import { EAGAIN, errnoName } from '../base/errno.ts';
import { POLLIN } from '../core/readiness.ts';
import { AF_INET, AF_INET6, SOCK_DGRAM, SOCK_NONBLOCK } from '../socket/constants.ts';
import { anyOf, isIpv6 } from './draw-addresses.ts';
import type { AppTimer } from './event-loop.ts';
import type { AppContext } from './stream-end.ts';
import { demand } from './violation.ts';
import type { ChatterPlan } from './world-plan.ts';

/** The number of a chatter's stream, and the number of the datagram: each has other bytes. */
const HEADER = 8;
/** Streams of datagrams are numbered from here, behind those of the transfers. */
const FIRST_STREAM = 1000;
/** The receiver stays for so long after the last datagram was sent. */
const STAY_US = 120e6;

/** Sends numbered datagrams; errors of the network are not its business, as with UDP they are not. */
export class Talker {
  private readonly app: AppContext;
  private readonly plan: ChatterPlan;
  private readonly timer: AppTimer;
  private readonly fd: number;
  private sent = 0;

  constructor(app: AppContext, plan: ChatterPlan) {
    this.app = app;
    this.plan = plan;
    this.fd = datagramSocket(app, plan);
    this.timer = app.loop.timer(() => this.say());
    this.timer.start(plan.everyUs);
  }

  private say(): void {
    const { plan, app } = this;
    const datagram = new Uint8Array(plan.size);
    const view = new DataView(datagram.buffer);
    view.setUint32(0, plan.id);
    view.setUint32(4, this.sent);
    datagram.set(
      app.pattern.piece(FIRST_STREAM + plan.id, this.sent * plan.size, plan.size - HEADER),
      HEADER,
    );
    app.loop.sys.sendto(this.fd, datagram, 0, plan);
    this.sent++;
    if (this.sent < plan.count) this.timer.start(plan.everyUs);
    else app.loop.sys.close(this.fd);
  }
}

/** Receives datagrams for as long as some may come, and compares what comes with what was sent. */
export class Hearer {
  private readonly app: AppContext;
  private readonly plan: ChatterPlan;
  private readonly fd: number;
  private readonly leaving: AppTimer;

  constructor(app: AppContext, plan: ChatterPlan) {
    this.app = app;
    this.plan = plan;
    const { loop } = app;
    this.fd = datagramSocket(app, plan);
    const result = loop.sys.bind(this.fd, { address: anyOf(plan.address), port: plan.port });
    demand(result === 0, () => `bind of UDP port ${plan.port} returned ${errnoName(result)}`);
    loop.watch(this.fd, POLLIN, () => this.hear());
    this.leaving = loop.timer(() => this.leave());
    this.leaving.start(plan.count * plan.everyUs + STAY_US);
  }

  private hear(): void {
    const { app, plan } = this;
    for (;;) {
      const count = app.loop.sys.recv(this.fd, app.buffer);
      if (count < 0) {
        demand(count === -EAGAIN, () => `recv on a UDP socket returned ${errnoName(count)}`);
        return;
      }
      demand(count === plan.size, () => `a datagram of ${count} bytes, ${plan.size} were sent`);
      const view = new DataView(app.buffer.buffer, app.buffer.byteOffset);
      const number = view.getUint32(4);
      const known = view.getUint32(0) === plan.id && number < plan.count;
      demand(known, () => `a datagram that nobody sent to port ${plan.port}`);
      const at = number * plan.size;
      const right = app.pattern.match(FIRST_STREAM + plan.id, at, app.buffer, HEADER, count);
      demand(right === count - HEADER, () => `datagram ${number} of chatter ${plan.id} is not what was sent`);
    }
  }

  private leave(): void {
    this.app.loop.forget(this.fd);
    this.app.loop.sys.close(this.fd);
  }
}

function datagramSocket(app: AppContext, { address }: ChatterPlan): number {
  return app.loop.sys.socket(isIpv6(address) ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK);
}
