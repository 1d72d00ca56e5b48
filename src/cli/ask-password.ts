import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { Hidden } from './hidden.js';
import type { Terminal } from './terminal.js';

/** Whether a user can see a prompt and type. */
export const canAsk = ({ isInteractive, input }: Terminal): boolean => isInteractive && input?.isTTY === true;

/** Prompts for a password without echo. Undefined if the user enters nothing or presses Ctrl-C. */
export function askPassword({ stream, input }: Terminal, question: string): Promise<Hidden | undefined> {
  return new Promise((resolve) => {
    stream.write(question);
    // In terminal mode, readline echoes keys to its output, which discards them.
    const discard = new Writable({ write: (_chunk, _encoding, done) => done() });
    const lines = createInterface({ input: input as NodeJS.ReadableStream, output: discard, terminal: true });
    const end = (answer: string): void => {
      resolve(answer === '' ? undefined : new Hidden(answer));
      stream.write('\n');
      lines.close();
    };
    lines.once('line', end);
    lines.once('SIGINT', () => end(''));
    lines.once('close', () => resolve(undefined));
  });
}
