/** Bounds on what a peer can make us keep; times in milliseconds, 0 turns a time limit off. */
export interface HttpLimits {
  /** Bytes of the request or status line; more is answered 414. nginx: large_client_header_buffers (8k). */
  maxStartLine: number;
  /** Bytes of all header fields together, and of all trailers; more is answered 431. nginx: 4 x 8k. */
  maxHeaderBytes: number;
  /** Header fields; more is answered 431. */
  maxHeaders: number;
  /** Bytes of a body; more is answered 413. nginx: client_max_body_size (1m). */
  maxBody: number;
}

/** The bounds, as nginx has them by default. */
export const DEFAULT_LIMITS: HttpLimits = {
  maxStartLine: 8192,
  maxHeaderBytes: 32768,
  maxHeaders: 100,
  maxBody: 1048576,
};
