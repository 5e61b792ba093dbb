import type { Rng } from '../../base/rng.ts';
import { InformationRequest } from '../../dhcp/information-request.ts';
import type { Netif } from '../../net/netif.ts';
import type { Stack } from '../../stack/stack.ts';

/** How often it comes or goes. */
const CHANGE = 0.02;

/** A host that comes to the network again and again: it asks the target for an address, and for name servers. */
export class Newcomer {
  private readonly stack: Stack;
  private readonly netif: Netif;
  private readonly rng: Rng;
  private readonly request: InformationRequest;
  private present = false;

  /** The stack has one interface. */
  constructor(stack: Stack, rng: Rng) {
    const [, netif] = stack.ip.netifs;
    this.stack = stack;
    this.netif = netif as Netif;
    this.rng = rng;
    this.request = new InformationRequest(stack.host, stack.ip, stack.udpLayer, this.netif);
  }

  pump(): void {
    const { rng, stack, netif, request } = this;
    if (!rng.chance(CHANGE)) return;
    if (this.present) {
      this.hangUp();
      return;
    }
    this.present = true;
    const last = { lastAddress: `10.77.9.${rng.between(1, 20)}` };
    stack.autoconfiguration.startDhcp(netif, { probe: false, ...(rng.chance(0.3) ? last : {}) });
    request.start();
  }

  hangUp(): void {
    this.present = false;
    this.stack.autoconfiguration.stop(this.netif);
    this.request.stop();
  }
}
