import { EINVAL } from '../base/errno.ts';
import type { TcpSettings } from '../tcp/settings.ts';
import * as C from './constants.ts';
import type { Option } from './options.ts';
import type { TcpSocket } from './tcp-socket.ts';

/** Bounds of TCP_RTO_MAX_MS. */
const RTO_MAX_MS_LEAST = 1000;
const RTO_MAX_MS_MOST = 120_000;
/** TCP_RTO_MIN_US and TCP_DELACK_MAX_US: the most, and Linux's tick, in which they count. */
const TICKS_MOST_US = 200_000;
const TICK_US = 1000;

function change(socket: TcpSocket, settings: Partial<TcpSettings>): number {
  socket.settings = { ...socket.settings, ...settings };
  return 0;
}

function changeTicks(socket: TcpSocket, name: 'rtoMinUs' | 'delAckMaxUs', us: number): number {
  const ticksUs = Math.ceil(us / TICK_US) * TICK_US;
  const least = socket.context.host.sysctl.ethertype_timeout_min_us;
  return ticksUs < least || ticksUs > TICKS_MOST_US ? -EINVAL : change(socket, { [name]: ticksUs });
}

const THIN_LINEAR_TIMEOUTS: Option<TcpSocket> = {
  get: ({ settings }) => Number(settings.thinLinearTimeouts),
  set: (socket, value) =>
    value < 0 || value > 1 ? -EINVAL : change(socket, { thinLinearTimeouts: value === 1 }),
};

const RTO_MAX: Option<TcpSocket> = {
  get: ({ settings, context }) => settings.rtoMaxMs || context.host.sysctl.tcp_rto_max_ms,
  set: (socket, value) =>
    value < RTO_MAX_MS_LEAST || value > RTO_MAX_MS_MOST ? -EINVAL : change(socket, { rtoMaxMs: value }),
};

const RTO_MIN: Option<TcpSocket> = {
  get: ({ settings, context }) => settings.rtoMinUs || context.host.sysctl.tcp_rto_min_us,
  set: (socket, value) => changeTicks(socket, 'rtoMinUs', value),
};

const DELACK_MAX: Option<TcpSocket> = {
  get: ({ settings }) => settings.delAckMaxUs,
  set: (socket, value) => changeTicks(socket, 'delAckMaxUs', value),
};

const DEFER_ACCEPT: Option<TcpSocket> = {
  get: ({ settings }) => Math.round(settings.deferAcceptUs / 1e6),
  set: (socket, value) => change(socket, { deferAcceptUs: deferSeconds(value) * 1e6 }),
};

/** Linux keeps TCP_DEFER_ACCEPT as SYN-ACK retransmissions: the seconds after which one of them falls. */
function deferSeconds(wanted: number): number {
  let seconds = wanted > 0 ? 1 : 0;
  for (let step = 2; seconds < wanted && seconds < 32768; step = Math.min(step * 2, 120)) seconds += step;
  return seconds;
}

/** The options of tcp(7) for times of a single connection. */
export const TIMER_OPTIONS: readonly (readonly [number, Option<TcpSocket>])[] = [
  [C.TCP_DEFER_ACCEPT, DEFER_ACCEPT],
  [C.TCP_THIN_LINEAR_TIMEOUTS, THIN_LINEAR_TIMEOUTS],
  [C.TCP_RTO_MAX_MS, RTO_MAX],
  [C.TCP_RTO_MIN_US, RTO_MIN],
  [C.TCP_DELACK_MAX_US, DELACK_MAX],
];
