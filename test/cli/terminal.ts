import { PassThrough } from 'node:stream';
import type { Terminal } from '../../src/cli/terminal.js';

/** A terminal that remembers what was written. */
export interface RecordedTerminal extends Terminal {
  readonly out: string[];
  readonly err: string[];
  /** What was drawn on the stream: bars and questions. */
  readonly drawn: () => string;
  /** Everything that anybody could have seen. */
  readonly all: () => string;
}

export interface TerminalOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly dataDir?: string;
  /** With this, somebody looks at it, and types this once he is asked. */
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
    if (piece.toString().includes('password of')) input.write(`${typed}\r`);
  });
  const drawn = (): string => pieces.join('');
  return {
    env,
    dataDir,
    isInteractive,
    stream,
    ...(isInteractive ? { input } : {}),
    print: (line) => out.push(line),
    complain: (line) => err.push(line),
    out,
    err,
    drawn,
    all: () => [...out, ...err, drawn()].join('\n'),
  };
}
