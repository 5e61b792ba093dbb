/**
 * News of an interface, from the kernel's route netlink (RFC 3549).
 * @module
 */
import { libc, O_CLOEXEC, O_NONBLOCK, SystemError } from './libc.ts';
import { DRAINED, NOTHING, register } from './poller.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const NETLINK_ROUTE = 0;
const RTMGRP_LINK = 1;
const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const MSG_DONTWAIT = 0x40;
/** struct nlmsghdr, then struct ifinfomsg. */
const HEADER = 16;
const IFI_INDEX = HEADER + 4;
const IFI_FLAGS = HEADER + 8;
const IFI_END = HEADER + 16;
/** IFF_UP and IFF_RUNNING: put up, and there is a cable. */
const RUNNING = 0x41;
/** Bytes that one read may return. */
const BUFFER = 32768;

/** What became of an interface. */
export type LinkNews = 'up' | 'down' | 'gone';

/**
 * Calls `onNews` whenever the kernel says something of the interface `index`: that frames can pass, or not, or that it
 * is no more. Returns what ends it. The process stays alive meanwhile.
 * @throws SystemError
 */
export function watchCarrier(index: number, onNews: (news: LinkNews) => void): () => void {
  const system = libc();
  const fd = system.socket(AF_NETLINK, SOCK_RAW | O_NONBLOCK | O_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) throw new SystemError('socket', fd, 'open route netlink');
  const address = new Uint8Array(12);
  address[0] = AF_NETLINK;
  address[8] = RTMGRP_LINK;
  const result = system.bind(fd, address);
  if (result < 0) {
    system.close(fd);
    throw new SystemError('bind', result, 'listen to route netlink');
  }
  const buffer = new Uint8Array(BUFFER);
  const view = new DataView(buffer.buffer);
  const watch = register(fd, () => {
    const length = system.receive(fd, buffer, MSG_DONTWAIT);
    if (length <= 0) return NOTHING;
    for (const news of linkNews(view, length, index)) onNews(news);
    return DRAINED;
  });
  return () => {
    watch.close();
    system.close(fd);
  };
}

/** What the messages in `view` [0, length) say of the interface `index`, in order. */
export function linkNews(view: DataView, length: number, index: number): LinkNews[] {
  const found: LinkNews[] = [];
  for (let at = 0; at + IFI_END <= length; ) {
    const size = view.getUint32(at, true);
    if (size < HEADER) break;
    const type = view.getUint16(at + 4, true);
    // A bridge port's news come with the family of bridges: leaving a bridge is not the end of an interface.
    const isLink =
      (type === RTM_NEWLINK || type === RTM_DELLINK) && size >= IFI_END && view.getUint8(at + HEADER) === 0;
    if (isLink && view.getInt32(at + IFI_INDEX, true) === index) {
      if (type === RTM_DELLINK) found.push('gone');
      else found.push((view.getUint32(at + IFI_FLAGS, true) & RUNNING) === RUNNING ? 'up' : 'down');
    }
    at += (size + 3) & ~3;
  }
  return found;
}
