/**
 * Who holds which local TCP port, by the rules of Linux's bind(2): SO_REUSEADDR shares a port unless someone listens
 * on it, SO_REUSEPORT shares it among those who all set it.
 * @module
 */
import { EADDRINUSE } from '../base/errno.ts';
import { type BoundAddress, overlaps } from '../core/bound-address.ts';
import type { Host } from '../core/host.ts';
import { pickEphemeralPort } from '../core/ports.ts';
import type { IpAddress } from '../wire/address.ts';

/** A local address and port that sockets hold; gone when the last holder releases it. */
export class PortBinding implements BoundAddress {
  readonly address: IpAddress;
  readonly dualStack: boolean;
  readonly port: number;
  readonly reuseAddress: boolean;
  readonly reusePort: boolean;
  /** Chosen for an outgoing connection: others may use the port towards other peers. */
  readonly ephemeral: boolean;
  listening = false;
  /** How many sockets and connections hold it; TIME_WAIT entries count. */
  holders = 1;
  private readonly ports: TcpPorts;

  constructor(
    ports: TcpPorts,
    address: IpAddress,
    port: number,
    reuseAddress: boolean,
    reusePort: boolean,
    ephemeral: boolean,
    dualStack: boolean,
  ) {
    this.ports = ports;
    this.dualStack = dualStack;
    this.address = address;
    this.port = port;
    this.reuseAddress = reuseAddress;
    this.reusePort = reusePort;
    this.ephemeral = ephemeral;
  }

  /** One more holder: a connection that was accepted from a listener. */
  hold(): this {
    this.holders++;
    return this;
  }

  /** One holder less. */
  release(): void {
    this.holders--;
    if (this.holders === 0) this.ports.forget(this);
  }
}

/** The table of bound TCP ports. */
export class TcpPorts {
  private readonly bound = new Map<number, PortBinding[]>();
  private readonly host: Host;

  constructor(host: Host) {
    this.host = host;
  }

  /** Ports that someone holds. */
  get size(): number {
    return this.bound.size;
  }

  /** bind(2): holds a port, or one that is free when `port` is 0. -EADDRINUSE. */
  bind(
    address: IpAddress,
    port: number,
    reuseAddress: boolean,
    reusePort: boolean,
    dualStack = false,
  ): PortBinding | number {
    let chosen = port;
    if (port === 0) {
      const range = this.host.sysctl.ip_local_port_range;
      chosen = pickEphemeralPort(range, this.host.random32(), candidate => !this.bound.has(candidate));
      if (chosen === 0) return -EADDRINUSE;
    } else if (this.conflicts({ address, dualStack }, port, reuseAddress, reusePort)) {
      return -EADDRINUSE;
    }
    return this.add(new PortBinding(this, address, chosen, reuseAddress, reusePort, false, dualStack));
  }

  /**
   * A port for an outgoing connection (RFC 6056): from `start` on the first that nobody has bound and for which
   * `isFree` says that the five-tuple is unused. -EADDRNOTAVAIL is the caller's when it returns null.
   */
  bindEphemeral(address: IpAddress, start: number, isFree: (port: number) => boolean): PortBinding | null {
    const port = pickEphemeralPort(this.host.sysctl.ip_local_port_range, start, candidate => {
      const bindings = this.bound.get(candidate);
      const open = bindings === undefined || bindings.every(binding => binding.ephemeral);
      return open && isFree(candidate);
    });
    return port === 0 ? null : this.add(new PortBinding(this, address, port, false, false, true, false));
  }

  /** Whether a second socket may listen on the port of `binding` (listen(2): -EADDRINUSE). */
  mayListen(binding: PortBinding): boolean {
    return this.at(binding.port).every(
      other =>
        other === binding ||
        !other.listening ||
        !overlaps(other, binding) ||
        (other.reusePort && binding.reusePort),
    );
  }

  forget(binding: PortBinding): void {
    const rest = this.at(binding.port).filter(other => other !== binding);
    if (rest.length === 0) this.bound.delete(binding.port);
    else this.bound.set(binding.port, rest);
  }

  private conflicts(wanted: BoundAddress, port: number, reuseAddress: boolean, reusePort: boolean): boolean {
    return this.at(port).some(other => {
      if (!overlaps(other, wanted)) return false;
      if (reusePort && other.reusePort) return false;
      return !(reuseAddress && other.reuseAddress && !other.listening);
    });
  }

  private add(binding: PortBinding): PortBinding {
    const bindings = this.bound.get(binding.port);
    if (bindings === undefined) this.bound.set(binding.port, [binding]);
    else bindings.push(binding);
    return binding;
  }

  private at(port: number): readonly PortBinding[] {
    return this.bound.get(port) ?? [];
  }
}
