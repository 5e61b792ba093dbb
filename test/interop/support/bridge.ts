import { Rng } from '../../../src/base/rng.ts';
import type { Env } from '../../../src/core/env.ts';
import type { Link } from '../../../src/core/link.ts';
import type { Sysctl } from '../../../src/core/sysctl.ts';
import { createCable } from '../../../src/link/cable.ts';
import { type FaultyLink, type FaultyOptions, faulty } from '../../../src/link/faulty.ts';
import { LearningSwitch } from '../../../src/link/switch.ts';
import { nodeEnv } from '../../../src/node/env.ts';
import { addAddress, setUp } from '../../../src/node/linux/netdev.ts';
import { openTap } from '../../../src/node/linux/tap.ts';
import { Stack } from '../../../src/stack/stack.ts';
import { ANY_V4, IpAddress, networkOf } from '../../../src/wire/address.ts';
import { Netns } from '../../node/linux/netns.ts';
import type { Family } from './family.ts';
import { Place } from './place.ts';
import { skipDad } from './sysctl.ts';

/**
 * A bridge of ours between hosts: what goes wrong at a port is the same for the same seed, whoever is behind it. Each
 * frame is a packet of a real wire: cut, and with its checksum.
 */
export class FaultyBridge {
  private readonly env: Env = nodeEnv();
  private readonly lan = new LearningSwitch(this.env);
  private readonly hosts: { close(): void }[] = [];
  private readonly family: Family;
  private readonly faults: FaultyOptions;
  private readonly seed: number;

  /** `faults` are those of the faulty port: 'down' is what its host sends, 'up' what it receives. */
  constructor(family: Family, faults: FaultyOptions, seed: number) {
    this.family = family;
    this.faults = faults;
    this.seed = seed;
  }

  /** A kernel host at a good port. */
  async kernel(): Promise<Place> {
    const [place, link] = await this.namespace(this.family.kernel);
    this.lan.attach(link);
    return place;
  }

  /** A kernel host at a faulty port. */
  async faultyKernel(): Promise<[Place, FaultyLink]> {
    const [place, link] = await this.namespace(this.family.ours);
    return [place, this.attachFaulty(link)];
  }

  /** A host of ours at a faulty port. */
  faultyStack(sysctl: Partial<Sysctl> = {}): [Stack, FaultyLink] {
    const { ours, prefixLength } = this.family;
    const [end, inner] = createCable(this.env);
    const stack = new Stack({ env: this.env, sysctl: { dad_transmits: 0, ...sysctl } });
    stack.attach(end, { address: `${ours}/${prefixLength}` });
    this.hosts.push(stack);
    return [stack, this.attachFaulty(inner)];
  }

  close(): void {
    for (const host of this.hosts) host.close();
    this.lan.close();
  }

  /** A kernel host whose congestion control is ours, CUBIC. */
  private async namespace(address: string): Promise<[Place, Link]> {
    const place = new Place(address, Netns.create());
    this.hosts.push(place);
    const { prefixLength } = this.family;
    const link = place.run(() => {
      skipDad();
      const tap = openTap({ name: 'et0', env: this.env, vnetHdr: false, gro: false });
      addAddress(tap.name, `${address}/${prefixLength}`);
      setUp(tap.name);
      return tap;
    });
    const network = networkOf(IpAddress.parse(address) ?? ANY_V4, prefixLength);
    const line = `ip route replace ${network}/${prefixLength} dev ${link.name} src ${address} congctl cubic`;
    await place.shell(line);
    return [place, link];
  }

  private attachFaulty(link: Link): FaultyLink {
    const port = faulty(link, this.env, new Rng(this.seed), this.faults);
    this.lan.attach(port);
    return port;
  }
}
