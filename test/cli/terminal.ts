import { PassThrough } from 'node:stream';
import type { Terminal } from '../../src/cli/terminal.js';

/** A terminal that records its output. */
export interface RecordedTerminal extends Terminal {
  readonly out: string[];
  readonly err: string[];
  /** Output on the stream: progress bars and prompts. */
  readonly drawn: () => string;
  /** All output. */
  readonly all: () => string;
}

export interface TerminalOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly dataDir?: string;
  /** Makes the terminal interactive; typed at the password prompt. */
  readonly typed?: string;
}

export function recordTerminal({ env = {}, dataDir = '/nowhere', typed }: TerminalOptions = {}): RecordedTerminal {
  const out: string[] = [];
  const err: string[] = [];
  const pieces: string[] = [];
  const isInteractive = typed !== undefined;
  const tty = { isTTY: true, columns: 120 };
  const stream = Object.assign(new PassThrough(), isInteractive ? tty : {});
  const input = Object.assign(new PassThrough(), tty);
  stream.on('data', (piece: Buffer) => {
    pieces.push(piece.toString());
    if (piece.toString().includes('password for')) input.write(`${typed}\r`);
  });
  const drawn = (): string => pieces.join('');
  return {
    env,
    dataDir,
    isInteractive,
    stream,
    ...(isInteractive ? { input } : {}),
    print: (line) => out.push(line),
    printError: (line) => err.push(line),
    out,
    err,
    drawn,
    all: () => [...out, ...err, drawn()].join('\n'),
  };
}
