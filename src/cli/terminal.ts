/** The process as the command sees it; tests pass their own. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder with `local.json`. */
  readonly dataDir: string;
  /** Prints a line of the result. */
  readonly print: (line: string) => void;
  /** Prints progress, warnings and errors. */
  readonly printError: (line: string) => void;
  /** Whether `stream` is a terminal, which can show progress bars. */
  readonly isInteractive: boolean;
  readonly stream: NodeJS.WritableStream;
  /** For the password prompt; without it there is no prompt. */
  readonly input?: NodeJS.ReadableStream & { readonly isTTY?: boolean };
}

/** Replaces control characters in text from a server, which could move the cursor, change colors or add lines. */
export const toPrintable = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu, ' ').trim();
