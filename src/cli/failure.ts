/** The exit status of a command that was called in a wrong way. */
export const EXIT_USAGE = 2;
/** The exit status of a command that could not do what it was asked. */
export const EXIT_FAILURE = 1;

/** Something the user must hear in one line; the command ends with the exit status. */
export class Failure extends Error {
  override name = 'Failure';
  readonly exitStatus: number;

  constructor(message: string, exitStatus: number = EXIT_FAILURE) {
    super(message);
    this.exitStatus = exitStatus;
  }
}

/** Ends a command with a status other than 0 when the user has been told everything already. */
export class SilentExit extends Error {
  override name = 'SilentExit';
  readonly exitStatus: number;

  constructor(exitStatus: number) {
    super(`exit status ${exitStatus}`);
    this.exitStatus = exitStatus;
  }
}

const REASONS: { readonly [code: string]: string } = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENOENT: 'no such file or folder',
  ENOTDIR: 'not a folder',
  EISDIR: 'it is a folder',
  ENOSPC: 'no space left on the device',
  EROFS: 'the file system is read-only',
  EADDRINUSE: 'address in use',
  EADDRNOTAVAIL: 'not an address of this host',
  EMFILE: 'too many open files',
};

/** A Failure for what Node threw: `what` could not be done, and why. */
export function failureOf(what: string, error: unknown): Failure {
  const { code, message } = error as { code?: unknown; message?: unknown };
  const reason = typeof code === 'string' ? (REASONS[code] ?? code) : String(message ?? error);
  return new Failure(`${what}: ${reason}`);
}
