import { createConnection } from 'node:net';
import { ANSWER_MAX, type Answers, TIMEOUT_MS, type Want } from './protocol.ts';

/** Asks the stack at a control socket. Rejects with Node's error (ECONNREFUSED), or an Error that says why not. */
export async function askControl<W extends Want>(path: string, want: W): Promise<Answers[W]> {
  const text = await exchange(path, `${JSON.stringify({ want })}\n`);
  const { answer, error } = JSON.parse(text) as { answer?: Answers[W]; error?: unknown };
  if (answer === undefined) throw new Error(String(error ?? 'no answer'));
  return answer;
}

function exchange(path: string, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let length = 0;
    const socket = createConnection(path);
    const fail = (error: Error): void => {
      socket.destroy();
      reject(error);
    };
    // Of the whole exchange, not of a pause: one that answers byte by byte is not waited for.
    const timer = setTimeout(() => fail(new Error('no answer in time')), TIMEOUT_MS);
    socket.on('connect', () => socket.write(request));
    socket.on('error', fail);
    socket.on('data', (piece: Buffer) => {
      pieces.push(piece);
      length += piece.length;
      if (length > ANSWER_MAX) fail(new Error('the answer is too long'));
    });
    socket.on('end', () => resolve(Buffer.concat(pieces).toString('utf8')));
    socket.on('close', () => clearTimeout(timer));
  });
}
