/** What a file descriptor is ready for: poll(2)'s and epoll(7)'s bits. */
export const POLLIN = 0x001;
export const POLLPRI = 0x002;
export const POLLOUT = 0x004;
export const POLLERR = 0x008;
export const POLLHUP = 0x010;
export const POLLNVAL = 0x020;
export const POLLRDHUP = 0x2000;

/** Told when something may have become ready. It must not call back into the transport: it only wakes waiters. */
export interface ReadyListener {
  /** `mask` has the POLL* bits that rose. */
  ready(mask: number): void;
}
