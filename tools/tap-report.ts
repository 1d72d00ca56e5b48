import type { Readable } from 'node:stream';
import { inspect } from 'node:util';
import { type FinalResults, Parser, type Result } from 'tap-parser';

export interface TestFailure {
  /** The names from the outermost test to the assertion. */
  readonly path: string;
  /** Indented lines. */
  readonly detail: string;
}

export interface TestSkip {
  readonly path: string;
  readonly reason: string;
}

/** The result of one file. Counts assertions, not tests. */
export interface FileReport {
  readonly name: string;
  readonly passed: number;
  readonly failures: readonly TestFailure[];
  readonly skips: readonly TestSkip[];
  /** Figures and seeds that the tests print. */
  readonly comments: readonly string[];
  readonly durationMs: number;
}

interface Tally {
  passed: number;
  readonly failures: TestFailure[];
  readonly skips: TestSkip[];
  readonly comments: string[];
}

export interface FileListener {
  /** Output that is not TAP. */
  onOutput(line: string): void;
  onFile(report: FileReport): void;
}

/**
 * Reads the TAP output of a worker, in which each test file is a subtest. Stricter than tap: a test without an assertion
 * fails, and so does a skip or a todo without a reason.
 */
export async function readTap(stream: Readable, { onOutput, onFile }: FileListener): Promise<void> {
  const root = new Parser();
  let file: { readonly name: string; readonly tally: Tally; readonly startedAt: number } | undefined;
  const finish = (): void => {
    if (file === undefined) return;
    const { name, tally, startedAt } = file;
    file = undefined;
    onFile({ name, ...tally, durationMs: performance.now() - startedAt });
  };
  root.on('child', (child: Parser) => {
    file = { name: child.name, tally: createTally(), startedAt: performance.now() };
    collect(child, [], file.tally);
  });
  root.on('assert', (result: Result) => {
    if (file !== undefined) judge(result, [], file.tally, { all: 0, failures: 0 });
    else if (!result.ok) {
      // An error after the last test of a file.
      file = { name: 'outside of all tests', tally: createTally(), startedAt: performance.now() };
      add(result, [result.name], file.tally);
    }
    finish();
  });
  root.on('extra', (text: string) => onOutput(text.trim()));
  root.on('bailout', (reason: string) => void file?.tally.failures.push({ path: 'bail out', detail: reason }));
  await new Promise<FinalResults>((done, fail) => {
    root.on('complete', done);
    stream.on('error', fail);
    stream.pipe(root);
  });
}

const createTally = (): Tally => ({ passed: 0, failures: [], skips: [], comments: [] });

/** Adds up the assertions of a test and its subtests. */
function collect(parser: Parser, path: readonly string[], tally: Tally): void {
  let inner: { path: readonly string[]; before: Counts } | undefined;
  parser.on('child', (child: Parser) => {
    inner = { path: [...path, child.name], before: count(tally) };
    collect(child, inner.path, tally);
  });
  parser.on('assert', (result: Result) => {
    if (inner === undefined) {
      add(result, [...path, result.name], tally);
      return;
    }
    // The result of a subtest follows its assertions.
    const { path: innerPath, before } = inner;
    inner = undefined;
    judge(result, innerPath, tally, before);
  });
  parser.on('comment', (comment: string) => {
    const text = comment.trim().replace(/^#\s*/, '');
    if (text !== '' && !/^(Subtest\b|time=|\{ total:|no tests found)/.test(text)) tally.comments.push(text);
  });
}

interface Counts {
  readonly all: number;
  readonly failures: number;
}

const count = ({ passed, failures, skips }: Tally): Counts => ({
  all: passed + failures.length + skips.length,
  failures: failures.length,
});

/** The result of a test whose assertions are already counted. */
function judge(result: Result, path: readonly string[], tally: Tally, before: Counts): void {
  const after = count(tally);
  const name = path.join(' > ') || 'the file';
  if (!result.ok && after.failures === before.failures) {
    // All assertions passed, but the test failed: a wrong plan, a thrown error or a timeout.
    tally.failures.push({ path: name, detail: describe(result) });
  } else if (after.all === before.all) {
    tally.failures.push({ path: name, detail: '  has no assertion' });
  }
}

function add(result: Result, path: readonly string[], tally: Tally): void {
  const name = path.join(' > ');
  const reason = result.skip || result.todo;
  if (reason === false || reason === '') {
    if (result.ok) tally.passed += 1;
    else tally.failures.push({ path: name, detail: describe(result) });
  } else if (reason === true || reason.trim() === '') {
    tally.failures.push({ path: name, detail: '  is skipped without a reason' });
  } else {
    tally.skips.push({ path: name, reason });
  }
}

function describe(result: Result): string {
  const diagnosis: unknown = result.diag;
  if (typeof diagnosis !== 'object' || diagnosis === null) return result.tapError ?? '  no details';
  return Object.entries(diagnosis)
    .map(([key, value]: [string, unknown]) => {
      if (typeof value !== 'string') return `  ${key}: ${inspect(value, { depth: 8, breakLength: 110 })}`;
      if (!value.includes('\n')) return `  ${key}: ${value}`;
      return `  ${key}:\n${value.trimEnd().replace(/^/gm, '    ')}`;
    })
    .join('\n');
}
