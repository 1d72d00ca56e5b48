/** One place that breaks a convention, and how to fix it. */
export interface Finding {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly problem: string;
  readonly fix: string;
}

/** The line, counted from 1, of an offset in a text. */
export const toLine = (text: string, offset: number): number => text.slice(0, offset).split('\n').length;
