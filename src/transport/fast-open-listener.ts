import type { FiveTuple } from '../core/network.ts';
import {
  FAST_OPEN_SERVER,
  FAST_OPEN_SERVER_NO_COOKIE,
  type FastOpenCookie,
} from '../tcp/fast-open/fast-open.ts';
import type { Segment } from '../tcp/segment.ts';
import { FastOpenCookies } from './fast-open-cookies.ts';
import { FastOpenQueue } from './fast-open-queue.ts';
import type { TcpListenerEndpoint } from './tcp-listener.ts';

/** What becomes of a SYN: a connection at once or an ordinary handshake; and the cookie for the answer, or null. */
export interface FastOpenAnswer {
  readonly open: boolean;
  readonly cookie: FastOpenCookie | null;
}

const ORDINARY: FastOpenAnswer = { open: false, cookie: null };

/** Fast Open of a listener (RFC 7413 section 4.2.2; Linux's tcp_try_fastopen). */
export class FastOpenListener {
  readonly queue = new FastOpenQueue();
  private readonly listener: TcpListenerEndpoint;
  /** Of TCP_FASTOPEN_KEY. */
  private ownKey: Uint8Array | null = null;
  private ownCookies: FastOpenCookies | null = null;

  constructor(listener: TcpListenerEndpoint) {
    this.listener = listener;
  }

  /** Looks at a SYN. Whether there is room comes before the cookie, which costs more to look at. */
  answer(segment: Segment, flow: FiveTuple): FastOpenAnswer {
    const { options } = segment;
    const { layer, settings } = this.listener;
    const { sysctl, mib, nowUs } = layer.host;
    if (options.cookieLength === 0) mib.TcpExt.TCPFastOpenCookieReqd++;
    const wanted = segment.length > 1 || options.cookieLength >= 0;
    if ((sysctl.tcp_fastopen & FAST_OPEN_SERVER) === 0 || !wanted || settings.fastOpenQueue <= 0)
      return ORDINARY;
    if (!this.queue.hasRoom(settings.fastOpenQueue, nowUs)) {
      mib.TcpExt.TCPFastOpenListenOverflow++;
      return ORDINARY;
    }
    if ((sysctl.tcp_fastopen & FAST_OPEN_SERVER_NO_COOKIE) !== 0 || settings.fastOpenNoCookie)
      return { open: true, cookie: null };
    return options.cookieLength >= 0 ? this.check(segment, flow) : ORDINARY;
  }

  private check({ options }: Segment, flow: FiveTuple): FastOpenAnswer {
    const { TcpExt } = this.listener.layer.host.mib;
    const { cookies } = this;
    const key = cookies.check(flow, options);
    if (key === 1) return { open: true, cookie: null };
    if (key === 2) TcpExt.TCPFastOpenPassiveAltKey++;
    else if (options.cookieLength > 0) TcpExt.TCPFastOpenPassiveFail++;
    // Who asks for a cookie, has a wrong one or that of an old key is given the right one, in the form that it speaks.
    const cookie = { bytes: cookies.make(flow), experimental: options.cookieExperimental };
    return { open: key === 2, cookie };
  }

  private get cookies(): FastOpenCookies {
    const { layer, settings } = this.listener;
    const { fastOpenKey } = settings;
    if (fastOpenKey === null) return layer.fastOpenCookies.current;
    if (this.ownCookies === null || fastOpenKey !== this.ownKey)
      this.ownCookies = new FastOpenCookies(fastOpenKey);
    this.ownKey = fastOpenKey;
    return this.ownCookies;
  }
}
