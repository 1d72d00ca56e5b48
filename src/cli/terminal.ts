/** What the command has of the outside world: `main.ts` alone knows the process. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where local mode keeps its `local.json`. */
  readonly dataDir: string;
  /** A line of the result. */
  readonly print: (line: string) => void;
  /** A line about the work: progress, warnings, failures. */
  readonly printError: (line: string) => void;
  /** Whether a person looks at `stream`, so that bars may be drawn there. */
  readonly isInteractive: boolean;
  readonly stream: NodeJS.WritableStream;
  /** Where a person may type a password; nobody is asked without one. */
  readonly input?: NodeJS.ReadableStream & { readonly isTTY?: boolean };
}

/**
 * Text of others for a line of a terminal: names come from a state's list and faults from a server, and neither may move
 * the cursor, change colors or write a line of its own.
 */
export const toPrintable = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu, ' ').trim();
