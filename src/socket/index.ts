/**
 * What programs that make the BSD calls need besides `stack.sys`: constants with Linux's numbers, error numbers and the
 * shapes of arguments. `import { AF_INET, ECONNREFUSED, SOCK_STREAM } from 'ethertype/socket'`.
 * @module
 */
export * from '../base/errno.ts';
export type { ProcessOptions, Sys } from './calls.ts';
export * from './constants.ts';
export type { ControlMessage, InPktinfo, SockExtendedErr } from './control.ts';
export type { EpollEvent } from './epoll.ts';
export type { MsgHdr } from './ops.ts';
export type { OptionValue, Timeval } from './options.ts';
export type { PollFd } from './poll.ts';
export { type Out, out, type Sockaddr, type SockaddrInput } from './sockaddr.ts';
export type { Linger } from './socket.ts';
export type { WaitOptions } from './wait.ts';
export type { SysWait } from './wait-calls.ts';
