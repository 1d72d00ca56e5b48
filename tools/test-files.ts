import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';

/**
 * - `default`: how the service behaves: all files except those of `faults`, `proof` and `test/browser`, with few random cases
 * - `faults`: the files below test/faults: processes, Postgres and BioTrack that fail
 * - `proof`: the files below test/proof: the repository, its documents and its tools
 * - `browser`: pages in a headless browser; fails without one if `REQUIRE_BROWSER` is set
 * - `full`: all files, with many random cases
 * - `long`: all files, with the most random cases; takes hours
 */
export type Tier = 'default' | 'faults' | 'proof' | 'browser' | 'full' | 'long';

/** Also tests the API, so it is of the default tier too. */
const DOCS_PAGE = 'test/v1/docs.test.ts';

/** Started first, so that no long file runs alone at the end. */
const LONGEST_FIRST: readonly string[] = [
  'test/faults/crashes.test.ts',
  'test/faults/database.test.ts',
  'test/faults/local-postgres.test.ts',
  'test/faults/lists.test.ts',
  'test/faults/shared-directory.test.ts',
  'test/faults/partly-read.test.ts',
  'test/proof/documents.test.ts',
  'test/proof/container.test.ts',
  'test/cli/onboard.test.ts',
  'test/v1/every-operation.test.ts',
  'test/v1/licenses.test.ts',
  'test/sync/sync.test.ts',
  'test/v1/syncs.test.ts',
  'test/sync/decisions.test.ts',
  'test/mapping/properties.test.ts',
  'test/v1/idempotency.test.ts',
  'test/sync/histories.test.ts',
  'test/v1/configuration.test.ts',
];

/**
 * The files to run, the longest first. Each argument is a file, a folder or a word that occurs in the path of a file;
 * arguments select from all tiers.
 */
export function selectTestFiles(
  root: string,
  tier: Tier,
  args: readonly string[],
): { readonly files: readonly string[] } | { readonly error: string } {
  const all = listFiles(join(root, 'test'))
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => relative(root, path));
  if (args.length === 0) return { files: sort(all.filter((path) => isOfTier(path, tier))) };
  const selected = new Set<string>();
  for (const argument of args) {
    const matches = findMatches(root, all, argument);
    if (matches.length === 0) return { error: describeMiss(all, argument) };
    for (const match of matches) selected.add(match);
  }
  return { files: sort([...selected]) };
}

function isOfTier(path: string, tier: Tier): boolean {
  if (tier === 'full' || tier === 'long') return true;
  const [, folder] = path.split('/');
  if (tier === 'browser' && path === DOCS_PAGE) return true;
  return (['faults', 'proof', 'browser'].includes(folder ?? '') ? folder : 'default') === tier;
}

function findMatches(root: string, all: readonly string[], argument: string): string[] {
  const path = resolve(argument);
  if (existsSync(path)) {
    const name = relative(root, path);
    return all.filter((file) => file === name || file.startsWith(`${name}/`));
  }
  const word = argument.toLowerCase();
  return all.filter((file) => file.toLowerCase().includes(word));
}

function describeMiss(all: readonly string[], argument: string): string {
  const word = basename(argument)
    .replace(/(\.test)?\.ts$/, '')
    .toLowerCase();
  const distanceOf = (file: string): number => {
    const name = basename(file, '.test.ts');
    return Math.min(
      ...[name, ...name.split('-')].map((part) => countEdits(word, part) / Math.max(word.length, part.length)),
    );
  };
  const close = all
    .map((file) => ({ file, distance: distanceOf(file) }))
    .filter(({ distance }) => distance <= 0.5)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 5)
    .map(({ file }) => `\n  ${file}`);
  const hint = close.length > 0 ? ` Did you mean:${close.join('')}` : ' Run `ls test/*` to list all test files.';
  return `No test file matches "${argument}".${hint}`;
}

/** The Levenshtein distance. */
function countEdits(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_none, index) => index);
  for (const [i, letter] of [...from].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...to].entries()) {
      next.push(Math.min((row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1, (row[j] ?? 0) + (letter === other ? 0 : 1)));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

function listFiles(folder: string): string[] {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      const path = join(folder, name);
      return statSync(path).isDirectory() ? listFiles(path) : [path];
    });
}

function sort(files: readonly string[]): string[] {
  const rank = (file: string): number => {
    const index = LONGEST_FIRST.indexOf(file);
    return index === -1 ? LONGEST_FIRST.length : index;
  };
  return [...files].sort((a, b) => rank(a) - rank(b));
}
