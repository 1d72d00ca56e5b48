import type { Files } from './files.js';
import type { Finding } from './finding.js';

const DOCUMENT = 'openapi/v1.json';
const MAX_LENGTH = 60;
/** The first word of a summary. Add one only for an operation that none of these fits. */
const VERBS = new Set(
  'Apply Archive Cancel Check Compare Confirm Create Delete Dismiss Explain Export Follow Get List Preview Register Replace Replay Resolve Restore Resume Rotate Save Set Start Stream Test Update Verify'.split(
    ' ',
  ),
);

interface Operation {
  readonly operationId: string;
  readonly summary?: string;
}

/** Operations whose summary is too long, or is not in the form `Verb noun`. */
export function findOddSummaries(files: Files): Finding[] {
  const text = files.get(DOCUMENT) ?? '{}';
  const { paths = {} } = JSON.parse(text) as { paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>> };
  const lines = text.split('\n');
  const operations = Object.values(paths).flatMap((path) => Object.values(path));
  return operations.flatMap(({ operationId, summary = '' }) => {
    const problem = findProblem(summary);
    if (problem === undefined) return [];
    const line = lines.findIndex((each) => each.includes(`"operationId": "${operationId}"`)) + 1;
    return [
      {
        file: DOCUMENT,
        line,
        problem: `the summary of ${operationId} ${problem}: "${summary}"`,
        fix: 'change `summary` in the operation\'s routes.ts, for example "List companies"; then npm run openapi',
      },
    ];
  });
}

function findProblem(summary: string): string | undefined {
  if (summary.length > MAX_LENGTH) return `has ${summary.length} characters, ${MAX_LENGTH} are allowed`;
  const [verb = '', ...rest] = summary.split(' ');
  if (!VERBS.has(verb)) return `begins with "${verb}", which is none of the verbs in tools/conventions/summaries.ts`;
  if (rest.length === 0) return 'has no noun';
  return /[.!?]$/.test(summary) ? 'ends with a punctuation mark' : undefined;
}
