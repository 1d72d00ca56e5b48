import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { Hidden } from './hidden.js';
import type { Terminal } from './terminal.js';

/** Whether there is somebody to ask: one who sees the question, and types. */
export const canAsk = ({ isInteractive, input }: Terminal): boolean => isInteractive && input?.isTTY === true;

/** Asks for a password; what is typed does not show. Undefined if the asked one gives up or says nothing. */
export function askPassword({ stream, input }: Terminal, question: string): Promise<Hidden | undefined> {
  return new Promise((resolve) => {
    stream.write(question);
    // As a terminal, so that the line is read key by key; its echo goes nowhere.
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
    const lines = createInterface({ input: input as NodeJS.ReadableStream, output: nowhere, terminal: true });
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
