import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Text files by their path from the root of the repository. */
export type Files = ReadonlyMap<string, string>;

const SKIPPED = new Set([
  'node_modules',
  'dist',
  '.git',
  '.data',
  '.tap',
  '.stryker-tmp',
  '.test-build',
  'reports',
  'secrets',
]);
const IS_TEXT = /(\.(ts|mjs|cjs|json|md|sql|svg|ya?ml)|\/run|Dockerfile)$/;

export async function readFiles(root: string): Promise<Files> {
  const paths = await listPaths(root, '');
  const texts = await Promise.all(paths.map((path) => readFile(join(root, path), 'utf8')));
  return new Map(paths.map((path, index) => [path, texts[index] as string]));
}

async function listPaths(root: string, folder: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { withFileTypes: true });
  const lists = entries
    .filter(({ name }) => !SKIPPED.has(name) && name !== 'package-lock.json')
    .map((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) return listPaths(root, path);
      return entry.isFile() && IS_TEXT.test(path) ? [path] : [];
    });
  return (await Promise.all(lists)).flat().sort();
}

/** Written by a tool from other files, so its text is fixed at the source. */
export const isGenerated = (path: string): boolean => /(^|\/)generated\//.test(path) || path === 'src/db/tables.ts';

export const isSource = (path: string): boolean =>
  /^(src|clients\/typescript\/src)\//.test(path) && path.endsWith('.ts') && !isGenerated(path);

export const isDocument = (path: string): boolean => path.endsWith('.md');
