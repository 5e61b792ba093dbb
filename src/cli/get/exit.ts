/** Exit statuses of `get`: curl's numbers. 2, a wrong command line, is the same in both. */
export const EXIT_UNSUPPORTED = 1;
export const EXIT_URL = 3;
export const EXIT_HOST_NOT_FOUND = 6;
export const EXIT_NO_CONNECTION = 7;
export const EXIT_MALFORMED = 8;
export const EXIT_CUT_SHORT = 18;
export const EXIT_HTTP_ERROR = 22;
export const EXIT_WRITE = 23;
export const EXIT_TIMEOUT = 28;
export const EXIT_NO_ANSWER = 52;
export const EXIT_SEND = 55;
export const EXIT_RECEIVE = 56;
